package loss

// RPO is [DPO] with the likelihood of the chosen reply as a regulariser,
//
//	−log σ(β·(ℓ(y⁺) − ℓ(y⁻))) − α·log π(y⁺)
//
// (Liu et al. 2024, arXiv:2405.16436, where the term is the adversarial
// regulariser that keeps an offline method from exploiting its reward model; also in Pang et
// al. 2024, arXiv:2404.19733, per token). NLLOver says whether the term is a sum
// over tokens, as in the former, or a mean, as in the latter and TRL; it must be set.
//
// Where labels are deterministic it keeps π(y⁺) from falling while the margin grows; there
// is no minimiser, as with DPO. The policy π_ref·e^{r/β} is stationary only for α = 0.
//
// Beta must be positive, Alpha finite and not negative. It uses Chosen, Rejected, RefChosen,
// RefRejected and Weight of [Pairs], and ChosenLen for means.
type RPO struct {
	Beta    float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Alpha   float64
	NLLOver LogRatioOf
}

// Eval implements [Pairwise]. Its derivatives for a reference are those of DPO.
func (l RPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	e := compose(LogRatio{}, Logistic{}, l.Beta, 0,
		positive("RPO.Beta", l.Beta), nonNegative("RPO.Alpha", l.Alpha), l.NLLOver.check("RPO.NLLOver"))
	return withNLL(e, dst, b, l.Alpha, l.NLLOver)
}

// withNLL evaluates an engine and adds the likelihood of the chosen replies.
func withNLL[S Score, L Link](e margined[S, L], dst PairsOut, b Pairs, alpha float64, over LogRatioOf) (Total, error) {
	t, err := e.eval(dst, b)
	if err != nil {
		return Total{}, err
	}
	if err := addNLL(dst, &t, b, alpha, over); err != nil {
		return Total{}, err
	}
	return t, nil
}
