//go:build !purego

package vec

import (
	"unsafe"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// A switch and no table of functions: the compiler sees that arguments stay on the stack.

func logSum(s *sums, b *bounds, z []float32, at *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		logSumAVX512(s, b, &z[0], len(z), at, table)
	case cpu.Best == cpu.AVX2:
		logSumAVX2(s, b, &z[0], len(z), at, table)
	default:
		logSumGo(s, b, z, at)
	}
}

func momentsOf(s *sums, b *bounds, z []float32, at *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		momentsAVX512(s, b, &z[0], len(z), at, table)
	case cpu.Best == cpu.AVX2:
		momentsAVX2(s, b, &z[0], len(z), at, table)
	default:
		momentsGo(s, b, z, at)
	}
}

func pair(s *sums, b *bounds, z, zq []float32, at, atQ *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		pairAVX512(s, b, &z[0], &zq[0], len(z), at, atQ, table)
	case cpu.Best == cpu.AVX2:
		pairAVX2(s, b, &z[0], &zq[0], len(z), at, atQ, table)
	default:
		pairGo(s, b, z, zq, at, atQ)
	}
}

func mix(dst, z []float32, at *Point, m *Mix) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		mixAVX512(&dst[0], &z[0], len(z), at, m, table)
	case cpu.Best == cpu.AVX2:
		mixAVX2(&dst[0], &z[0], len(z), at, m, table)
	default:
		mixGo(dst, z, at, m)
	}
}

func mixPair(dst, z, zq []float32, at, atQ *Point, m *Mix) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		mixPairAVX512(&dst[0], &z[0], &zq[0], len(z), at, atQ, m, table)
	case cpu.Best == cpu.AVX2:
		mixPairAVX2(&dst[0], &z[0], &zq[0], len(z), at, atQ, m, table)
	default:
		mixPairGo(dst, z, zq, at, atQ, m)
	}
}

func scores(dst, z []float32, s *score) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		scoresAVX512(&dst[0], &z[0], len(z), s)
	case cpu.Best == cpu.AVX2:
		scoresAVX2(&dst[0], &z[0], len(z), s)
	default:
		scoresGo(dst, z, s)
	}
}

func expSum(s *[lanes]float64, x []float64, ref float64) {
	switch {
	case len(x) == 0:
	case cpu.Best == cpu.AVX512:
		expSumAVX512(s, &x[0], len(x), ref, table)
	case cpu.Best == cpu.AVX2:
		expSumAVX2(s, &x[0], len(x), ref, table)
	default:
		expSumGo(s, x, ref)
	}
}

func exps(e, x []float64, ref float64) {
	switch {
	case len(x) == 0:
	case cpu.Best == cpu.AVX512:
		expsAVX512(&e[0], &x[0], len(x), ref, table)
	case cpu.Best == cpu.AVX2:
		expsAVX2(&e[0], &x[0], len(x), ref, table)
	default:
		expsGo(e, x, ref)
	}
}

func maxima(m *[lanes]float64, x []float64) {
	switch {
	case len(x) == 0:
	case cpu.Best == cpu.AVX512:
		maximaAVX512(m, &x[0], len(x))
	case cpu.Best == cpu.AVX2:
		maximaAVX2(m, &x[0], len(x))
	default:
		maximaGo(m, x)
	}
}

func notBelow(mask []uint64, x []float64, t float64) {
	switch {
	case len(x) == 0:
	case cpu.Best == cpu.AVX512:
		notBelowAVX512((*byte)(unsafe.Pointer(&mask[0])), &x[0], len(x), t)
	case cpu.Best == cpu.AVX2:
		notBelowAVX2((*byte)(unsafe.Pointer(&mask[0])), &x[0], len(x), t)
	default:
		notBelowGo(mask, x, t)
	}
}

func widen(dst []float64, z []float32) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		widenAVX512(&dst[0], &z[0], len(z))
	case cpu.Best == cpu.AVX2:
		widenAVX2(&dst[0], &z[0], len(z))
	default:
		widenGo(dst, z)
	}
}

func scale(dst []float64, z []float32, shift, t float64) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		scaleAVX512(&dst[0], &z[0], len(z), shift, t)
	case cpu.Best == cpu.AVX2:
		scaleAVX2(&dst[0], &z[0], len(z), shift, t)
	default:
		scaleGo(dst, z, shift, t)
	}
}

func divide(dst, x []float64, shift, t float64) {
	switch {
	case len(x) == 0:
	case cpu.Best == cpu.AVX512:
		divideAVX512(&dst[0], &x[0], len(x), shift, t)
	case cpu.Best == cpu.AVX2:
		divideAVX2(&dst[0], &x[0], len(x), shift, t)
	default:
		divideGo(dst, x, shift, t)
	}
}
