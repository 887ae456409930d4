//go:build !purego

package elem

import (
	"unsafe"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// log does what it can of Log, in turns of eight elements: it ends before a turn with an argument that is not
// regular, or when fewer are left, and returns their number.
func log(dst, x []float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return logAVX512(unsafe.SliceData(dst), unsafe.SliceData(x), len(x))
	case cpu.AVX2:
		return logAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(x))
	}
	return 0
}

// above does what it can of Above, and returns the number of words.
func above(mask []uint64, x []float64, floor float64) int {
	words := len(x) / 64
	if words == 0 {
		return 0
	}
	switch cpu.Best {
	case cpu.AVX512:
		aboveAVX512(unsafe.SliceData(mask), unsafe.SliceData(x), 64*words, floor)
	case cpu.AVX2:
		aboveAVX2(unsafe.SliceData(mask), unsafe.SliceData(x), 64*words, floor)
	default:
		return 0
	}
	return words
}

// products is product for each of a, and reports whether it has done it.
func products(m *[together]float64, n *[together]int64, a *[together]float64, x []float64, every int) bool {
	switch cpu.Best {
	case cpu.AVX512:
		productsAVX512(m, n, a, unsafe.SliceData(x), len(x), every)
	case cpu.AVX2:
		productsAVX2(m, n, a, unsafe.SliceData(x), len(x), every)
	default:
		return false
	}
	return true
}

// shift does what it can of Shift, in turns of eight elements, and returns their number.
func shift(dst, x []float64, a, b float64) int {
	switch cpu.Best {
	case cpu.AVX512:
		return shiftAVX512(unsafe.SliceData(dst), unsafe.SliceData(x), len(x), a, b)
	case cpu.AVX2:
		return shiftAVX2(unsafe.SliceData(dst), unsafe.SliceData(x), len(x), a, b)
	}
	return 0
}
