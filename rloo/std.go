package rloo

import (
	"fmt"
	"math"
)

// Std says what deviations from a mean are divided by: for n numbers with mean m,
//
//	√(Σ(r−m)²/(n−1)) + Epsilon
//
// The zero value has no ε, which is legal: equal numbers give 0 by definition, not by 0/0.
type Std struct {
	Population bool    // the denominator of the variance is n, not n−1
	Epsilon    float64 // not negative
	Inside     bool    // ε is added to the variance, under the root, not to its root
}

func (s Std) check() error {
	if !(s.Epsilon >= 0) || !isFinite(s.Epsilon) {
		return fmt.Errorf("rloo: Std.Epsilon = %v, must be finite and not negative", s.Epsilon)
	}
	return nil
}

// of returns the standard deviation of r, without ε, given what centre returns: 0 if all
// numbers are equal, or fewer than two.
func (s Std) of(r []float64, first, mean float64) float64 {
	n := len(r)
	if !s.Population {
		n--
	}
	return rootSumSquare(r, first, mean) / math.Sqrt(float64(max(1, n)))
}

// divisor adds ε to a standard deviation.
func (s Std) divisor(std float64) float64 {
	if s.Inside {
		return math.Hypot(std, math.Sqrt(s.Epsilon))
	}
	return std + s.Epsilon
}

// standardise stores (r − mean r)/divisor in dst, which may be r. Equal numbers, and fewer
// than two, give 0.
func (s Std) standardise(dst, r []float64) {
	first, mean := centre(r)
	std := s.of(r, first, mean)
	if std == 0 {
		clear(dst)
		return
	}
	by := s.divisor(std)
	for i, v := range r {
		dst[i] = (v - first - mean) / by
	}
}

// addTo adds weight times what standardise stores. It reports whether r has a spread.
func (s Std) addTo(dst, r []float64, weight float64) bool {
	first, mean := centre(r)
	std := s.of(r, first, mean)
	if std == 0 {
		return false
	}
	by := s.divisor(std)
	for i, v := range r {
		dst[i] += weight * ((v - first - mean) / by)
	}
	return true
}

// centre returns the first number of r and the mean of the differences to it: a large
// common offset cancels before it can swallow digits, and equal numbers give exactly 0.
func centre(r []float64) (first, mean float64) {
	if len(r) == 0 {
		return 0, 0
	}
	return r[0], sumDifferences(r, r[0]) / float64(len(r))
}

// sumDifferences returns Σ (v − first) from four partial sums, so that none waits for the one before.
func sumDifferences(group []float64, first float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(group) >= 4; group = group[4:] {
		s0 += group[0] - first
		s1 += group[1] - first
		s2 += group[2] - first
		s3 += group[3] - first
	}
	for _, v := range group {
		s0 += v - first
	}
	return (s0 + s2) + (s1 + s3)
}

// sumSquares returns Σ (v − first − mean)² from four partial sums, so that none waits for the one before.
func sumSquares(r []float64, first, mean float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(r) >= 4; r = r[4:] {
		e0, e1, e2, e3 := r[0]-first-mean, r[1]-first-mean, r[2]-first-mean, r[3]-first-mean
		s0 += e0 * e0
		s1 += e1 * e1
		s2 += e2 * e2
		s3 += e3 * e3
	}
	for _, v := range r {
		e := v - first - mean
		s0 += e * e
	}
	return (s0 + s2) + (s1 + s3)
}

// rootSumSquare returns √Σ(r−first−mean)², for deviations of every size.
func rootSumSquare(r []float64, first, mean float64) float64 {
	sum := sumSquares(r, first, mean)
	if 0x1p-900 < sum && sum < 0x1p900 {
		return math.Sqrt(sum)
	}
	most := 0.0 // squares that overflow or vanish: in units of the largest
	for _, v := range r {
		most = max(most, math.Abs(v-first-mean))
	}
	if most == 0 {
		return 0
	}
	sum = 0
	for _, v := range r {
		e := (v - first - mean) / most
		sum += e * e
	}
	return most * math.Sqrt(sum)
}
