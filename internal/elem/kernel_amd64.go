//go:build !purego

package elem

import (
	"unsafe"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

//go:generate go run -C ../gen ./elem -pkg elem -out ../elem/elem_amd64.s -stubs ../elem/elem_amd64.go

// exp does what it can of Exp, in turns of eight elements, and returns their number.
func exp(dst, x []float64, a, b float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return expAVX512(unsafe.SliceData(dst), unsafe.SliceData(x), len(x), a, b)
	case cpu.AVX2:
		return expAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(x), a, b)
	}
	return 0
}

// sum adds whole turns of eight elements to sums and returns their number.
func sum(x []float64, sums *[lanes]float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return sumAVX512(unsafe.SliceData(x), len(x), sums)
	case cpu.AVX2:
		return sumAVX2(unsafe.SliceData(x), len(x), sums)
	}
	return 0
}

// regular does what it can of Smoothed, in turns of eight elements: it ends before a turn
// with an argument that is not regular, or when fewer are left, and returns their number.
func regular(value, slope, z []float64, epsilon float64) int {
	v, s, p := unsafe.SliceData(value), unsafe.SliceData(slope), unsafe.SliceData(z)
	switch cpu.Best {
	case cpu.AVX512:
		return regularAVX512(v, s, p, len(z), epsilon)
	case cpu.AVX2:
		return regularAVX2(v, s, p, len(z), epsilon)
	}
	return 0
}

// logRatios does what it can of LogRatios, in turns of eight pairs, and returns their number.
func logRatios(b Pairs, beta, epsilon float64, sums *[lanes]float64) (n int, counts [3]int) {
	v, dc, dr := unsafe.SliceData(b.Value), unsafe.SliceData(b.DChosen), unsafe.SliceData(b.DRejected)
	c, r, rc, rr := unsafe.SliceData(b.Chosen), unsafe.SliceData(b.Rejected), unsafe.SliceData(b.RefChosen), unsafe.SliceData(b.RefRejected)
	switch cpu.Best {
	case cpu.AVX512:
		n = logRatiosAVX512(v, dc, dr, c, r, rc, rr, len(b.Value), beta, epsilon, sums, &counts)
	case cpu.AVX2:
		n = logRatiosAVX2(v, dc, dr, c, r, rc, rr, len(b.Value), beta, epsilon, sums, &counts)
	}
	return n, counts
}

// largest returns the largest of the elements of x, whose length is a positive multiple of 8. ok is false if
// it did not look, or if one is NaN.
func largest(x []float64) (m float64, ok bool) {
	unordered := 1
	switch cpu.Best {
	case cpu.AVX512:
		m, unordered = largestAVX512(unsafe.SliceData(x), len(x))
	case cpu.AVX2:
		m, unordered = largestAVX2(unsafe.SliceData(x), len(x))
	}
	return m, unordered == 0
}

// dots stores the products of four rows of x, d elements apart, with theta, whose length is a multiple of
// 8, and reports whether it has.
func dots[T Float](dst *[4]float64, x []T, d int, theta []float64) bool {
	if cpu.Best == cpu.Go || len(theta) == 0 {
		return false
	}
	wide := cpu.Best == cpu.AVX512
	t, n := unsafe.SliceData(theta), len(theta)
	switch x := any(unsafe.SliceData(x)).(type) {
	case *float64:
		if wide {
			dots64AVX512(dst, x, d, t, n)
		} else {
			dots64AVX2(dst, x, d, t, n)
		}
	case *float32:
		if wide {
			dots32AVX512(dst, x, d, t, n)
		} else {
			dots32AVX2(dst, x, d, t, n)
		}
	}
	return true
}

// addRows adds four rows with their weights to grad, whose length is a multiple of 8, and reports whether it has.
func addRows[T Float](grad []float64, x0, x1, x2, x3 *T, w *[4]float64) bool {
	if cpu.Best == cpu.Go || len(grad) == 0 {
		return false
	}
	wide := cpu.Best == cpu.AVX512
	g, n := unsafe.SliceData(grad), len(grad)
	switch x0 := any(x0).(type) {
	case *float64:
		x1, x2, x3 := any(x1).(*float64), any(x2).(*float64), any(x3).(*float64)
		if wide {
			addRows64AVX512(g, x0, x1, x2, x3, w, n)
		} else {
			addRows64AVX2(g, x0, x1, x2, x3, w, n)
		}
	case *float32:
		x1, x2, x3 := any(x1).(*float32), any(x2).(*float32), any(x3).(*float32)
		if wide {
			addRows32AVX512(g, x0, x1, x2, x3, w, n)
		} else {
			addRows32AVX2(g, x0, x1, x2, x3, w, n)
		}
	}
	return true
}

// addRow is addRows for one row.
func addRow[T Float](grad []float64, x *T, w *float64) bool {
	if cpu.Best == cpu.Go || len(grad) == 0 {
		return false
	}
	wide := cpu.Best == cpu.AVX512
	g, n := unsafe.SliceData(grad), len(grad)
	switch x := any(x).(type) {
	case *float64:
		if wide {
			addRow64AVX512(g, x, w, n)
		} else {
			addRow64AVX2(g, x, w, n)
		}
	case *float32:
		if wide {
			addRow32AVX512(g, x, w, n)
		} else {
			addRow32AVX2(g, x, w, n)
		}
	}
	return true
}

// tileColumns is the largest number of columns, at most n, that addTile takes at a time, 0 if there is none.
func tileColumns(n int) int {
	switch {
	case cpu.Best == cpu.AVX512 && n >= 32:
		return 32
	case cpu.Best != cpu.Go && n >= 16:
		return 16
	}
	return 0
}

// addTile adds the product of A, with 4 rows or 1, and of columns of B to C, for n columns of A.
func addTile(columns, rows int, c []float32, cStride int, a []float32, aRow, aColumn int, b []float32, bStride, n int) {
	C, A, B := unsafe.SliceData(c), unsafe.SliceData(a), unsafe.SliceData(b)
	switch wide := columns == 32; {
	case wide && rows == 4:
		tile4AVX512(C, cStride, A, aRow, aColumn, B, bStride, n)
	case wide:
		tile1AVX512(C, cStride, A, aRow, aColumn, B, bStride, n)
	case rows == 4:
		tile4AVX2(C, cStride, A, aRow, aColumn, B, bStride, n)
	default:
		tile1AVX2(C, cStride, A, aRow, aColumn, B, bStride, n)
	}
}
