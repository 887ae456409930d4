package elem

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/internal/oracle"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// atEachLevel runs a test with each set of instructions that this machine has.
func atEachLevel(t *testing.T, f func(t *testing.T)) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	for _, l := range cpu.Levels() {
		cpu.Best = l
		t.Run(l.String(), f)
	}
}

// arguments are hard ones, and random ones on all scales.
func arguments(rng *rand.Rand, n int) []float64 {
	z := []float64{0, math.Copysign(0, -1), 5e-324, -5e-324, 1e-300, -1e-17, 1e-8, math.Ln2 / 2, -math.Ln2 / 2,
		math.Nextafter(math.Ln2/2, 1), 0.8813735870195429, 0.881373587019543, -0.8813735870195432, 1, -1, 20, -36.7, 37.5, 300, -300,
		707.9999, Far, -Far}
	for len(z) < n {
		z = append(z, rng.NormFloat64(), 40*rng.NormFloat64(), (2*rng.Float64()-1)*Far, math.Ldexp(rng.NormFloat64(), -rng.IntN(1000)))
	}
	return z[:n]
}

// Value and slope against 1,400 bits: the error is a few units in the last place of the
// sum of the absolute terms.
func TestSmoothedAccuracy(t *testing.T) {
	z := arguments(rand.New(rand.NewPCG(1, 1)), 300)
	value, slope := make([]float64, len(z)), make([]float64, len(z))
	one := oracle.New(1)
	type exact struct{ minus, plus, miss float64 }
	want := make([]exact, len(z))
	for i, x := range z {
		e := oracle.Exp(oracle.New(x))
		e1 := new(big.Float).SetPrec(oracle.Bits).Add(e, one)
		plus := oracle.Log(e1) // −log σ(−z)
		want[i] = exact{
			minus: oracle.Round(new(big.Float).SetPrec(oracle.Bits).Sub(plus, oracle.New(x))),
			plus:  oracle.Round(plus),
			miss:  oracle.Round(new(big.Float).SetPrec(oracle.Bits).Quo(one, e1)),
		}
	}
	atEachLevel(t, func(t *testing.T) {
		for _, eps := range []float64{0, 0.1, 0.49} {
			Smoothed(value, slope, z, eps)
			for i, w := range want {
				v := (1-eps)*w.minus + eps*w.plus
				assert.LessOrEqual(t, math.Abs(value[i]-v), 8e-16*v, "value at %v, ε %v", z[i], eps)
				assert.LessOrEqual(t, math.Abs(slope[i]-(eps-w.miss)), 8e-16*w.miss+1.2e-16*eps, "slope at %v, ε %v", z[i], eps)
			}
		}
	})
}

// Exp against 1,400 bits, at the argument that is rounded once.
func TestExpAccuracy(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	x := append(arguments(rng, 200), -708.5, -745, -1e9, -inf)
	dst := make([]float64, len(x))
	atEachLevel(t, func(t *testing.T) {
		for _, c := range []struct{ a, b float64 }{{1, 0}, {-1, 0}, {0.3, 300}, {0, 1}} {
			Exp(dst, x, c.a, c.b)
			for i, v := range x {
				switch y := math.FMA(c.a, v, -c.b); {
				case y < -Far:
					assert.Zero(t, dst[i])
				case y <= Far:
					want := oracle.Round(oracle.Exp(oracle.New(y)))
					assert.LessOrEqual(t, math.Abs(dst[i]-want), 4e-16*want, "exp(%v)", y)
				}
			}
		}
	})
}

func TestExpSameBits(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(7, 7))
	for n := range 101 {
		x := arguments(rng, n)
		a, b := rng.NormFloat64(), 100*rng.Float64()
		var want []uint64
		for _, l := range cpu.Levels() {
			cpu.Best = l
			dst, intact := guarded(n, rng.IntN(9))
			copy(dst, x)
			Exp(dst, dst, a, b)
			require.True(t, intact())
			if l == cpu.Go {
				want = bits(dst)
			}
			require.Equal(t, want, bits(dst), "%v, n = %d", l, n)
		}
	}
}

