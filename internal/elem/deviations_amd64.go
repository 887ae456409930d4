//go:build !purego

package elem

import (
	"unsafe"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// deviations is Deviations for groups of four, and for those that are whole turns of eight elements. It returns the number
// of elements that it has done.
func deviations(dst, r []float64, k int, scale float64) int {
	d, p, n := unsafe.SliceData(dst), unsafe.SliceData(r), len(r)
	wide := cpu.Best == cpu.AVX512
	switch {
	case cpu.Best == cpu.Go || n == 0:
		return 0
	case k == 4 && wide:
		return fourDeviationsAVX512(d, p, n, scale)
	case k == 4:
		return fourDeviationsAVX2(d, p, n, scale)
	case k%lanes != 0:
		return 0
	case wide:
		deviationsAVX512(d, p, n, k, float64(k), scale)
	default:
		deviationsAVX2(d, p, n, k, float64(k), scale)
	}
	return n
}
