package loss

import "github.com/prefgrad/prefgrad/internal/elem"

// BCOLink is −log σ(c − δ) − log σ(δ − r) of the rewards c and r: convex.
type BCOLink struct{ Delta float64 }

// Joint implements [JointLink].
func (l BCOLink) Joint(value, dChosen, dRejected, chosen, rejected []float64) {
	inBlocks(len(chosen), func(w *linkScratch, lo, hi int) {
		u, v := w.u[:hi-lo], w.v[:hi-lo]
		elem.Affine(u, chosen[lo:hi], 1, l.Delta)
		elem.Affine(v, rejected[lo:hi], -1, -l.Delta)
		w.below(u)
		w.other.below(v)
		for i := range u {
			value[lo+i] = w.lost[i] + w.other.lost[i]
			dChosen[lo+i], dRejected[lo+i] = w.miss[i], -w.other.miss[i]
		}
	})
}

// Curvature implements [CurvedJointLink].
func (l BCOLink) Curvature(dst JointCurvature, chosen, rejected []float64) {
	slopes(dst.Chosen, chosen, l.Delta, 1)
	slopes(dst.Rejected, rejected, l.Delta, 1)
	clear(dst.Mixed)
}

// Check implements [JointLink].
func (l BCOLink) Check() error { return finiteParam("BCOLink.Delta", l.Delta) }

// BCOPair is Binary Classifier Optimization on pairs,
//
//	−log σ(β·ℓ(y⁺) − δ) − log σ(δ − β·ℓ(y⁻))
//
// a classifier of chosen against rejected replies whose logit is the reward above δ (Jung et
// al. 2024, arXiv:2404.04656). In the paper δ is the running mean of rewards; it
// is the caller's here, who knows what ran before. TRL and Liger have δ = 0.
//
// The minimiser under soft labels gives each reply the reward δ + log(p/(1−p)) for the
// probability p with which it is the chosen one of its pairs.
//
// Beta must be positive, Delta finite. It uses Chosen, Rejected, RefChosen, RefRejected and
// Weight of [Pairs].
type BCOPair struct {
	Beta  float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Delta float64
}

// Eval implements [Pairwise].
func (l BCOPair) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [JointCurved].
func (l BCOPair) Curvature(dst JointCurvature, b Pairs) error {
	return jointCurvature(l.parts(), dst, b)
}

func (l BCOPair) parts() joint[LogRatio, BCOLink] {
	return composeJoint(LogRatio{}, BCOLink{l.Delta}, l.Beta,
		positive("BCOPair.Beta", l.Beta), finiteParam("BCOPair.Delta", l.Delta))
}
