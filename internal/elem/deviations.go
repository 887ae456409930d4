package elem

// Deviations stores scale·(r − mean r) in dst for each k > 0 elements of r. dst may be r, and is as long: a multiple of k.
//
// Sums are of differences to the first element of a group: a large common offset cancels before it can swallow
// digits, and equal elements give exactly 0. Groups of eight elements and more are added up in eight lanes.
func Deviations(dst, r []float64, k int, scale float64) {
	dst = dst[:len(r)]
	for g := deviations(dst, r, k, scale); g < len(r); g += k {
		group, out := r[g:g+k], dst[g:g+k]
		first := group[0]
		mean := sumDifferences(group, first) / float64(k)
		for i, v := range group {
			out[i] = (v - first - mean) * scale
		}
	}
}

// sumDifferences returns Σ (v − first).
func sumDifferences(group []float64, first float64) float64 {
	if len(group) < lanes {
		sum := 0.0
		for _, v := range group {
			sum += v - first
		}
		return sum
	}
	var sums [lanes]float64
	for ; len(group) >= lanes; group = group[lanes:] {
		for j, v := range group[:lanes] {
			sums[j] += v - first
		}
	}
	for j, v := range group {
		sums[j] += v - first
	}
	return fold(&sums)
}
