package loss

// TPO is Triple Preference Optimization, a contrast without reference and imitation of a
// third, gold reply y*,
//
//	−log σ(β·(log π(y⁺) − log π(y⁻))) − α·log π(y*)
//
// (Saeidi et al. 2024, arXiv:2405.16681), smoothed as [DPO] where LabelSmoothing > 0.
// NLLOver says whether the second term is a sum over tokens or their mean, and must be set;
// TRL takes the mean over all tokens of a batch. Minimisers are as for [CPO], with the
// imitated replies for the chosen ones: unique for soft labels.
//
// Beta must be positive, Alpha finite and not negative. It uses Chosen, Rejected, Gold and
// Weight of [Triples], and GoldLen for means.
type TPO struct {
	Beta           float64 // β, an inverse temperature, no KL coefficient: reward per nat of log π
	Alpha          float64
	NLLOver        LogRatioOf
	LabelSmoothing float64
}

// Eval stores losses, derivatives and implicit rewards in dst.
func (l TPO) Eval(dst TriplesOut, b Triples) (Total, error) {
	e := compose(LogProb{}, Smoothed{l.LabelSmoothing}, l.Beta, 0, positive("TPO.Beta", l.Beta),
		nonNegative("TPO.Alpha", l.Alpha), l.NLLOver.check("TPO.NLLOver"), belowHalf("TPO.LabelSmoothing", l.LabelSmoothing))
	return tripled(e, dst, b, l.Alpha, l.NLLOver)
}

// TPOL is the length-controlled form of [TPO], with log-probabilities per token and a target
// margin in the first term,
//
//	−log σ(β·log π(y⁺)/|y⁺| − β·log π(y⁻)/|y⁻| − γ) − α·log π(y*)
//
// (Saeidi et al. 2024, arXiv:2405.16681, TPO-L). For α = 0 it is [SimPO]; α > 0 moves the
// minimiser of soft labels towards the gold replies.
//
// Beta must be positive, Gamma finite, Alpha finite and not negative. It uses Chosen,
// Rejected, ChosenLen, RejectedLen, Gold and Weight of [Triples], and GoldLen for means.
type TPOL struct {
	Beta           float64 // β, an inverse temperature, no KL coefficient: reward per nat of log π per token
	Gamma          float64
	Alpha          float64
	NLLOver        LogRatioOf
	LabelSmoothing float64
}

// Eval stores losses, derivatives and implicit rewards in dst.
func (l TPOL) Eval(dst TriplesOut, b Triples) (Total, error) {
	e := compose(MeanLogProb{}, Smoothed{l.LabelSmoothing}, l.Beta, l.Gamma, positive("TPOL.Beta", l.Beta),
		finiteParam("TPOL.Gamma", l.Gamma), nonNegative("TPOL.Alpha", l.Alpha), l.NLLOver.check("TPOL.NLLOver"),
		belowHalf("TPOL.LabelSmoothing", l.LabelSmoothing))
	return tripled(e, dst, b, l.Alpha, l.NLLOver)
}
