package rloo

import "github.com/prefgrad/prefgrad/internal/elem"

// GroupMean is the mean of the whole group, the sample's own reward included, as baseline:
//
//	Aᵢ = rᵢ − mean r
//
// Biased, by a known factor: the own reward in the baseline takes away 1/k of it, so the
// estimate has mean ((k−1)/k)·∇ E[r], where [RLOO] has ∇ E[r]. In ragged groups prompts
// with fewer samples lose more. This is the advantage of Dr. GRPO (Liu et al. 2025,
// arXiv:2503.20783). A group of one has advantage 0. Dependent draws are refused with
// [ErrDependent].
type GroupMean struct{}

// Eval implements [Advantage].
func (GroupMean) Eval(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	groupMean(dst, reward, g, s.Groups)
	return s, nil
}

func groupMean(dst, reward []float64, g Groups, groups int) {
	if g.K > 0 {
		elem.Deviations(dst, reward, g.K, 1)
		return
	}
	for i := range groups {
		lo, hi := g.Group(i)
		elem.Deviations(dst[lo:hi], reward[lo:hi], hi-lo, 1)
	}
}
