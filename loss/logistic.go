package loss

import (
	"sync"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// sides is what logistic links are made of, at a block of arguments z: both tails, neither by subtraction.
type sides struct {
	lost, won [block]float64 // −log σ(z), −log σ(−z)
	miss, hit [block]float64 // −σ(−z), −σ(z)
}

// of evaluates at z.
func (s *sides) of(z []float64) {
	m := len(z)
	s.below(z)
	elem.Affine(s.hit[:m], z, -1, 0)
	elem.Smoothed(s.won[:m], s.hit[:m], s.hit[:m], 0)
}

// below evaluates lost and miss alone.
func (s *sides) below(z []float64) { elem.Smoothed(s.lost[:len(z)], s.miss[:len(z)], z, 0) }

// slope is σ(z)·σ(−z) of element i, the derivative of σ and the curvature of the logistic link.
func (s *sides) slope(i int) float64 { return s.miss[i] * s.hit[i] }

// linkScratch is for links that are evaluated block by block.
type linkScratch struct {
	sides
	other sides          // of another argument
	u, v  [block]float64 // arguments
}

var linkPool = sync.Pool{New: func() any { return new(linkScratch) }}

// inBlocks calls f for one block of n elements after the other.
func inBlocks(n int, f func(w *linkScratch, lo, hi int)) {
	w := linkPool.Get().(*linkScratch)
	defer linkPool.Put(w)
	for lo := 0; lo < n; lo += block {
		f(w, lo, min(lo+block, n))
	}
}

// slopes stores a·σ(x−shift)·σ(−(x−shift)) in dst, which may be x.
func slopes(dst, x []float64, shift, a float64) {
	inBlocks(len(x), func(w *linkScratch, lo, hi int) {
		elem.Affine(w.u[:hi-lo], x[lo:hi], 1, shift)
		w.of(w.u[:hi-lo])
		for i := range hi - lo {
			dst[lo+i] = a * w.slope(i)
		}
	})
}
