package rloo

import "errors"

// Groups says which consecutive samples belong to one prompt; sampler.Groups is what is left of
// samples where an answer is missing. The zero value fits an empty batch only.
type Groups struct {
	K     int   // > 0: each group has K samples, and Begin is not used
	Begin []int // else group g is samples Begin[g] … Begin[g+1]−1: ragged groups, as policy.Tokens writes offsets

	// Dependent says that the draws of a group depend on each other, as those without
	// replacement and stratified ones do. Whatever forms a baseline from other samples then
	// refuses the batch with [ErrDependent].
	Dependent bool
}

// ErrDependent refuses dependent draws: a baseline formed from the other samples of a
// group is then no longer independent of the sample, and biases the gradient.
var ErrDependent = errors.New("rloo: a baseline from other samples needs independent draws")

// Len returns the number of groups of n samples.
func (g Groups) Len(n int) int {
	if g.K > 0 {
		return n / g.K
	}
	return max(0, len(g.Begin)-1)
}

// Group returns the range of samples that group i holds.
func (g Groups) Group(i int) (lo, hi int) {
	if g.K > 0 {
		return i * g.K, (i + 1) * g.K
	}
	return g.Begin[i], g.Begin[i+1]
}

// check panics unless the groups divide n samples.
func (g Groups) check(n int) {
	if g.K > 0 {
		if n%g.K != 0 {
			panic("rloo: Groups.K does not divide the number of samples")
		}
		return
	}
	if g.K < 0 {
		panic("rloo: Groups.K < 0")
	}
	if len(g.Begin) == 0 && n == 0 {
		return
	}
	if len(g.Begin) == 0 || g.Begin[0] != 0 || g.Begin[len(g.Begin)-1] != n {
		panic("rloo: Groups.Begin does not span the samples")
	}
	for i, b := range g.Begin[1:] {
		if b < g.Begin[i] {
			panic("rloo: Groups.Begin decreases")
		}
	}
}
