package loss

// CPO is Contrastive Preference Optimization, DPO with a uniform reference, and the
// likelihood of the chosen reply,
//
//	−log σ(β·(log π(y⁺) − log π(y⁻))) − α·log π(y⁺)
//
// smoothed as [DPO] where LabelSmoothing > 0 (Xu et al. 2024, arXiv:2401.08417, equation 3,
// where α = 1 and the term is a sum over tokens; TRL takes the mean over all tokens of a
// batch, which no sum over pairs can be). NLLOver must be set: Sum is the paper's.
//
// Soft labels have a unique minimiser, π ∝ e^{r/β} for α = 0 where they follow
// Bradley–Terry with reward r, and for α > 0 one that leans to what is chosen often.
// Deterministic labels have none.
//
// Beta must be positive, Alpha finite and not negative, LabelSmoothing in [0, ½). It uses
// Chosen, Rejected and Weight of [Pairs], and ChosenLen for means.
type CPO struct {
	Beta           float64 // β, an inverse temperature, no KL coefficient: reward per nat of log π
	Alpha          float64
	NLLOver        LogRatioOf
	LabelSmoothing float64
}

// Eval implements [Pairwise].
func (l CPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	return withNLL(l.parts(), dst, b, l.Alpha, l.NLLOver)
}

// Curvature implements [Curved]: of the term with the margin.
func (l CPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l CPO) parts() margined[LogProb, Smoothed] {
	return compose(LogProb{}, Smoothed{l.LabelSmoothing}, l.Beta, 0, positive("CPO.Beta", l.Beta),
		nonNegative("CPO.Alpha", l.Alpha), l.NLLOver.check("CPO.NLLOver"), belowHalf("CPO.LabelSmoothing", l.LabelSmoothing))
}
