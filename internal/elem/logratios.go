package elem

import "math"

// Pairs is a block of preference pairs: slices of one length.
type Pairs struct {
	Chosen, Rejected, RefChosen, RefRejected []float64 // log-probabilities
	Value, DChosen, DRejected                []float64 // receive the loss and its derivatives
}

// Counts counts the pairs of a block by their difference of log-ratios, and slopes of 0.
type Counts struct{ Correct, Ties, Flat int }

// LogRatios evaluates the link at z = beta·d for d = (Chosen − RefChosen) − (Rejected − RefRejected):
//
//	Value = value(z),   DChosen = beta·slope(z),   DRejected = −beta·slope(z)
//
// and returns the sum of Value, added up as [Sum] does it. ok is false if a z is not regular, which it is
// not if a log-probability is infinite or NaN; what was stored is then unspecified.
func LogRatios(b Pairs, beta, epsilon float64) (sum float64, c Counts, ok bool) {
	n := len(b.Value)
	b.Chosen, b.Rejected, b.RefChosen, b.RefRejected = b.Chosen[:n], b.Rejected[:n], b.RefChosen[:n], b.RefRejected[:n]
	b.DChosen, b.DRejected = b.DChosen[:n], b.DRejected[:n]
	var sums [lanes]float64
	i, counts := logRatios(b, beta, epsilon, &sums)
	for ; i < n; i++ {
		d := (b.Chosen[i] - b.RefChosen[i]) - (b.Rejected[i] - b.RefRejected[i])
		z := beta * d
		a := math.Abs(z)
		if !(a <= Far) {
			return 0, Counts{}, false
		}
		value, slope := blend(z, epsilon, a)
		switch {
		case d > 0:
			counts[0]++
		case d == 0:
			counts[1]++
		}
		if slope == 0 {
			counts[2]++
		}
		sums[i%lanes] += value
		slope *= beta
		b.Value[i], b.DChosen[i], b.DRejected[i] = value, slope, -slope
	}
	return fold(&sums), Counts{counts[0], counts[1], counts[2]}, true
}