// Beyond what is regular the scalar functions stand in.
func TestSmoothedFar(t *testing.T) {
	z := []float64{709, -709, 745, -745.2, 1e4, -1e4, 1e308, -1e308, inf, -inf, nan, 0.5}
	value, slope := make([]float64, len(z)), make([]float64, len(z))
	atEachLevel(t, func(t *testing.T) {
		Smoothed(value, slope, z, 0)
		for i, x := range z[:10] {
			assert.Equal(t, num.Softplus(-x), value[i])
			assert.Equal(t, -num.Sigmoid(-x), slope[i])
		}
		assert.True(t, math.IsNaN(value[10]) && math.IsNaN(slope[10]))
		assert.InEpsilon(t, math.Log1p(math.Exp(-0.5)), value[11], 1e-15)

		Smoothed(value, slope, z, 0.25)
		for i, x := range z[:10] {
			assert.Equal(t, 0.75*num.Softplus(-x)+0.25*num.Softplus(x), value[i])
			assert.Equal(t, 0.25-num.Sigmoid(-x), slope[i])
		}
		assert.Equal(t, inf, value[8])
		assert.Equal(t, inf, value[9])
		assert.True(t, math.IsNaN(value[10]) && math.IsNaN(slope[10]))
	})
}

// guarded returns n numbers at the given offset in an array whose other numbers are a mark, and
// a function that checks that they still are.
func guarded(n, offset int) (x []float64, intact func() bool) {
	const mark = 12345.678
	all := make([]float64, offset+n+24)
	for i := range all {
		all[i] = mark
	}
	return all[offset : offset+n : offset+n], func() bool {
		for i, v := range all {
			if (i < offset || i >= offset+n) && v != mark {
				return false
			}
		}
		return true
	}
}

func bits(x []float64) []uint64 {
	b := make([]uint64, len(x))
	for i, v := range x {
		b[i] = math.Float64bits(v)
	}
	return b
}

// All levels give the same bits, at every length and alignment, wherever an argument that is not regular stands,
// in place or not, and write nowhere else.
func TestSmoothedSameBits(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(2, 2))
	strange := []float64{nan, inf, -inf, 709, -1e4, 5e-324}
	for n := range 101 {
		offset := rng.IntN(9)
		z := arguments(rng, n)
		rng.Shuffle(n, func(i, j int) { z[i], z[j] = z[j], z[i] })
		if n > 0 && n%2 == 0 {
			z[rng.IntN(n)] = strange[rng.IntN(len(strange))]
		}
		eps := []float64{0, 0.1}[rng.IntN(2)]
		var wantValue, wantSlope []uint64
		for _, l := range cpu.Levels() {
			cpu.Best = l
			value, intactValue := guarded(n, offset)
			slope, intactSlope := guarded(n, rng.IntN(9))
			if n%3 == 0 {
				copy(slope, z)
				Smoothed(value, slope, slope, eps)
			} else {
				Smoothed(value, slope, z, eps)
			}
			require.True(t, intactValue() && intactSlope())
			if l == cpu.Go {
				wantValue, wantSlope = bits(value), bits(slope)
			}
			require.Equal(t, wantValue, bits(value), "%v, n = %d", l, n)
			require.Equal(t, wantSlope, bits(slope), "%v, n = %d", l, n)
		}
	}
}

// pairs makes n pairs, whose first differences of log-ratios are −1, 0, 1, 2, … times a step.
func pairs(rng *rand.Rand, n int) (p Pairs, intact func() bool) {
	var checks []func() bool
	slice := func() []float64 {
		x, check := guarded(n, rng.IntN(9))
		checks = append(checks, check)
		return x
	}
	p = Pairs{slice(), slice(), slice(), slice(), slice(), slice(), slice()}
	for i := range n {
		p.Chosen[i], p.Rejected[i] = -50+3*rng.NormFloat64(), -60+3*rng.NormFloat64()
		p.RefChosen[i], p.RefRejected[i] = -50+3*rng.NormFloat64(), -60+3*rng.NormFloat64()
		if i%5 == 1 { // a tie
			p.RefChosen[i], p.RefRejected[i] = p.Chosen[i], p.Rejected[i]
		}
	}
	return p, func() bool {
		for _, check := range checks {
			if !check() {
				return false
			}
		}
		return true
	}
}

