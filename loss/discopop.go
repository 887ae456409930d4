package loss

// LogRatioModulated is the link
//
//	(1−m)·(−log σ(z)) + m·e⁻ᶻ,   m = σ(z/Tau)
//
// a mixture of the logistic and the exponential link whose weight depends on the margin. For
// Tau < 1 it is neither convex nor monotone: it grows from 0 like −z to the left, and has a
// maximum and a minimum at small margins. Tau must be positive.
type LogRatioModulated struct{ Tau float64 }

// Link implements [Link].
func (l LogRatioModulated) Link(value, slope, z []float64) {
	inBlocks(len(z), func(w *linkScratch, lo, hi int) { l.modulate(w, value[lo:hi], slope[lo:hi], z[lo:hi]) })
}

// modulate is Link for a block. With m = σ(z/τ) the product m·e⁻ᶻ is formed from logarithms, since its factors are 0
// and ∞ at large negative z.
func (l LogRatioModulated) modulate(w *linkScratch, value, slope, z []float64) {
	u, exponential := w.u[:len(z)], w.v[:len(z)]
	for i, x := range z {
		u[i] = x / l.Tau
	}
	w.below(z)
	w.other.of(u)
	for i, x := range z {
		u[i] = -x - w.other.lost[i]
		if x < 0 {
			u[i] = product(1/l.Tau-1, x) - w.other.won[i]
		}
	}
	exps(exponential, u, 1)
	for i, e := range exponential {
		rest := -w.other.miss[i]
		value[i] = product(rest, w.lost[i]) + e
		slope[i] = rest*w.miss[i] - product(w.other.slope(i)/l.Tau, w.lost[i]) + product(e, rest/l.Tau-1)
	}
}

// Check implements [Link].
func (l LogRatioModulated) Check() error { return positive("LogRatioModulated.Tau", l.Tau) }

// DiscoPOP is the discovered objective "log-ratio modulated loss", β·(ℓ(y⁺) − ℓ(y⁻))
// through the link [LogRatioModulated] (Lu et al. 2024, arXiv:2406.08414, equation 5).
//
// Beta and Tau must be positive; Tau = 0.05 is the paper's. For deterministic labels there
// is no global minimiser: the loss falls to 0 as the margin grows. It uses Chosen, Rejected,
// RefChosen, RefRejected and Weight of [Pairs].
type DiscoPOP struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Tau  float64
}

// Eval implements [Pairwise].
func (l DiscoPOP) Eval(dst PairsOut, b Pairs) (Total, error) {
	return compose(LogRatio{}, LogRatioModulated{l.Tau}, l.Beta, 0,
		positive("DiscoPOP.Beta", l.Beta), positive("DiscoPOP.Tau", l.Tau)).eval(dst, b)
}
