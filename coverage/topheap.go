package coverage

import "slices"

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

// descending sorts the values, largest first, which ends their being a heap, and returns
// them.
func (h *topHeap) descending() []float64 {
	slices.Sort(h.values)
	slices.Reverse(h.values)
	return h.values
}
