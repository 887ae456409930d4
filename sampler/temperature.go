package sampler

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/vec"
)

// Temperature divides the logits by T, positive and finite: μ ∝ π^(1/T). Below 1 it
// sharpens, above 1 it flattens. 0 is an error and no request for the most probable token,
// which is [Greedy].
type Temperature float64

// Apply implements [Transform]. Where the largest quotient would overflow it first subtracts
// the largest logit, which changes no probability.
func (t Temperature) Apply(r *Row) error {
	if err := t.Check(len(r.Logits)); err != nil {
		return err
	}
	top := r.largest()
	if math.IsInf(top, 0) {
		return nil // no token is left
	}
	shift := t.shift(top)
	vec.Divide(r.Logits, r.Logits, shift, float64(t))
	r.known.summed = false
	r.known.setTop((top - shift) / float64(t))
	return nil
}

// shift returns what is subtracted from logits of which the largest is top.
func (t Temperature) shift(top float64) float64 {
	if math.IsInf(top/float64(t), 0) {
		return top
	}
	return 0
}

// Check implements [Transform].
func (t Temperature) Check(int) error {
	if v := float64(t); !(v > 0 && v*0 == 0 && 1/v*0 == 0) {
		return fmt.Errorf("Temperature is %v, must be positive and finite", v)
	}
	return nil
}

// Greedy leaves only the most probable token, of several the one with the lowest id. The
// distribution drawn from is then that one token, so its log-probability is 0.
type Greedy struct{}

// Apply implements [Transform].
func (Greedy) Apply(r *Row) error {
	best := -1
	for v, x := range r.Logits {
		if x > math.Inf(-1) && (best < 0 || x > r.Logits[best]) {
			best = v
		}
	}
	for v := range r.Logits {
		if v != best {
			r.remove(v)
		}
	}
	return nil
}

// Check implements [Transform].
func (Greedy) Check(int) error { return nil }

// remove makes a token impossible.
func (r *Row) remove(v int) { r.Logits[v] = math.Inf(-1) }