// LogRatios is Smoothed at the margins, with the counts and the sum that a loop gives.
func TestLogRatios(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 3))
		for n := range 101 {
			p, intact := pairs(rng, n)
			beta, eps := 0.1+rng.Float64(), []float64{0, 0.2, 0.5}[n%3]
			sum, counts, ok := LogRatios(p, beta, eps)
			require.True(t, ok && intact())

			z, value, slope := make([]float64, n), make([]float64, n), make([]float64, n)
			var want Counts
			for i := range z {
				d := (p.Chosen[i] - p.RefChosen[i]) - (p.Rejected[i] - p.RefRejected[i])
				z[i] = beta * d
				if d > 0 {
					want.Correct++
				} else if d == 0 {
					want.Ties++
				}
			}
			Smoothed(value, slope, z, eps)
			for i := range slope {
				if slope[i] == 0 { // ε = ½ at a tie
					want.Flat++
				}
				require.Equal(t, beta*slope[i], p.DChosen[i])
				require.Equal(t, -beta*slope[i], p.DRejected[i])
			}
			require.Equal(t, want, counts)
			require.Equal(t, bits(value), bits(p.Value))
			require.Equal(t, Sum(value), sum)
		}
	})
}

// One infinite, NaN or far pair anywhere is noticed.
func TestLogRatiosIrregular(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 4))
		for n := 1; n <= 70; n++ {
			for _, v := range []float64{nan, inf, -inf, 1e6, -1e6} {
				p, intact := pairs(rng, n)
				[][]float64{p.Chosen, p.Rejected, p.RefChosen, p.RefRejected}[rng.IntN(4)][rng.IntN(n)] = v
				_, _, ok := LogRatios(p, 0.1, 0)
				require.True(t, !ok && intact(), "n = %d, %v", n, v)
			}
		}
	})
}

// The sum is that of eight lanes, with the same bits at each level.
func TestSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for n := range 101 {
		x, _ := guarded(n, rng.IntN(9))
		var sums [lanes]float64
		exact := oracle.New(0)
		for i := range x {
			x[i] = 10 * rng.NormFloat64()
			sums[i%lanes] += x[i]
			exact.Add(exact, oracle.New(x[i]))
		}
		want := ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
		require.InDelta(t, oracle.Round(exact), want, 1e-12)
		atEachLevel(t, func(t *testing.T) { require.Equal(t, want, Sum(x)) })
	}
}

func TestAllocs(t *testing.T) {
	p, _ := pairs(rand.New(rand.NewPCG(5, 5)), 256)
	assert.Zero(t, testing.AllocsPerRun(10, func() { LogRatios(p, 0.1, 0) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { Exp(p.Value, p.Chosen, 1, 0) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { Sum(p.Value) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { LogSumExp(p.Value) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { Softmax(p.DChosen, p.Value) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { Smoothed(p.Value, p.DChosen, p.Chosen, 0) }))
}

func FuzzSmoothed(f *testing.F) {
	f.Add(0.5, -3.0, 0.1, uint8(17))
	f.Add(708.0, nan, 0.0, uint8(40))
	f.Fuzz(func(t *testing.T, a, b, eps float64, n uint8) {
		defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
		if !(eps >= 0 && eps < 0.5) {
			t.Skip()
		}
		z := make([]float64, n)
		for i := range z {
			z[i] = a + float64(i)*b
		}
		var want [2][]uint64
		for _, l := range cpu.Levels() {
			cpu.Best = l
			value, slope := make([]float64, n), make([]float64, n)
			Smoothed(value, slope, z, eps)
			for i, x := range z {
				if x == x && (math.IsNaN(value[i]) || math.IsNaN(slope[i]) || !(value[i] >= 0)) {
					t.Fatalf("z = %v: value %v, slope %v", x, value[i], slope[i])
				}
			}
			if l == cpu.Go {
				want = [2][]uint64{bits(value), bits(slope)}
			}
			if !assert.Equal(t, want, [2][]uint64{bits(value), bits(slope)}) {
				t.Fatal(l)
			}
		}
	})
}
