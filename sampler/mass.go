package sampler

import (
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/vec"
)

// known is what is known of the logits of a [Row]. Transforms that keep track of it, each for
// those behind it, spare them a look at the whole vocabulary.
type known struct {
	trusted bool // nothing but such transforms changes the logits now: what is found may be kept

	topped bool
	top    float64 // the largest logit

	summed bool
	total  float64   // Σ exp(Logits[v] − top)
	blocks []float64 // the same for each vec.Block tokens

	listed bool
	left   []int32 // the tokens that can be drawn, ascending
}

// keepsTrack reports whether a transform keeps what is known up to date.
func keepsTrack(t Transform) bool {
	switch t.(type) {
	case Temperature, TopK, TopP, MinP:
		return true
	}
	return false
}

func (k *known) forget() { k.topped, k.summed, k.listed = false, false, false }

func (k *known) setTop(top float64) { k.top, k.topped = top, k.trusted }

// largest returns the largest logit, −Inf if no token is left. A NaN is not seen.
func (r *Row) largest() float64 {
	if !r.known.topped {
		r.known.setTop(vec.Max(r.Logits))
	}
	return r.known.top
}

// weigh brings top, total and blocks up to date. After an error they are unspecified.
func (r *Row) weigh() error {
	k := &r.known
	if top := r.largest(); !(math.Abs(top) <= math.MaxFloat64) {
		return r.check()
	}
	if !k.summed {
		k.blocks = resize(k.blocks, vec.Blocks(len(r.Logits)))
		k.total = vec.BlockSums(k.blocks, r.Logits, k.top)
		k.summed = k.trusted
	}
	if k.total != k.total {
		return r.check()
	}
	return nil
}

// check says which logit makes a distribution impossible.
func (r *Row) check() error {
	for v, x := range r.Logits {
		if x > math.MaxFloat64 {
			return fmt.Errorf("logit %d is +Inf", v)
		} else if x != x {
			return fmt.Errorf("logit %d is NaN", v)
		}
	}
	return errors.New("all logits are -Inf")
}
