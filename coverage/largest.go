package coverage

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// largest finds the largest of many numbers, in order, and where they stand. It is a workspace.
type largest struct {
	max    float64   // of all
	index  []int     // of the candidates: all numbers above a floor, as they come
	value  []float64 // the candidates, less max
	sorted []float64 // the largest of value: largest first, the later before the earlier of equal ones
	rank   []int32   // which candidates sorted holds

	heap  topHeap // for the floor
	start []int32 // where the candidates of each bucket begin in sorted
}

// find looks for the k > 0 largest numbers of x, and returns the k-th, or the last if x is shorter, less max. The
// candidates are those that are larger, and maybe others. If all are −Inf, or there is none, max is −Inf. NaN or +Inf
// is an error.
func (l *largest) find(x []float64, k int) (kth float64, err error) {
	k = min(k, len(x))
	floor, limit := l.guess(x, k)
	if err := l.above(x, floor, limit); err != nil {
		return 0, err
	}
	if n := len(l.index); limit < len(x) && (n < k || n > limit) { // a bad guess
		floor = l.heap.kth(x, 1, k)
		if err := l.above(x, floor, len(x)); err != nil {
			return 0, err
		}
	}
	if len(l.index) == 0 { // all are equal, or there is none
		l.max = floor
	}
	if math.IsInf(l.max, -1) {
		return 0, nil
	}
	least := 0.0
	for i, v := range l.value {
		v -= l.max
		l.value[i] = v
		if v < least {
			least = v
		}
	}
	l.sort(k, least)
	if len(l.sorted) < k {
		return floor - l.max, nil
	}
	return l.sorted[k-1], nil
}

// guess returns a floor for the k largest numbers of x, and how many candidates are too many. For a short x the
// floor is the k-th number itself, which is right. For others it is that of a sample, and rather too low: most numbers need
// no more than one comparison then.
func (l *largest) guess(x []float64, k int) (floor float64, limit int) {
	if len(x) < 256 {
		return l.heap.kth(x, 1, k), len(x)
	}
	stride := len(x) / min(max(len(x)/32, 64), 4096)
	rank := float64(k) / float64(stride)
	low := int(rank+3*math.Sqrt(rank)) + 4
	return l.heap.kth(x, stride, low), min(2*low*stride, len(x)-1)
}

// above makes the numbers above floor the candidates, and stops when there are more than limit.
func (l *largest) above(x []float64, floor float64, limit int) error {
	floor = min(floor, math.MaxFloat64) // so that +Inf is above it, and all are above NaN
	top, index, value := math.Inf(-1), l.index[:0], l.value[:0]
	var mask [64]uint64
	for lo := 0; lo < len(x) && len(index) <= limit; lo += 64 * len(mask) {
		part := x[lo:min(lo+64*len(mask), len(x))]
		elem.Above(mask[:], part, floor)
		for w, word := range mask[:(len(part)+63)/64] {
			for ; word != 0; word &= word - 1 {
				j := 64*w + bits.TrailingZeros64(word)
				v := part[j]
				if !(v <= math.MaxFloat64) {
					return fmt.Errorf("coverage: logw[%d] = %v, must be a number or −Inf", lo+j, v)
				}
				if v > top {
					top = v
				}
				index, value = append(index, lo+j), append(value, v)
			}
		}
	}
	l.max, l.index, l.value = top, index, value
	return nil
}

// sort sorts the k largest candidates, given the least of all. One pass spreads them over buckets, and insertions do
// the rest. A bucket is a range of distances from the least: 32 octaves of them, as many buckets in each. So a few
// numbers far above the others, as weights have them, leave these spread over many buckets. Where they are not spread insertions
// are quadratic, but in the length of the tail, which is the root of the number of weights.
func (l *largest) sort(k int, least float64) {
	fine := max(bits.Len(uint(len(l.value)))-5, 0) // bits of the mantissa: about one bucket for each candidate
	buckets := 32 << fine
	l.start = slices.Grow(l.start[:0], buckets+1)[:buckets+1]
	clear(l.start)
	first := math.Float64bits(0-least) >> (52 - fine) // of the largest
	bucket := func(v float64) int {
		return int(min(first-math.Float64bits(v-least)>>(52-fine), uint64(buckets-1)))
	}
	for _, v := range l.value {
		l.start[bucket(v)+1]++
	}
	// Only the buckets that the k largest are in are filled.
	used := 0
	for used < buckets && int(l.start[used]) < k {
		l.start[used+1] += l.start[used]
		used++
	}
	n := int(l.start[used])
	l.sorted, l.rank = slices.Grow(l.sorted[:0], n)[:n], slices.Grow(l.rank[:0], n)[:n]
	for i, v := range slices.Backward(l.value) { // the later of equal ones first
		if b := bucket(v); b < used {
			at := l.start[b]
			l.start[b]++
			l.sorted[at], l.rank[at] = v, int32(i)
		}
	}
	for i, v := range l.sorted {
		r, j := l.rank[i], i
		for ; j > 0 && l.sorted[j-1] < v; j-- {
			l.sorted[j], l.rank[j] = l.sorted[j-1], l.rank[j-1]
		}
		l.sorted[j], l.rank[j] = v, r
	}
	l.sorted, l.rank = l.sorted[:min(k, n)], l.rank[:min(k, n)]
}
