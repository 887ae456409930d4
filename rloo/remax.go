package rloo

import "fmt"

// ReMax has one baseline per group, from elsewhere: the reward of the greedy reply, or a
// value estimate V(x) of the prompt,
//
//	Aᵢ = rᵢ − Baseline[group of i]
//
// Unbiased, as long as the baseline does not depend on the samples. It needs no second
// sample and no independence within groups: groups of one and dependent draws are welcome,
// with the bias and variance that such draws have themselves.
//
// Source: Li et al. 2023 (arXiv:2310.10505).
type ReMax struct {
	Baseline []float64 // one per group
}

// Eval implements [Advantage]. A baseline that is NaN or infinite is an error. Eval panics
// if there is not one per group.
func (a ReMax) Eval(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scan(dst, reward, g)
	if err != nil {
		return s, err
	}
	if len(a.Baseline) != s.Groups {
		panic("rloo: not one ReMax.Baseline for each group")
	}
	if _, _, err := extent("ReMax.Baseline", a.Baseline, 0); err != nil {
		return Signal{}, err
	}
	for i, b := range a.Baseline {
		lo, hi := g.Group(i)
		for j := lo; j < hi; j++ {
			dst[j] = reward[j] - b
			if !isFinite(dst[j]) {
				return Signal{}, fmt.Errorf("rloo: reward[%d] − ReMax.Baseline[%d] overflows", j, i)
			}
		}
	}
	return s, nil
}
