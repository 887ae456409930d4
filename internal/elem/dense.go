package elem

import "math"

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
					dst[r] = math.FMA(float64(v), theta[whole+j], dst[r])
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
			sums[k] = math.FMA(float64(a[k]), b[k], sums[k])
		}
	}
	return fold(&sums)
}

// AddMulT adds w[y] times row y of a matrix to grad, row after row: row y is x[y·d : (y+1)·d] with d = len(grad). Rows
// of weight 0 are not read. Lengths must fit.
func AddMulT[T Float](grad []float64, x []T, w []float64) {
	d := len(grad)
	for len(w) > 0 && d > 0 {
		// Whether a weight is 0 cannot be foreseen: no branch on it.
		var rows [64]uint8
		n, k := 0, min(len(rows), len(w))
		for y, a := range w[:k] {
			rows[n&63] = uint8(y)
			b := math.Float64bits(a) << 1
			n += int((b | -b) >> 63)
		}
		addSome(grad, x, w, rows[:n])
		x, w = x[k*d:], w[k:]
	}
}

// addSome adds the given rows.
func addSome[T Float](grad []float64, x []T, w []float64, rows []uint8) {
	d := len(grad)
	whole := d &^ (lanes - 1)
	for len(rows) > 0 {
		n, from := 1, 0
		a := int(rows[0])
		if len(rows) >= 4 {
			n = 4
			i, j, b := int(rows[1]), int(rows[2]), int(rows[3])
			weights := [4]float64{w[a], w[i], w[j], w[b]}
			if addRows(grad[:whole], &x[a*d], &x[i*d], &x[j*d], &x[b*d:][:d][0], &weights) {
				from = whole
			}
		} else if addRow(grad[:whole], &x[a*d:][:d][0], &w[a]) {
			from = whole
		}
		if from < d {
			for _, y := range rows[:n] {
				addScaled(grad, x[int(y)*d:][:d], w[y], from)
			}
		}
		rows = rows[n:]
	}
}

// addScaled adds a·row to grad, from a column on.
func addScaled[T Float](grad []float64, row []T, a float64, from int) {
	grad = grad[:len(row)]
	for j := from; j < len(row); j++ {
		grad[j] = math.FMA(a, float64(row[j]), grad[j])
	}
}
