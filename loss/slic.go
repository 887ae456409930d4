package loss

// SLiC is sequence likelihood calibration, SLiC-HF with its rank loss and its regulariser,
//
//	max(0, δ − log π(y⁺) + log π(y⁻)) − λ·log π(y*)
//
// where y*, Gold of [Triples], is the reply of the supervised data, or the best candidate
// (Zhao et al. 2023, arXiv:2305.10425). What other libraries call SLiC is [RSO]'s hinge on
// log-ratios, without the second term. Over says whether all three log-probabilities are
// those of whole replies or means per token, and must be set.
//
// Pairs whose margin is at least δ have no derivative in the first term and are counted in
// Total.Flat; for λ = 0 every policy that ranks all pairs by δ is a minimiser.
//
// Delta must be positive, Lambda finite and not negative. It uses Chosen, Rejected, Gold and
// Weight of [Triples], and ChosenLen, RejectedLen and GoldLen for means. Implicit rewards are
// the log-probabilities.
type SLiC struct {
	Delta  float64
	Lambda float64
	Over   LogRatioOf
}

// Eval stores losses, derivatives and implicit rewards in dst.
func (l SLiC) Eval(dst TriplesOut, b Triples) (Total, error) {
	if l.Over == Mean {
		return slic(l, MeanLogProb{}, dst, b)
	}
	return slic(l, LogProb{}, dst, b)
}

func slic[S Score](l SLiC, score S, dst TriplesOut, b Triples) (Total, error) {
	e := compose(score, shortfall{l.Delta}, 1, 0, positive("SLiC.Delta", l.Delta),
		nonNegative("SLiC.Lambda", l.Lambda), l.Over.check("SLiC.Over"))
	return tripled(e, dst, b, l.Lambda, l.Over)
}

// shortfall is the link max(0, δ − z).
type shortfall struct{ delta float64 }

func (l shortfall) Link(value, slope, z []float64) {
	for i, x := range z {
		value[i], slope[i] = hinge(x, l.delta)
	}
}

func (shortfall) Check() error { return nil }
