package elem

// Cell adds up weights, and counts them.
type Cell struct{ Weight, Count float64 }

// Row is the cells of one entry of a table: neighbours in a slice go to different ones, so that equal entries
// need not wait for each other.
type Row [4]Cell

// Scatter adds w[i] to cell i mod 4 of row entry[i], which the table must have.
func Scatter(table []Row, entry []int, w []float64) {
	entry = entry[:len(w)]
	for i := scatter(table, entry, w); i < len(w); i++ {
		c := &table[entry[i]][i%4]
		c.Weight += w[i]
		c.Count++
	}
}

// Fold returns the sum of the cells.
func (r *Row) Fold() Cell {
	return Cell{(r[0].Weight + r[2].Weight) + (r[1].Weight + r[3].Weight), (r[0].Count + r[2].Count) + (r[1].Count + r[3].Count)}
}
