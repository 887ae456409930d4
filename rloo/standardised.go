package rloo

import "fmt"

// Standardised is the advantage of GRPO, deviations in units of the group's spread:
//
//	Aᵢ = (rᵢ − mean r) / (std r + ε)
//
// with [Std] saying which standard deviation, and how ε enters. The zero value divides by
// that with denominator k−1 and has no ε; TRL adds 10⁻⁴ and verl 10⁻⁶ to it. A group whose
// rewards are all equal, and a group of one, have advantages 0 whatever ε is (verl gives the
// raw reward to a group of one). Dependent draws are refused with [ErrDependent].
//
// Biased: the spread depends on the sample itself. The mean of the estimate is
// E[a(y)·∇ log π(y)] with a(y) = E[A₁ | y₁ = y], no multiple of r in general. For rewards
// 0 and 1, with success probability p, it does have the direction of ∇p:
//
//	c(p)·∇p,   c(p) = E[ (m/k)·(1−m/k) / (std + ε) ] / (p·(1−p)),   m ~ Binomial(k, p)
//
// whose limit for k → ∞ and ε = 0 is 1/√(p(1−p)): it weighs prompts by that, and climbs
// E_x[2·arcsin √p(x)] instead of E_x[p(x)].
//
// Source: Shao et al. 2024 (arXiv:2402.03300), section 4.1.
type Standardised struct{ Std }

// Eval implements [Advantage]. An ε that is negative or not finite is an error.
func (a Standardised) Eval(dst, reward []float64, g Groups) (Signal, error) {
	if err := a.Std.check(); err != nil {
		return Signal{}, err
	}
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	for i := range s.Groups {
		lo, hi := g.Group(i)
		a.Std.standardise(dst[lo:hi], reward[lo:hi])
	}
	return s, nil
}

// RLOOStandardised is the leave-one-out advantage in units of the spread of the others:
//
//	Aᵢ = (rᵢ − mean_{j≠i} r) / (std_{j≠i} r + ε)
//
// Neither mean nor spread sees the sample itself, so the mean of the estimate is
//
//	c·∇ E[r],   c = E[1 / (std of k−1 rewards + ε)]
//
// the gradient of each prompt, times a positive number of its own: unlike [Standardised] it
// keeps the direction, for rewards of any kind.
//
// Where the others agree, only ε is left to divide by: advantages reach (max r − min r)/ε, and
// ε has to be chosen as the smallest spread that is to count. ε = 0, the zero value, is an
// error, and so is a group of fewer than three, whose others have no spread. All advantages
// of a constant group are 0. The time is O(k²) per group. Dependent draws are refused with
// [ErrDependent].
type RLOOStandardised struct{ Std }

// Eval implements [Advantage].
func (a RLOOStandardised) Eval(dst, reward []float64, g Groups) (Signal, error) {
	if err := a.Std.check(); err != nil {
		return Signal{}, err
	}
	if a.Epsilon == 0 {
		return Signal{}, fmt.Errorf("rloo: RLOOStandardised.Epsilon = 0, must be positive")
	}
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	work := pool.Get().(*scratch)
	defer pool.Put(work)
	for i := range s.Groups {
		lo, hi := g.Group(i)
		if lo < hi && hi-lo < 3 {
			return Signal{}, fmt.Errorf("rloo: group %d has %d samples, RLOOStandardised needs 3", i, hi-lo)
		}
		// Each sample in turn changes places with the first, so that the others are one slice.
		r := append(work.value[:0], reward[lo:hi]...)
		work.value = r
		for j := range r {
			r[0], r[j] = r[j], r[0]
			first, mean := centre(r[1:])
			by := a.Std.divisor(a.Std.of(r[1:], first, mean))
			dst[lo+j] = (r[0] - first - mean) / by
			if !isFinite(dst[lo+j]) {
				return Signal{}, fmt.Errorf("rloo: reward[%d] = %v overflows over a spread of %v", lo+j, r[0], by)
			}
			r[0], r[j] = r[j], r[0]
		}
	}
	return s, nil
}
