package rloo

// LeaveOneOut stores the leave-one-out advantages of r in dst:
//
//	dst[i] = r[i] − (1/(k−1))·Σ_{j≠i} r[j]
//
// over groups of k consecutive elements. A constant group gives exact zeros, and a
// constant added to a group changes its advantages only by rounding of r itself. dst
// may be r. LeaveOneOut panics if k < 2, if len(r) is not a multiple of k, or if
// len(dst) ≠ len(r).
//
// Source: Kool, van Hoof, Welling 2019, "Buy 4 REINFORCE samples, get a baseline for
// free"; Ahmadian et al. 2024 (arXiv:2402.14740).
func LeaveOneOut(dst, r []float64, k int) {
	checkGroups(len(r), k)
	if len(dst) != len(r) {
		panic(badLength)
	}
	scale := float64(k) / float64(k-1)
	for g := 0; g < len(r); g += k {
		// Differences to the first element: a large common offset cancels before it
		// can swallow digits, and equal elements give exactly 0.
		first, sum := r[g], 0.0
		for _, v := range r[g : g+k] {
			sum += v - first
		}
		mean := sum / float64(k)
		for i := g; i < g+k; i++ {
			dst[i] = (r[i] - first - mean) * scale
		}
	}
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
