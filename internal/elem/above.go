package elem

// Above sets bit i mod 64 of mask[i/64] where x[i] is larger than floor or not a number, and clears all others of
// the words that x reaches. mask holds at least one bit for each element.
func Above(mask []uint64, x []float64, floor float64) {
	words := (len(x) + 63) / 64
	mask = mask[:words]
	for w := above(mask, x, floor); w < words; w++ {
		var word uint64
		for j, v := range x[64*w : min(64*w+64, len(x))] {
			var bit uint64
			if !(v <= floor) {
				bit = 1
			}
			word |= bit << (j & 63)
		}
		mask[w] = word
	}
}
