package elem

// Matrix is a matrix of float32, row after row: element (i, j) is Data[i·Stride + j].
type Matrix struct {
	Data               []float32
	Rows, Cols, Stride int
}

const badMatrix = "elem: matrices do not fit"

// fits panics unless m has its elements.
func (m Matrix) fits(rows, cols int) {
	if m.Rows != rows || m.Cols != cols || m.Stride < cols || rows > 0 && cols > 0 && len(m.Data) < (rows-1)*m.Stride+cols {
		panic(badMatrix)
	}
}

// AddMatMul adds A·B to C: c[i, j] += a[i, 0]·b[0, j] + a[i, 1]·b[1, j] + …, added in this order and
// rounded to float32 at each step.
func AddMatMul(c, a, b Matrix) {
	a.fits(c.Rows, b.Rows)
	addMatMul(c, a, b, a.Stride, 1)
}

// AddMatTMul adds Aᵀ·B to C, as AddMatMul does.
func AddMatTMul(c, a, b Matrix) {
	a.fits(b.Rows, c.Rows)
	addMatMul(c, a, b, 1, a.Stride)
}

// addMatMul takes element (i, k) of A at i·aRow + k·aColumn.
func addMatMul(c, a, b Matrix, aRow, aColumn int) {
	c.fits(c.Rows, b.Cols)
	b.fits(b.Rows, c.Cols)
	if c.Rows == 0 || b.Rows == 0 {
		return
	}
	j := 0
	for w := tileColumns(c.Cols); w > 0; w = tileColumns(c.Cols - j) {
		for i := 0; i < c.Rows; {
			n := 4
			if c.Rows-i < 4 {
				n = 1
			}
			addTile(w, n, c.Data[i*c.Stride+j:], c.Stride, a.Data[i*aRow:], aRow, aColumn, b.Data[j:], b.Stride, b.Rows)
			i += n
		}
		j += w
	}
	for i := range c.Rows {
		out := c.Data[i*c.Stride+j : i*c.Stride+c.Cols]
		for k := range b.Rows {
			x := a.Data[i*aRow+k*aColumn]
			for l, y := range b.Data[k*b.Stride+j:][:len(out)] {
				out[l] += float32(x * y)
			}
		}
	}
}
