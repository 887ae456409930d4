package sampler

import (
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/vec"
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

	score, weight []float64 // what is left for boundary
}

// edge is boundary for scores that are spread over many values: it first distributes the items
// evenly by value, and leaves to boundary the bucket in which the mass is reached. No finite
// score may be below least; −Inf is allowed.
func (s *selection) edge(score, mass []float64, least, target float64) (t, above float64) {
	lo, hi := least, vec.Max(score)
	if math.IsInf(lo, -1) {
		lo = hi
		for _, x := range score {
			if x > math.Inf(-1) {
				lo = min(lo, x)
			}
		}
	}
	scale := float64(len(s.count)-1) / (hi - lo)
	if len(score) < 1<<digit/8 || !(scale > 0 && scale <= math.MaxFloat64) {
		return s.boundary(score, mass, target, 0)
	}
	clear(s.mass[:])
	clear(s.count[:])
	for i, x := range score {
		if x > math.Inf(-1) {
			b := even(x, lo, scale)
			s.count[b]++
			if mass != nil {
				s.mass[b] += mass[i]
			}
		}
	}
	b, above := s.reached(target, 0, mass == nil)
	s.score, s.weight = s.score[:0], s.weight[:0]
	for i, x := range score {
		if x > math.Inf(-1) && even(x, lo, scale) == b {
			s.score = append(s.score, x)
			if mass != nil {
				s.weight = append(s.weight, mass[i])
			}
		}
	}
	if mass == nil {
		return s.boundary(s.score, nil, target, above)
	}
	return s.boundary(s.score, s.weight, target, above)
}

// even returns the bucket of x among those of the same width from lo on: the bucket of a larger
// number is no lower.
func even(x, lo, scale float64) int { return min(int((x-lo)*scale), 1<<digit-1) }

// reached returns the bucket in which the mass from above reaches target, or the lowest one,
// and the mass above it; before lies above all buckets.
func (s *selection) reached(target, before float64, counting bool) (b int, above float64) {
	b, above = -1, before
	for c := len(s.count) - 1; c >= 0; c-- {
		if s.count[c] == 0 {
			continue
		}
		if b >= 0 {
			above += s.sum(b, counting)
		}
		if b = c; above+s.sum(b, counting) >= target {
			break
		}
	}
	return b, above
}

// boundary returns the largest t such that the items of a score of at least t have a mass
// of at least target, or the lowest score if all together fall short, and the mass of
// those above t. Items of score −Inf do not count. Without any it returns −Inf. mass
// nil: each item has mass 1. before is the mass of items that
// lie above all of these.
func (s *selection) boundary(score, mass []float64, target, before float64) (t, above float64) {
	above = before
	s.ids = slices.Grow(s.ids[:0], len(score))
	for i, x := range score {
		if x > math.Inf(-1) {
			s.ids = append(s.ids, int32(i))
		}
	}
	if len(s.ids) == 0 {
		return math.Inf(-1), above
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
		var b int
		b, above = s.reached(target, above, mass == nil)
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
