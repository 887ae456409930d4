package loss

// GPO is Generalized Preference Optimization,
//
//	f(β·(ℓ(y⁺) − ℓ(y⁻)))
//
// for a convex function f, a [Link] (Tang et al. 2024, arXiv:2402.05749): DPO with
// [Logistic], IPO with [Squared]{1/(2τ)} and β = 1, the hinge of SLiC and RSO with
// [Hinge], and [Exponential] and [SquaredHinge] beside them. [Contrast] is the same with any
// score. Whether there is a minimiser is a matter of f: where f′ < 0 everywhere,
// deterministic labels have none.
//
// Link must be set and Beta positive. It uses Chosen, Rejected, RefChosen, RefRejected and
// Weight of [Pairs].
type GPO struct {
	Link Link
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

// Eval implements [Pairwise].
func (l GPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	if l.Link == nil {
		panic("loss: GPO without Link")
	}
	return compose(LogRatio{}, l.Link, l.Beta, 0, positive("GPO.Beta", l.Beta)).eval(dst, b)
}

// Curvature implements [Curved]. It panics if Link is not a [CurvedLink].
func (l GPO) Curvature(dst []float64, b Pairs) error {
	link, ok := l.Link.(CurvedLink)
	if !ok {
		panic("loss: GPO.Curvature without a CurvedLink")
	}
	return curvature(compose(LogRatio{}, link, l.Beta, 0, positive("GPO.Beta", l.Beta)), dst, b)
}
