package elem

// Float is the type of the elements of a matrix.
type Float interface{ float32 | float64 }

// Mul stores the product of a matrix with theta in dst: row y is x[y·d : (y+1)·d] with d = len(theta). A row's sum
// is that of eight lanes, column j in lane j mod 8, and then of the columns after the last whole turn of eight,
// one by one. Lengths must fit.
func Mul[T Float](dst []float64, x []T, theta []float64) {
	d := len(theta)
	whole := d &^ (lanes - 1)
	for y := 0; y < len(dst); {
		n := min(4, len(dst)-y)
		if n < 4 || !dots((*[4]float64)(dst[y:]), x[y*d:(y+4)*d], d, theta[:whole]) {
			for r := y; r < y+n; r++ {
				dst[r] = dot(x[r*d:][:whole], theta)
			}
		}
		if whole < d {
			for r := y; r < y+n; r++ {
				for j, v := range x[r*d+whole : (r+1)*d] {
					dst[r] += float64(float64(v) * theta[whole+j])
				}
			}
		}
		y += n
	}
}

// dot is the product of a row with theta, for a length that is a multiple of 8.
func dot[T Float](row []T, theta []float64) float64 {
	var sums [lanes]float64
	for j := 0; j < len(row); j += lanes {
		a, b := row[j:j+lanes], theta[j:j+lanes]
		for k := range lanes {
			sums[k] += float64(float64(a[k]) * b[k])
		}
	}
	return fold(&sums)
}

// AddMulT adds w[y] times row y of a matrix to grad, row after row: row y is x[y·d : (y+1)·d] with d = len(grad). Rows
// of weight 0 are not read. Lengths must fit.
func AddMulT[T Float](grad []float64, x []T, w []float64) {
	d := len(grad)
	if d == 0 {
		return
	}
	whole := d &^ (lanes - 1)
	var rows [4][]T // that wait for their turn, with their weights
	var weights [4]float64
	n := 0
	for y, a := range w {
		if a == 0 {
			continue
		}
		rows[n], weights[n] = x[y*d:][:d], a
		if n++; n < len(rows) {
			continue
		}
		n = 0
		from := 0
		if addRows(grad[:whole], &rows[0][0], &rows[1][0], &rows[2][0], &rows[3][0], &weights) {
			from = whole
		}
		for r, row := range rows {
			addScaled(grad, row, weights[r], from)
		}
	}
	for r, row := range rows[:n] {
		from := 0
		if addRow(grad[:whole], &row[0], &weights[r]) {
			from = whole
		}
		addScaled(grad, row, weights[r], from)
	}
}

// addScaled adds a·row to grad, from a column on.
func addScaled[T Float](grad []float64, row []T, a float64, from int) {
	grad = grad[:len(row)]
	for j := from; j < len(row); j++ {
		grad[j] += float64(a * float64(row[j]))
	}
}
