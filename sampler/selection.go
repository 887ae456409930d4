package sampler

import (
	"math"
	"slices"
)

// digit is the number of bits that selection looks at in one pass: 11 make two tables
// that fit into a first-level cache, and need at most six passes.
const digit = 11

// selection finds where a part of a total mass lies, without sorting: it distributes
// the items by the leading bits of their scores, finds the bucket in which the mass is
// reached, and goes on with the next bits of what is in there. The time is linear in
// the number of items, whatever they are.
type selection struct {
	ids   []int32
	mass  [1 << digit]float64
	count [1 << digit]int32
}

// boundary returns the largest t such that the items of a score of at least t have a mass
// of at least target, or the lowest score if all together fall short, and the mass of
// those above t. Items of score −Inf do not count. Without any it returns −Inf. mass
// nil: each item has mass 1.
func (s *selection) boundary(score, mass []float64, target float64) (t, above float64) {
	s.ids = slices.Grow(s.ids[:0], len(score))
	for i, x := range score {
		if x > math.Inf(-1) {
			s.ids = append(s.ids, int32(i))
		}
	}
	if len(s.ids) == 0 {
		return math.Inf(-1), 0
	}
	for shift := 64 - digit; ; shift = max(0, shift-digit) {
		clear(s.mass[:])
		clear(s.count[:])
		for _, i := range s.ids {
			b := bucket(score[i], shift)
			s.count[b]++
			if mass != nil {
				s.mass[b] += mass[i]
			}
		}
		b := -1
		for c := len(s.count) - 1; c >= 0; c-- {
			if s.count[c] == 0 {
				continue
			}
			if b >= 0 {
				above += s.sum(b, mass == nil)
			}
			if b = c; above+s.sum(b, mass == nil) >= target {
				break
			}
		}
		kept := s.ids[:0]
		for _, i := range s.ids {
			if bucket(score[i], shift) == b {
				kept = append(kept, i)
			}
		}
		s.ids = kept
		if shift == 0 || len(kept) == 1 {
			return score[kept[0]], above
		}
	}
}

// sum returns the mass of a bucket.
func (s *selection) sum(b int, counting bool) float64 {
	if counting {
		return float64(s.count[b])
	}
	return s.mass[b]
}

// bucket returns digit bits of x, from shift on, of a form of x that is ordered as x is.
// Adding 0 makes 0 of −0.
func bucket(x float64, shift int) int {
	bits := math.Float64bits(x + 0)
	bits ^= uint64(int64(bits)>>63) | 1<<63
	return int(bits >> shift & (1<<digit - 1))
}
