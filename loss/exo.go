package loss

import "math"

// ReverseKL is a link, on two replies; rloo.ReverseKL is the gradient of KL(π‖π_ref), estimated from
// samples. The link is
//
//	q·log(q/(1−ε)) + (1−q)·log((1−q)/ε),   q = σ(z)
//
// the divergence of the policy's choice between two replies from a label that is right with
// probability 1−ε, where [Smoothed] has the divergence of the label from the policy. Its
// minimum, 0, is at z = log((1−ε)/ε), its slope q·(1−q)·(z − log((1−ε)/ε)); it is not
// convex, and flat where z is far from there. ε is in (0, ½).
type ReverseKL struct{ Epsilon float64 }

// Link implements [Link].
func (l ReverseKL) Link(value, slope, z []float64) {
	logEps, log1mEps := math.Log(l.Epsilon), math.Log1p(-l.Epsilon)
	inBlocks(len(z), func(w *linkScratch, lo, hi int) {
		w.of(z[lo:hi])
		for i, x := range z[lo:hi] {
			value[lo+i] = product(w.hit[i], w.lost[i]+log1mEps) + product(w.miss[i], w.won[i]+logEps)
			slope[lo+i] = product(w.slope(i), x+logEps-log1mEps)
		}
	})
}

// Check implements [Link].
func (l ReverseKL) Check() error { return openBelowHalf("ReverseKL.Epsilon", l.Epsilon) }

// openBelowHalf checks the probability of a flipped label that must not be 0.
func openBelowHalf(param string, v float64) error {
	if !(v > 0 && v < 0.5) {
		return &ParamError{param, v, "in (0, ½)"}
	}
	return nil
}

// EXO is Efficient Exact Optimization on preference pairs, β·(ℓ(y⁺) − ℓ(y⁻)) through the
// link [ReverseKL] (Ji et al. 2024, arXiv:2402.00856, equation 16). For one pair its
// minimiser is unique, at the odds (1−ε)/ε.
//
// Beta must be positive, LabelSmoothing = ε in (0, ½): at 0 the loss is infinite; 1e-3 is
// common. It uses Chosen, Rejected, RefChosen, RefRejected and Weight of [Pairs].
type EXO struct {
	Beta           float64 // β, the KL coefficient: reward per nat of log π/π_ref
	LabelSmoothing float64
}

// Eval implements [Pairwise].
func (l EXO) Eval(dst PairsOut, b Pairs) (Total, error) {
	return compose(LogRatio{}, ReverseKL{l.LabelSmoothing}, l.Beta, 0,
		positive("EXO.Beta", l.Beta), openBelowHalf("EXO.LabelSmoothing", l.LabelSmoothing)).eval(dst, b)
}
