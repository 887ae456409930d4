package rloo

import (
	"cmp"
	"fmt"
	"slices"
)

// PassAtK is the advantage for the best of K draws, E[max(r₁ … r_K)]: for rewards 0 and 1,
// the probability that one of K passes. In a group of n ≥ K samples with rewards in descending
// order r₍₁₎ ≥ … ≥ r₍ₙ₎,
//
//	A₍ₚ₎ = (n/C(n,K)) · Σ over sets S of K samples, p in S, of (max_S r − max_{S∖p} r)
//	    = n · Σ_{q=p}^{n−1} (r₍q₎ − r₍q₊₁₎) · C(n−q, K−1)/C(n,K)
//
// With K = 0, the zero value, K is the size of the group, and only the best sample has an
// advantage, n·(r₍₁₎ − r₍₂₎). With K = 1 the baseline is not the best of no others but their
// mean: [RLOO]. Equal rewards share the place where they stand in any order.
//
// Unbiased: (1/n)·Σᵢ Aᵢ·∇ log π(yᵢ) estimates ∇ E[max of K], since max_{S∖p} is independent of
// the sample p. The factor n is what makes it the mean over samples, as for all advantages
// here; verl leaves it out. A group of one has advantage 0; any other group that is
// smaller than K is an error. Dependent draws are refused with [ErrDependent].
//
// Source: Tang et al. 2025 (arXiv:2503.19595) for K = n; Walder, Karkhanis 2025
// (arXiv:2505.15201) for n > K.
type PassAtK struct{ K int }

// Eval implements [Advantage]. A negative K is an error.
func (a PassAtK) Eval(dst, reward []float64, g Groups) (Signal, error) {
	if a.K < 0 {
		return Signal{}, fmt.Errorf("rloo: PassAtK.K = %d, must not be negative", a.K)
	}
	if a.K == 1 {
		return RLOO{}.Eval(dst, reward, g)
	}
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	work := pool.Get().(*scratch)
	defer pool.Put(work)
	for i := range s.Groups {
		lo, hi := g.Group(i)
		n, k := hi-lo, a.K
		if k == 0 {
			k = n
		}
		switch {
		case n > 1 && n < k:
			return Signal{}, fmt.Errorf("rloo: group %d has %d samples, PassAtK.K is %d", i, n, k)
		case n == 1:
			dst[lo] = 0
		case n > 1:
			work.order = rank(work.order, reward[lo:hi])
			bestOf(dst[lo:hi], work.order, k)
		}
	}
	return s, nil
}

// ranked is a reward and where it stood.
type ranked struct {
	value float64
	index int
}

// rank puts rewards in descending order, the earlier of equal ones first.
func rank(order []ranked, r []float64) []ranked {
	order = order[:0]
	for i, v := range r {
		order = append(order, ranked{v, i})
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.index, b.index))
	})
	return order
}

// bestOf stores the advantages of samples in descending order.
func bestOf(dst []float64, order []ranked, k int) {
	n := len(order)
	// The weight n·C(n−q, k−1)/C(n, k) of the step from q to q+1 is k for the first.
	weight := float64(k)
	for q := 1; q < n; q++ {
		dst[order[q-1].index] = weight * (order[q-1].value - order[q].value)
		weight *= float64(max(0, n-q-k+1)) / float64(n-q)
	}
	dst[order[n-1].index] = 0
	for q := n - 1; q > 0; q-- { // from steps to sums
		dst[order[q-1].index] += dst[order[q].index]
	}
}
