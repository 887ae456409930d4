//go:build !purego

package vec

import "github.com/prefgrad/prefgrad/internal/cpu"

// A switch and no table of functions: the compiler sees that arguments stay on the stack.

func logSum(s *sums, b *bounds, z []float32, at *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		logSumAVX512(s, b, &z[0], len(z), at, exps)
	case cpu.Best == cpu.AVX2:
		logSumAVX2(s, b, &z[0], len(z), at, exps)
	default:
		logSumGo(s, b, z, at)
	}
}

func momentsOf(s *sums, b *bounds, z []float32, at *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		momentsAVX512(s, b, &z[0], len(z), at, exps)
	case cpu.Best == cpu.AVX2:
		momentsAVX2(s, b, &z[0], len(z), at, exps)
	default:
		momentsGo(s, b, z, at)
	}
}

func pair(s *sums, b *bounds, z, zq []float32, at, atQ *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		pairAVX512(s, b, &z[0], &zq[0], len(z), at, atQ, exps)
	case cpu.Best == cpu.AVX2:
		pairAVX2(s, b, &z[0], &zq[0], len(z), at, atQ, exps)
	default:
		pairGo(s, b, z, zq, at, atQ)
	}
}

func exponentials(e []float64, z []float32, at *Point) {
	switch {
	case len(z) == 0:
	case cpu.Best == cpu.AVX512:
		exponentialsAVX512(&e[0], &z[0], len(z), at, exps)
	case cpu.Best == cpu.AVX2:
		exponentialsAVX2(&e[0], &z[0], len(z), at, exps)
	default:
		exponentialsGo(e, z, at)
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
