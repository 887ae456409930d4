package loss

// Robust is the link that is unbiased when labels are flipped with probability ε,
//
//	[−(1−ε)·log σ(z) + ε·log σ(−z)]/(1−2ε) = −log σ(z) − ε/(1−2ε)·z
//
// with slope −σ(−z) − ε/(1−2ε): its expectation over flips is [Logistic] (Chowdhury, Kini,
// Natarajan 2024, arXiv:2403.00409). It is convex, and for ε > 0 unbounded
// below: −Inf at z = +Inf. ε is in [0, ½).
type Robust struct{ Epsilon float64 }

// Link implements [Link].
func (l Robust) Link(value, slope, z []float64) {
	if l.Epsilon == 0 { // 0 times an infinite margin would be NaN
		Logistic{}.Link(value, slope, z)
		return
	}
	b := l.Epsilon / (1 - 2*l.Epsilon)
	inBlocks(len(z), func(w *linkScratch, lo, hi int) {
		w.below(z[lo:hi])
		for i, x := range z[lo:hi] {
			value[lo+i], slope[lo+i] = w.lost[i]-b*x, w.miss[i]-b
		}
	})
}

// Curvature implements [CurvedLink]; it is that of [Logistic].
func (Robust) Curvature(c, z []float64) { Logistic{}.Curvature(c, z) }

// Check implements [Link].
func (l Robust) Check() error { return belowHalf("Robust.Epsilon", l.Epsilon) }

// RobustDPO is [DPO] under noisy labels, β·(ℓ(y⁺) − ℓ(y⁻)) through the link [Robust]: where
// each label is flipped with probability FlipProb, its expectation is the DPO loss on the
// true labels, and so are its minimisers. On one set of labels it may have none: a pair that
// is labelled one way only has a loss that falls without bound.
//
// It takes out the noise that cDPO, [DPO] with LabelSmoothing, builds into its target:
// there a pair of certain label ends at the odds of the noise, here nowhere.
//
// Beta must be positive, FlipProb in [0, ½); 0 is DPO. It uses Chosen, Rejected, RefChosen,
// RefRejected and Weight of [Pairs].
type RobustDPO struct {
	Beta     float64 // β, the KL coefficient: reward per nat of log π/π_ref
	FlipProb float64
}

// Eval implements [Pairwise].
func (l RobustDPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l RobustDPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l RobustDPO) parts() margined[LogRatio, Robust] {
	return compose(LogRatio{}, Robust{l.FlipProb}, l.Beta, 0,
		positive("RobustDPO.Beta", l.Beta), belowHalf("RobustDPO.FlipProb", l.FlipProb))
}
