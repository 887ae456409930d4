package coverage

import (
	"math"
	"slices"
)

// topHeap keeps the largest of the numbers that it is given: a heap, smallest first.
type topHeap struct {
	capacity int
	values   []float64
}

func (h *topHeap) reset(capacity int) {
	h.capacity = capacity
	h.values = slices.Grow(h.values[:0], capacity)
}

func (h *topHeap) push(v float64) {
	switch {
	case len(h.values) < h.capacity:
		h.values = append(h.values, v)
		for i := len(h.values) - 1; i > 0; {
			parent := (i - 1) / 2
			if h.values[parent] <= v {
				break
			}
			h.values[i], h.values[parent] = h.values[parent], v
			i = parent
		}
	case v > h.values[0]:
		h.values[0] = v
		for i := 0; ; {
			child := 2*i + 1
			if child+1 < len(h.values) && h.values[child+1] < h.values[child] {
				child++
			}
			if child >= len(h.values) || h.values[child] >= v {
				break
			}
			h.values[i], h.values[child] = h.values[child], v
			i = child
		}
	}
}

// kth returns the k-th largest of every stride-th number of x, −Inf if there are fewer.
func (h *topHeap) kth(x []float64, stride, k int) float64 {
	h.reset(k)
	for i := 0; i < len(x); i += stride {
		h.push(x[i])
	}
	if len(h.values) < k || k == 0 {
		return math.Inf(-1)
	}
	return h.values[0]
}

// descending sorts the values, largest first, which ends their being a heap, and returns
// them.
func (h *topHeap) descending() []float64 {
	slices.Sort(h.values)
	slices.Reverse(h.values)
	return h.values
}
