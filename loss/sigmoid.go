package loss

// Sigmoid is the link σ(−z), the probability of the wrong side, with slope −σ(z)·σ(−z). It
// is bounded by 0 and 1 and not convex: its pull fades in both directions, so it lets go of
// what is hopelessly wrong, as [Logistic] does not.
type Sigmoid struct{}

// Link implements [Link].
func (Sigmoid) Link(value, slope, z []float64) {
	inBlocks(len(z), func(w *linkScratch, lo, hi int) {
		w.of(z[lo:hi])
		for i := range hi - lo {
			value[lo+i], slope[lo+i] = -w.miss[i], -w.slope(i)
		}
	})
}

// Check implements [Link].
func (Sigmoid) Check() error { return nil }
