//go:build !purego

package elem

import (
	"unsafe"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// sub does what it can of Sub, in turns of eight elements, and returns their number.
func sub(dst, x, y []float64, l *extremes) int {
	d, p, q := unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y)
	switch cpu.Best {
	case cpu.AVX512:
		return subAVX512(d, p, q, len(x), &l.lo, &l.hi, &l.sum)
	case cpu.AVX2:
		return subAVX2(d, p, q, len(x), &l.lo, &l.hi, &l.sum)
	}
	return 0
}

// powers does what it can of Powers, in turns of eight elements, and returns their number.
func powers(x []float64, a, b float64, sums *powerLanes) int {
	switch cpu.Best {
	case cpu.AVX512:
		return powersAVX512(unsafe.SliceData(x), len(x), a, b, (*[3][lanes]float64)(sums))
	case cpu.AVX2:
		return powersAVX2(unsafe.SliceData(x), len(x), a, b, (*[3][lanes]float64)(sums))
	}
	return 0
}

// subPowers does what it can of SubPowers, in turns of eight elements, and returns their number.
func subPowers(dst, x, y []float64, a, b float64, sums *powerLanes, l *extremes) int {
	d, p, q, s := unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(y), (*[3][lanes]float64)(sums)
	switch cpu.Best {
	case cpu.AVX512:
		return subPowersAVX512(d, p, q, len(x), a, b, s, &l.lo, &l.hi, &l.sum)
	case cpu.AVX2:
		return subPowersAVX2(d, p, q, len(x), a, b, s, &l.lo, &l.hi, &l.sum)
	}
	return 0
}

// weighBins does what it can of Bins.Weigh, in turns of eight elements, and returns their number.
func weighBins(entry []int, w, x []float64, g *grid) int {
	e, o, p := unsafe.SliceData(entry), unsafe.SliceData(w), unsafe.SliceData(x)
	switch cpu.Best {
	case cpu.AVX512:
		return weighBinsAVX512(e, o, p, len(x), &g.lo)
	case cpu.AVX2:
		return weighBinsAVX2(e, o, p, len(x), &g.lo)
	}
	return 0
}

// place does what it can of Place, in turns of eight elements, and returns their number.
func place(entry []int, over, x []float64, g *grid) int {
	e, o, p := unsafe.SliceData(entry), unsafe.SliceData(over), unsafe.SliceData(x)
	switch cpu.Best {
	case cpu.AVX512:
		return placeAVX512(e, o, p, len(x), &g.lo)
	case cpu.AVX2:
		return placeAVX2(e, o, p, len(x), &g.lo)
	}
	return 0
}

// scatter does what it can of Scatter, four elements at a time, and returns their number. Every entry is that of a row.
func scatter(table []Row, entry []int, w []float64) int {
	if cpu.Best == cpu.Go {
		return 0
	}
	return scatterAVX2((*float64)(unsafe.Pointer(unsafe.SliceData(table))), unsafe.SliceData(entry), unsafe.SliceData(w), len(w))
}

// groups does what it can of Groups, in turns of eight elements, and returns their number. Sums are in the first lane
// of each group.
func groups(x []float64, k int, c float64, sums *[2][lanes]float64) int {
	if k > lanes || k&(k-1) != 0 || cpu.Best == cpu.Go {
		return 0
	}
	p, n := unsafe.SliceData(x), 0
	switch wide := cpu.Best == cpu.AVX512; {
	case wide && k == 1:
		n = groups1AVX512(p, len(x), c, sums)
	case wide && k == 2:
		n = groups2AVX512(p, len(x), c, sums)
	case wide && k == 4:
		n = groups4AVX512(p, len(x), c, sums)
	case wide:
		n = groups8AVX512(p, len(x), c, sums)
	case k == 1:
		n = groups1AVX2(p, len(x), c, sums)
	case k == 2:
		n = groups2AVX2(p, len(x), c, sums)
	case k == 4:
		n = groups4AVX2(p, len(x), c, sums)
	default:
		n = groups8AVX2(p, len(x), c, sums)
	}
	for j := range lanes {
		if j%k != 0 {
			sums[0][j], sums[1][j] = 0, 0
		}
	}
	return n
}
