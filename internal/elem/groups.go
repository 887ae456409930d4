package elem

// Groups returns Σ d and Σ d² over groups of k neighbours, for d = Σ (x[i] − c) over a group. The length of x is a
// multiple of k.
func Groups(x []float64, k int, c float64) (sum, squares float64) {
	var sums [2][lanes]float64
	for i := groups(x, k, c, &sums); i < len(x); i += k {
		d := group(x[i:i+k], c)
		sums[0][i%lanes] += d
		sums[1][i%lanes] += float64(d * d)
	}
	return fold(&sums[0]), fold(&sums[1])
}

// group returns Σ (x[i] − c), of neighbours first where the kernels do so.
func group(x []float64, c float64) float64 {
	switch len(x) {
	case 1:
		return x[0] - c
	case 2:
		return (x[0] - c) + (x[1] - c)
	case 4:
		return ((x[0] - c) + (x[1] - c)) + ((x[2] - c) + (x[3] - c))
	}
	var s [lanes]float64
	for len(x) >= lanes {
		for j, v := range x[:lanes] {
			s[j] += v - c
		}
		x = x[lanes:]
	}
	for j, v := range x {
		s[j] += v - c
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}
