package coverage

import (
	"fmt"
	"math"
	"slices"
)

// topHeap keeps the largest of the numbers that it is given: a heap, smallest first.
type topHeap struct {
	capacity int
	values   []float64
	sample   []float64
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

// fill makes h the largest of x: capacity of them, or all if there are fewer. NaN or +Inf is an
// error.
func (h *topHeap) fill(x []float64, capacity int) error {
	floor := h.floor(x, capacity)
	for {
		h.reset(capacity)
		if err := h.above(x, floor); err != nil {
			return err
		}
		switch missing := min(capacity, len(x)) - len(h.values); {
		case missing <= 0:
			return nil
		case math.IsInf(floor, -1):
			for range missing { // nothing else is left
				h.push(floor)
			}
			return nil
		}
		floor = math.Inf(-1) // it was too high
	}
}

// above pushes what is larger than floor.
func (h *topHeap) above(x []float64, floor float64) error {
	for i, v := range x {
		if v <= floor {
			continue
		}
		if math.IsNaN(v) || math.IsInf(v, 1) {
			return fmt.Errorf("coverage: logw[%d] = %v, must be a number or −Inf", i, v)
		}
		h.push(v)
		if len(h.values) == h.capacity {
			floor = max(floor, h.values[0])
		}
	}
	return nil
}

// floor guesses from a sample of x what the largest all exceed: most numbers need no more than one
// comparison then. −Inf is no guess.
func (h *topHeap) floor(x []float64, capacity int) float64 {
	m := min(len(x)/32, 4096)
	if m < 64 {
		return math.Inf(-1)
	}
	h.sample = h.sample[:0]
	for i := range m {
		h.sample = append(h.sample, x[i*len(x)/m])
	}
	slices.Sort(h.sample)
	rank := float64(capacity) / float64(len(x)) * float64(m)
	rank += 3*math.Sqrt(rank) + 3
	return h.sample[max(0, m-1-int(rank))]
}

// descending sorts the values, largest first, which ends their being a heap, and returns
// them.
func (h *topHeap) descending() []float64 {
	slices.Sort(h.values)
	slices.Reverse(h.values)
	return h.values
}
