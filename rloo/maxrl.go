package rloo

import "fmt"

// MaxRL is the advantage for the likelihood of success instead of its probability, of rewards
// that are 0 or 1:
//
//	Aᵢ = (rᵢ − mean r) / mean r,   0 if all rewards are 0
//
// Where p is the probability of success of a prompt, the mean of the estimate is
//
//	((1 − (1−p)^{k−1})/p)·∇p = Σ_{j=1}^{k−1} (1/j)·∇(1 − (1−p)ʲ)
//
// the gradient of log p = −Σ_j (1−p)ʲ/j with its series cut after k−1 terms, so hard prompts
// count more, up to a factor k−1 over their ∇p. It is unbiased for that: k samples without the
// mean subtracted would give k terms, but what is subtracted is 0 where all fail, which costs
// the last. k = 2 is [RLOO]. The advantage of a group of one is 0. Dependent draws are refused
// with [ErrDependent].
//
// Source: Tajwar et al. 2026 (arXiv:2602.02710).
type MaxRL struct{}

// Eval implements [Advantage]. A reward other than 0 and 1 is an error.
func (MaxRL) Eval(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	for i, r := range reward {
		if r != 0 && r != 1 {
			return Signal{}, fmt.Errorf("rloo: reward[%d] = %v, must be 0 or 1", i, r)
		}
	}
	for i := range s.Groups {
		lo, hi := g.Group(i)
		passed := 0.0
		for _, r := range reward[lo:hi] {
			passed += r
		}
		k := float64(hi - lo)
		for j := lo; j < hi; j++ {
			if passed == 0 {
				dst[j] = 0
			} else {
				dst[j] = (reward[j]*k - passed) / passed
			}
		}
	}
	return s, nil
}
