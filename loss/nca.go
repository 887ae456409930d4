package loss

import "github.com/prefgrad/prefgrad/internal/elem"

// NCALink is −log σ(c) − ½·log σ(−c) − ½·log σ(−r) of the rewards c and r: convex, with
// derivatives σ(c)/2 − σ(−c) and σ(r)/2.
type NCALink struct{}

// Joint implements [JointLink].
func (NCALink) Joint(value, dChosen, dRejected, chosen, rejected []float64) {
	inBlocks(len(chosen), func(w *linkScratch, lo, hi int) {
		w.of(chosen[lo:hi])
		elem.Affine(w.u[:hi-lo], rejected[lo:hi], -1, 0)
		w.other.below(w.u[:hi-lo])
		for i := range hi - lo {
			value[lo+i] = w.lost[i] + w.won[i]/2 + w.other.lost[i]/2
			dChosen[lo+i], dRejected[lo+i] = w.miss[i]-w.hit[i]/2, -w.other.miss[i]/2
		}
	})
}

// Curvature implements [CurvedJointLink].
func (NCALink) Curvature(dst JointCurvature, chosen, rejected []float64) {
	slopes(dst.Chosen, chosen, 0, 1.5)
	slopes(dst.Rejected, rejected, 0, 0.5)
	clear(dst.Mixed)
}

// Check implements [JointLink].
func (NCALink) Check() error { return nil }

// NCA is noise contrastive alignment on preference pairs,
//
//	−log σ(β·ℓ(y⁺)) − ½·log σ(−β·ℓ(y⁺)) − ½·log σ(−β·ℓ(y⁻))
//
// (Chen et al. 2024, arXiv:2402.05369). Unlike [DPO] it looks
// at each reward by itself, and so keeps the likelihood of the chosen reply from falling: for
// deterministic labels the chosen reward has the minimiser log 2, the rejected reward none.
//
// Beta must be positive. It uses Chosen, Rejected, RefChosen, RefRejected and Weight of
// [Pairs].
type NCA struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

// Eval implements [Pairwise].
func (l NCA) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [JointCurved].
func (l NCA) Curvature(dst JointCurvature, b Pairs) error {
	return jointCurvature(l.parts(), dst, b)
}

func (l NCA) parts() joint[LogRatio, NCALink] {
	return composeJoint(LogRatio{}, NCALink{}, l.Beta, positive("NCA.Beta", l.Beta))
}
