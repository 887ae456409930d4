package loss

// SPPO is Self-Play Preference Optimization on given pairs; train.SPPO draws K replies, has them
// judged and takes [SPPOKWise]. Its loss is
//
//	(ℓ(y⁺) − (P − ½)/β)² + (ℓ(y⁻) + (P − ½)/β)²
//
// with P the probability that y⁺ beats y⁻, Win of [Pairs]; where that is nil, P = 1 (Wu et al.
// 2024, arXiv:2405.00675, equation 4.7, where P is estimated against the policy; its hard
// form is what TRL has). The minimiser of a reply in several pairs is the mean of its
// targets, the multiplicative-weights step ℓ = (P(y ≻ π) − ½)/β up to the normaliser.
//
// Beta must be positive; 1e-3 in the paper, where it is 1/η. Implicit rewards are the
// log-ratios, without a factor, as for [IPO]. It uses Chosen, Rejected, RefChosen,
// RefRejected, Win and Weight of [Pairs].
type SPPO struct {
	Beta float64 // β = 1/η, an inverse step size: win rate per nat of log-ratio
}

// Eval implements [Pairwise].
func (l SPPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [JointCurved]: 2 on the diagonal.
func (l SPPO) Curvature(dst JointCurvature, b Pairs) error {
	dst.check(len(b.Chosen))
	if _, err := l.Eval(PairsOut{}, b); err != nil { // it has the same errors
		return err
	}
	for i := range b.Chosen {
		w := 2.0
		if b.Weight != nil {
			w *= b.Weight[i]
		}
		dst.Chosen[i], dst.Rejected[i], dst.Mixed[i] = w, w, 0
	}
	return nil
}

func (l SPPO) parts() engine[LogRatio, LogRatio, onTargets] {
	var err error
	if !(l.Beta > 0) || !isFinite(l.Beta) || !isFinite(1/(2*l.Beta)) {
		err = &ParamError{"SPPO.Beta", l.Beta, "positive and finite, and so must 1/(2·Beta) be"}
	}
	return engine[LogRatio, LogRatio, onTargets]{link: onTargets{l.Beta}, beta: 1, reads: readsWeight | readsWin, err: err}
}

// onTargets is the linker of SPPO.
type onTargets struct{ beta float64 }

func (onTargets) Check() error { return nil }

func (l onTargets) run(w *scratch, b Pairs, _ float64, lo, m int) error {
	target := 1 / (2 * l.beta)
	for i, c := range w.chosen[:m] {
		t := target
		if b.Win != nil {
			t = (b.Win[lo+i] - 0.5) / l.beta
		}
		u, v := c-t, w.rejected[i]+t
		w.value[i] = u*u + v*v
		w.gChosen[i], w.gRejected[i] = 2*u, 2*v
	}
	return nil
}

func (onTargets) growth(float64) float64 { return 0 }
