package loss

import "math"

// CalLink is −log σ(c − r) + ½·(c − t)² + ½·(r + t)² of the rewards c and r: strictly convex.
type CalLink struct{ Target float64 }

// Joint implements [JointLink].
func (l CalLink) Joint(value, dChosen, dRejected, chosen, rejected []float64) {
	inBlocks(len(chosen), func(w *linkScratch, lo, hi int) {
		for i, c := range chosen[lo:hi] {
			r := rejected[lo+i]
			w.u[i] = c - r
			if w.u[i] != w.u[i] && c == r {
				w.u[i] = math.Inf(1) // whatever it is, the squares win
			}
		}
		w.below(w.u[:hi-lo])
		for i, c := range chosen[lo:hi] {
			u, v := c-l.Target, rejected[lo+i]+l.Target
			value[lo+i] = w.lost[i] + u*u/2 + v*v/2
			dChosen[lo+i], dRejected[lo+i] = u+w.miss[i], v-w.miss[i]
		}
	})
}

// Curvature implements [CurvedJointLink].
func (l CalLink) Curvature(dst JointCurvature, chosen, rejected []float64) {
	for i, c := range chosen {
		dst.Mixed[i] = c - rejected[i]
	}
	slopes(dst.Mixed, dst.Mixed, 0, -1)
	for i, h := range dst.Mixed {
		dst.Chosen[i], dst.Rejected[i] = 1-h, 1-h
	}
}

// Check implements [JointLink].
func (l CalLink) Check() error { return finiteParam("CalLink.Target", l.Target) }

// CalDPO is calibrated DPO,
//
//	−log σ(ℓ(y⁺) − ℓ(y⁻)) + ½·(ℓ(y⁺) − 1/(2β))² + ½·(ℓ(y⁻) + 1/(2β))²
//
// which gives rewards a scale, so that the chosen one does not fall (Xiao et al. 2024,
// arXiv:2412.14516). As in the authors' code no β multiplies the margin of the first term.
// It is strictly convex in the log-ratios: the minimiser of one pair is unique, ℓ(y⁺) =
// −ℓ(y⁻) = t with t = 1/(2β) + σ(−2t).
//
// Beta must be positive. Implicit rewards are the log-ratios, without a factor. It uses
// Chosen, Rejected, RefChosen, RefRejected and Weight of [Pairs].
type CalDPO struct {
	Beta float64 // β: 1/(2β) is the target of the log-ratios, in nats
}

// Eval implements [Pairwise].
func (l CalDPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [JointCurved].
func (l CalDPO) Curvature(dst JointCurvature, b Pairs) error {
	return jointCurvature(l.parts(), dst, b)
}

func (l CalDPO) parts() joint[LogRatio, CalLink] {
	target := 1 / (2 * l.Beta)
	var err error
	if !(l.Beta > 0) || !isFinite(l.Beta) || !isFinite(target) {
		err = &ParamError{"CalDPO.Beta", l.Beta, "positive and finite, and so must 1/(2·Beta) be"}
	}
	return composeJoint(LogRatio{}, CalLink{target}, 1, err)
}
