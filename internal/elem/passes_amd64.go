//go:build !purego

package elem

import (
	"unsafe"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// These do what they can of the functions of passes.go, in turns of eight elements, and return their number.

func differences(dst, x, y []float64) (n int, finite bool) {
	infinite := 0
	d, a, b := unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y)
	switch cpu.Best {
	case cpu.AVX512:
		n, infinite = differencesAVX512(d, a, b, len(dst))
	case cpu.AVX2:
		n, infinite = differencesAVX2(d, a, b, len(dst))
	}
	return n, infinite == 0
}

func affine(dst, x []float64, a, b float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return affineAVX512(unsafe.SliceData(dst), unsafe.SliceData(x), len(x), a, b)
	case cpu.AVX2:
		return affineAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(x), a, b)
	}
	return 0
}

func scaledProducts(dst, g, d []float64, a float64) (n int, ordered bool) {
	unordered := 0
	to, x, y := unsafe.SliceData(dst), unsafe.SliceData(g), unsafe.SliceData(d)
	switch cpu.Best {
	case cpu.AVX512:
		n, unordered = scaledProductsAVX512(to, x, y, len(dst), a)
	case cpu.AVX2:
		n, unordered = scaledProductsAVX2(to, x, y, len(dst), a)
	}
	return n, unordered == 0
}

func weigh(x, w []float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return weighAVX512(unsafe.SliceData(x), unsafe.SliceData(w), len(x))
	case cpu.AVX2:
		return weighAVX2(unsafe.SliceData(x), unsafe.SliceData(w), len(x))
	}
	return 0
}

func tally(d, g, h []float64) (n int, counts [3]int) {
	a, b, c := unsafe.SliceData(d), unsafe.SliceData(g), unsafe.SliceData(h)
	switch cpu.Best {
	case cpu.AVX512:
		n, counts[0], counts[1], counts[2] = tallyAVX512(a, b, c, len(d))
	case cpu.AVX2:
		n, counts[0], counts[1], counts[2] = tallyAVX2(a, b, c, len(d))
	}
	return n, counts
}

func excess(dst, x, e []float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return excessAVX512(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(e), len(dst))
	case cpu.AVX2:
		return excessAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(e), len(dst))
	}
	return 0
}

// extent is for a length that is a positive multiple of 8. ok is false if it did not look.
func extent(x []float64) (least, most float64, finite, ok bool) {
	infinite := 0
	switch cpu.Best {
	case cpu.AVX512:
		least, most, infinite = extentAVX512(unsafe.SliceData(x), len(x))
	case cpu.AVX2:
		least, most, infinite = extentAVX2(unsafe.SliceData(x), len(x))
	default:
		return 0, 0, false, false
	}
	return least, most, infinite == 0, true
}
