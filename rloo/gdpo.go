package rloo

import "fmt"

// GDPO standardises several rewards apart, each within its group, and adds them up:
//
//	Aᵢ = Σ_k Weight[k] · (r_kᵢ − mean r_k) / (std r_k + ε)
//
// so that a reward of small spread is not drowned by one of large spread, as it is where
// rewards are added first. It is a sum of [Standardised], biased as that is. The paper whitens
// the result over the batch: [Whitened]. It takes several rewards, so it is no [Advantage].
//
// Source: Liu et al. 2026 (arXiv:2601.05242).
type GDPO struct {
	Std
	Weight []float64 // one per reward; nil: 1 each
}

// Eval stores in dst[i] the advantage of the sample with rewards[0][i], rewards[1][i], … dst
// may not be one of them. Signal counts a group as flat if every reward is flat in it. Errors
// and panics are those of [Standardised], and a weight that is NaN or infinite is an error;
// without rewards, or without one weight for each, Eval panics.
func (a GDPO) Eval(dst []float64, rewards [][]float64, g Groups) (Signal, error) {
	if len(rewards) == 0 {
		panic("rloo: GDPO without rewards")
	}
	if a.Weight != nil && len(a.Weight) != len(rewards) {
		panic("rloo: not one GDPO.Weight for each reward")
	}
	if err := a.Std.check(); err != nil {
		return Signal{}, err
	}
	if _, _, err := extent("GDPO.Weight", a.Weight, 0); err != nil {
		return Signal{}, err
	}
	var s Signal
	for k, r := range rewards {
		t, err := scanIndependent(dst, r, g)
		if err != nil {
			if _, _, bad := extent(fmt.Sprintf("rewards[%d]", k), r, 0); bad != nil {
				err = bad
			}
			return Signal{}, err
		}
		s = t
	}
	clear(dst)
	s.Flat = 0
	for i := range s.Groups {
		lo, hi := g.Group(i)
		flat := hi-lo > 1
		for k, r := range rewards {
			weight := 1.0
			if a.Weight != nil {
				weight = a.Weight[k]
			}
			if a.Std.addTo(dst[lo:hi], r[lo:hi], weight) {
				flat = false
			}
		}
		if flat {
			s.Flat++
		}
		for j, v := range dst[lo:hi] {
			if !isFinite(v) {
				return Signal{}, fmt.Errorf("rloo: the advantage of sample %d overflows: GDPO.Weight = %v", lo+j, a.Weight)
			}
		}
	}
	return s, nil
}
