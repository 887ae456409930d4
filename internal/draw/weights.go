package draw

// Weights returns the index that u ∈ [0, 1) selects by inversion from weights w ≥ 0
// that need not be normalised; total is their sum, added up from the first to the last.
// An index of weight 0 is never returned, and a sliver that rounding leaves below total
// belongs to the last index of positive weight. −1 means that all weights are 0.
func Weights(w []float64, total, u float64) int {
	target, sum := u*total, 0.0
	for i, x := range w {
		if sum += x; sum > target {
			return i
		}
	}
	for i := len(w) - 1; i >= 0; i-- {
		if w[i] > 0 {
			return i
		}
	}
	return -1
}
