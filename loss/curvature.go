package loss

// CurvedLink is a [Link] that is convex and twice differentiable.
type CurvedLink interface {
	Link
	// Curvature stores the second derivative at z[i] in c[i]; c may be z itself.
	Curvature(c, z []float64)
}

// Curved is a [Pairwise] objective that is a convex, twice differentiable function of one
// margin per pair.
type Curved interface {
	Pairwise
	// Curvature stores ∂²Lᵢ/∂zᵢ² ≥ 0 in dst[i], where zᵢ is the margin that the link sees,
	// weights included. Where the margin is linear in parameters, zᵢ = θ·xᵢ − …, as with
	// [LogRatio] and a log-linear policy, Σᵢ dst[i]·xᵢxᵢᵀ is the Hessian.
	Curvature(dst []float64, b Pairs) error
}

// curvature evaluates the curvature of a link block by block.
func curvature[C, R Score, L CurvedLink](e engine[C, R, onMargin[L]], dst []float64, b Pairs) error {
	n := len(b.Chosen)
	if len(dst) != n {
		panic(badLength)
	}
	if err := e.check(b); err != nil {
		return err
	}
	w := pool.Get().(*scratch)
	defer pool.Put(w)
	for lo := 0; lo < n; lo += block {
		m := min(block, n-lo)
		if err := e.scores(w, b, lo, m); err != nil {
			return err
		}
		if err := e.link.margins(w, b, e.beta, lo, m); err != nil {
			return err
		}
		e.link.link.Curvature(w.gChosen[:m], w.gChosen[:m])
		copy(dst[lo:], w.gChosen[:m])
		weighted(dst, b.Weight, lo, m)
	}
	return nil
}

// weighted multiplies m elements from lo on by their weights, unless there are none.
func weighted(dst, weight []float64, lo, m int) {
	if weight == nil {
		return
	}
	for i := lo; i < lo+m; i++ {
		dst[i] *= weight[i]
	}
}
