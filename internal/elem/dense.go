package elem

// Float is the type of the elements of a matrix.
type Float interface{ float32 | float64 }

// Mul stores the product of a matrix with theta in dst: row y is x[y·d : (y+1)·d] with d = len(theta). A row's sum
// is that of eight lanes, column j in lane j mod 8. Lengths must fit.
func Mul[T Float](dst []float64, x []T, theta []float64) {
	d := len(theta)
	whole := d &^ (lanes - 1)
	for y := 0; y < len(dst); {
		var sums [4][lanes]float64
		n := min(4, len(dst)-y)
		if n < 4 || !dots(&sums, x[y*d:], d, theta[:whole]) {
			for r := range n {
				row := x[(y+r)*d:][:whole]
				for j := 0; j < len(row); j += lanes {
					a, b := row[j:j+lanes], theta[j:j+lanes]
					for k := range lanes {
						sums[r][k] += float64(float64(a[k]) * b[k])
					}
				}
			}
		}
		for r := range n {
			for j, v := range x[(y+r)*d+whole : (y+r+1)*d] {
				sums[r][j] += float64(float64(v) * theta[whole+j])
			}
			dst[y+r] = fold(&sums[r])
		}
		y += n
	}
}

// AddMulT adds w[y] times row y of a matrix to grad, row after row: row y is x[y·d : (y+1)·d] with d = len(grad). Rows
// of weight 0 are not read. Lengths must fit.
func AddMulT[T Float](grad []float64, x []T, w []float64) {
	d := len(grad)
	whole := d &^ (lanes - 1)
	for y := 0; y < len(w); {
		if w[y] == 0 {
			y++
			continue
		}
		n := 1
		if four := w[y:min(y+4, len(w))]; len(four) == 4 && four[1] != 0 && four[2] != 0 && four[3] != 0 {
			n = 4
		}
		from := 0
		if n == 4 && addRows(grad[:whole], x[y*d:], d, (*[4]float64)(w[y:])) {
			from = whole
		}
		for r := range n {
			a := w[y+r]
			for j, v := range x[(y+r)*d+from : (y+r+1)*d] {
				grad[from+j] += float64(a * float64(v))
			}
		}
		y += n
	}
}
