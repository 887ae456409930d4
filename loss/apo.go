package loss

import "github.com/prefgrad/prefgrad/internal/elem"

// APOZeroLink is σ(−c) + σ(r) of the rewards c and r: bounded, not convex.
type APOZeroLink struct{}

// Joint implements [JointLink].
func (APOZeroLink) Joint(value, dChosen, dRejected, chosen, rejected []float64) {
	inBlocks(len(chosen), func(w *linkScratch, lo, hi int) {
		w.of(chosen[lo:hi])
		w.other.of(rejected[lo:hi])
		for i := range hi - lo {
			value[lo+i] = -w.miss[i] - w.other.hit[i]
			dChosen[lo+i], dRejected[lo+i] = -w.slope(i), w.other.slope(i)
		}
	})
}

// Check implements [JointLink].
func (APOZeroLink) Check() error { return nil }

// APODownLink is σ(c) + σ(r − c) of the rewards c and r: bounded, not convex.
type APODownLink struct{}

// Joint implements [JointLink].
func (APODownLink) Joint(value, dChosen, dRejected, chosen, rejected []float64) {
	inBlocks(len(chosen), func(w *linkScratch, lo, hi int) {
		z := w.u[:hi-lo]
		elem.Differences(z, rejected[lo:hi], chosen[lo:hi])
		w.of(chosen[lo:hi])
		w.other.of(z)
		for i := range z {
			value[lo+i] = -w.hit[i] - w.other.hit[i]
			slope := w.other.slope(i)
			dChosen[lo+i], dRejected[lo+i] = w.slope(i)-slope, slope
		}
	})
}

// Check implements [JointLink].
func (APODownLink) Check() error { return nil }

// APOZero is Anchored Preference Optimization for chosen replies better than the policy's,
//
//	σ(−β·ℓ(y⁺)) + σ(β·ℓ(y⁻))
//
// which makes the chosen reply more and the rejected reply less likely (D'Oosterlinck et al.
// 2024, arXiv:2408.06266, equation 7). There is no minimiser, with soft labels neither: the
// loss of a reply that is chosen with probability p is linear in σ(βℓ), so its reward goes
// to +∞ for p > ½ and to −∞ below. The pull fades for replies that are far on either side.
//
// Beta must be positive. It uses Chosen, Rejected, RefChosen, RefRejected and Weight of
// [Pairs].
type APOZero struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

// Eval implements [Pairwise].
func (l APOZero) Eval(dst PairsOut, b Pairs) (Total, error) {
	return composeJoint(LogRatio{}, APOZeroLink{}, l.Beta, positive("APOZero.Beta", l.Beta)).eval(dst, b)
}

// APODown is Anchored Preference Optimization for chosen replies worse than the policy's,
//
//	σ(β·ℓ(y⁺)) + σ(−β·(ℓ(y⁺) − ℓ(y⁻)))
//
// which makes both replies less likely, the rejected one more so (D'Oosterlinck et al. 2024,
// arXiv:2408.06266, equation 8). The loss of a deterministic label falls towards 0 as the
// chosen reward goes to −∞ and the rejected one there faster, so there is no minimiser.
//
// Beta must be positive. It uses Chosen, Rejected, RefChosen, RefRejected and Weight of
// [Pairs].
type APODown struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

// Eval implements [Pairwise].
func (l APODown) Eval(dst PairsOut, b Pairs) (Total, error) {
	return composeJoint(LogRatio{}, APODownLink{}, l.Beta, positive("APODown.Beta", l.Beta)).eval(dst, b)
}
