package loss

// Hinge is the link max(0, 1 − z), with slope −1 below 1 and 0 from there on. It is convex
// but has no curvature to speak of; the set of its minimisers is z ≥ 1.
type Hinge struct{}

// Link implements [Link].
func (Hinge) Link(value, slope, z []float64) {
	for i, x := range z {
		value[i], slope[i] = hinge(x, 1)
	}
}

// Check implements [Link].
func (Hinge) Check() error { return nil }

// SquaredHinge is the link max(0, 1 − z)², the truncated quadratic of Tang et al. 2024
// (arXiv:2402.05749), with slope −2·max(0, 1 − z).
type SquaredHinge struct{}

// Link implements [Link].
func (SquaredHinge) Link(value, slope, z []float64) {
	for i, x := range z {
		value[i], slope[i] = squaredHinge(x)
	}
}

// Check implements [Link].
func (SquaredHinge) Check() error { return nil }

// RSO is the hinge objective on normalised likelihoods,
//
//	max(0, 1 − β·(ℓ(y⁺) − ℓ(y⁻)))
//
// (Liu et al. 2023, Statistical Rejection Sampling Optimization, arXiv:2309.06657,
// equation 10, "hinge-norm", with γ for β; TRL's loss type hinge). What SLiC-HF itself
// minimises has no reference and another term: [SLiC].
//
// With labels won with probability p it is flat or linear between kinks: for ½ < p < 1 the
// minimiser of one pair is the margin 1/β, whatever p is; for p = 1 it is every margin above
// that; so it recovers the order of replies and not the odds.
//
// Beta must be positive; 0.05 is what the paper uses. It uses Chosen, Rejected, RefChosen,
// RefRejected of [Pairs], and Weight.
type RSO struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

// Eval implements [Pairwise].
func (l RSO) Eval(dst PairsOut, b Pairs) (Total, error) {
	return compose(LogRatio{}, Hinge{}, l.Beta, 0, positive("RSO.Beta", l.Beta)).eval(dst, b)
}
