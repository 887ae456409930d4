package rloo

import "github.com/prefgrad/prefgrad/internal/elem"

// LeaveOneOut stores the leave-one-out advantages of r in dst:
//
//	dst[i] = r[i] − (1/(k−1))·Σ_{j≠i} r[j]
//
// over groups of k consecutive elements. A constant group gives exact zeros, and a
// constant added to a group changes its advantages only by rounding of r itself. dst
// may be r. LeaveOneOut panics if k < 2, if len(r) is not a multiple of k, or if
// len(dst) ≠ len(r). It checks no values; [RLOO] does.
//
// Source: Kool, van Hoof, Welling 2019, "Buy 4 REINFORCE samples, get a baseline for
// free"; Ahmadian et al. 2024 (arXiv:2402.14740).
func LeaveOneOut(dst, r []float64, k int) {
	checkGroups(len(r), k)
	if len(dst) != len(r) {
		panic(badLength)
	}
	elem.Deviations(dst, r, k, float64(k)/float64(k-1))
}

// RLOO is the leave-one-out baseline, which makes advantages from rewards; loss.RLOO is the
// policy-gradient loss that takes them. The advantages are
//
//	Aᵢ = rᵢ − (1/(k−1))·Σ_{j≠i} rⱼ = (k/(k−1))·(rᵢ − mean r)
//
// within each group of k: what [LeaveOneOut] is for groups of one size and rewards known to
// be finite. (1/n)·Σᵢ Aᵢ·∇ log π(yᵢ) is unbiased for the gradient of the mean reward, if all
// groups have the same size; in ragged ones the mean of each group is, for its prompt. A
// group of one has no others: its advantage is 0, which leaves its prompt out, and
// [Signal].Single counts it. Dependent draws are refused with [ErrDependent].
//
// Source: Kool, van Hoof, Welling 2019; Ahmadian et al. 2024 (arXiv:2402.14740).
type RLOO struct{}

// Eval implements [Advantage].
func (RLOO) Eval(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	if g.K > 1 {
		elem.Deviations(dst, reward, g.K, float64(g.K)/float64(g.K-1))
		return s, nil
	}
	for i := range s.Groups {
		lo, hi := g.Group(i)
		k := hi - lo
		elem.Deviations(dst[lo:hi], reward[lo:hi], k, float64(k)/float64(max(1, k-1)))
	}
	return s, nil
}

const (
	badLength = "rloo: slices of different lengths"
	badGroup  = "rloo: k < 2, or a length that is not a multiple of k"
)

func checkGroups(n, k int) {
	if k < 2 || n%k != 0 {
		panic(badGroup)
	}
}
