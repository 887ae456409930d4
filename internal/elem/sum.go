package elem

// Sum adds up x in eight lanes, element i in lane i mod 8, whatever the processor.
func Sum(x []float64) float64 {
	var sums [lanes]float64
	x = x[sum(x, &sums):]
	for len(x) >= lanes {
		for j, v := range x[:lanes] {
			sums[j] += v
		}
		x = x[lanes:]
	}
	for j, v := range x {
		sums[j] += v
	}
	return fold(&sums)
}

// lanes is the number of partial sums, and of elements of a turn.
const lanes = 8

func fold(s *[lanes]float64) float64 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}
