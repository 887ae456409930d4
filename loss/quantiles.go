package loss

import (
	"fmt"
	"slices"
	"sync"
)

// ranked is a number and its place in the batch.
type ranked struct {
	v float64
	i int
}

// quantiles compares two sets of numbers, above and below, quantile by quantile: the optimal
// transport between them on the line. The workspaces live in a pool.
type quantiles struct {
	above, below []ranked
	pieces       []piece
	z, value     []float64 // of each piece
	s, ds        []float64 // for a score
}

// piece is a stretch of quantiles at which above has the number of element up, and below that
// of element down. The masses of the pieces of one element of above add up to 1.
type piece struct {
	up, down int
	mass     float64
}

var quantilesPool = sync.Pool{New: func() any { return new(quantiles) }}

// match sorts both sides and stores pieces and their margins beta·(above − below). Equal
// numbers keep the order of the batch. Two infinities without a difference are an error; field
// and other name the two sides.
func (q *quantiles) match(beta float64, field, other string) error {
	slices.SortFunc(q.above, ranked.compare)
	slices.SortFunc(q.below, ranked.compare)
	n, m := len(q.above), len(q.below)
	q.pieces, q.z = slices.Grow(q.pieces[:0], n+m), slices.Grow(q.z[:0], n+m)
	// In units of 1/(n·m) of all mass, an element of above has m and one of below has n.
	left, right := m, n
	for i, j := 0, 0; i < n; {
		u, v := q.above[i], q.below[j]
		d := u.v - v.v
		if d != d {
			return &InputError{field, u.i, u.v, fmt.Sprintf("of its quantile, and so is %s[%d] = %v: they have no difference", other, v.i, v.v)}
		}
		units := min(left, right)
		q.pieces = append(q.pieces, piece{u.i, v.i, float64(units) / float64(m)})
		q.z = append(q.z, beta*d)
		if left -= units; left == 0 {
			left = m
			i++
		}
		if right -= units; right == 0 {
			right = n
			j++
		}
	}
	q.value = resize(q.value, len(q.z))
	return nil
}

// evaluate replaces margins by slopes, stores the values, and counts. Of the elements of
// above, those are correct that exceed all that they are matched with.
func (q *quantiles) evaluate(link Smoothed) Total {
	t := Total{Count: len(q.above)}
	for p := 0; p < len(q.pieces); {
		i, low := q.pieces[p].up, q.z[p]
		for ; p < len(q.pieces) && q.pieces[p].up == i; p++ {
			low = min(low, q.z[p])
		}
		if low > 0 {
			t.Correct++
		} else if low == 0 {
			t.Ties++
		}
	}
	link.Link(q.value, q.z, q.z)
	for p, c := range q.pieces {
		q.value[p] *= c.mass
		q.z[p] *= c.mass
		if q.z[p] == 0 {
			t.Flat++
		}
		t.Sum += q.value[p]
	}
	return t
}

func (a ranked) compare(b ranked) int {
	switch {
	case a.v < b.v:
		return -1
	case a.v > b.v:
		return 1
	}
	return a.i - b.i
}

// resize returns s with length n; its contents are unspecified.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
