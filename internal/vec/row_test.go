package vec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// Every level against sums in 60 digits.
func TestSumsAgainstOracle(t *testing.T) {
	g := rand.New(rand.NewPCG(2, 0))
	for _, level := range cpu.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			defer use(level)()
			for _, n := range []int{1, 16, 41} {
				for _, kind := range []int{0, 1, 3, 4, 5, 6, 8} {
					for _, inv := range []float64{1, 1 / 0.7, 0.3} {
						z, zq := rows(g, n, kind)
						z[0], zq[0] = 1, 2 // something is possible
						at, s, ok := Row(z, inv, Moments)
						if kind == 4 && inv == 1/0.7 && !ok {
							continue // wider than a row may be, for some of these
						}
						require.True(t, ok, "kind %d of %d", kind, n)
						o := newOracle(z, nil, at, at)
						reach := 1 + math.Abs(float64(s.Max)-at.Ref)*inv // rounding grows with the exponent
						assert.Less(t, off(o.e, s.E), 1e-14*reach)
						assert.Less(t, off(o.ee, s.EE), 2e-14*reach)
						just, sE, ok := Row(z, inv, JustE)
						require.True(t, ok)
						require.Equal(t, at, just)
						assert.Less(t, off(o.e, sE.E), 1.5e-14*reach)
						e, _ := o.e.Float64()
						want, _ := o.ed.Float64()
						assert.InDelta(t, want, s.ED, 1e-14*e*reach*reach/inv)
						logZ := logOf(o.e) + at.Ref*inv
						score := make([]float32, n)
						Score(score, z, inv, -2.5, logZ)
						for v, x := range z {
							d := new(big.Float).Sub(newBig(float64(x)*inv), newBig(logZ))
							if math.IsInf(float64(x), -1) {
								require.Zero(t, score[v])
								continue
							}
							p, _ := bigExp(d).Float64()
							want := 2.5 * inv * p
							tol := 2e-7*want + 3e-38
							require.InDelta(t, want, score[v], tol*max(1, math.Abs(logZ)/1e3), "p = %v", p)
						}
						m := Mix{E: 0.7 / s.E, D: -0.1 / s.E, E2: 1.3 / s.EE}
						m.Row(score, z, &at)
						for v, x := range z {
							want, size := m.of(float64(x), math.Inf(-1), at, at)
							require.InDelta(t, want, score[v], 1e-7*size, "x = %v", x)
						}
						at, atQ, s, ok := Pair(z, zq, inv)
						if !ok {
							require.Contains(t, []int{1, 3, 4, 6}, kind)
							continue
						}
						m = Mix{E: 0.7 / s.E, D: -0.1 / s.E, E2: 1.3 / s.EE, Diff: 0.2 / s.E, Q: -0.9 / s.Q}
						m.Pair(score, z, zq, &at, &atQ)
						for v, x := range z {
							want, size := m.of(float64(x), float64(zq[v]), at, atQ)
							require.InDelta(t, want, score[v], 1e-7*size, "x = %v", x)
						}
						o = newOracle(z, zq, at, atQ)
						q, _ := o.q.Float64()
						assert.Less(t, off(o.q, s.Q), 1e-12)
						kl, _ := o.eDiff.Float64()
						reverse, _ := o.qDiff.Float64()
						assert.InDelta(t, kl, s.EDiff, 1e-12*max(e, math.Abs(kl)))
						assert.InDelta(t, reverse, s.QDiff, 1e-12*max(q, math.Abs(reverse)))
					}
				}
			}
		})
	}
}

// However far from zero a row lies, its sums depend on the distances alone.
func TestSumFarFromZero(t *testing.T) {
	g := rand.New(rand.NewPCG(6, 0))
	for _, level := range cpu.Levels() {
		defer use(level)()
		for _, far := range []float32{1e4, -1e5, 3e6, -4e7} {
			for _, inv := range []float64{1, 1 / 0.7, 0.013} {
				z, _ := rows(g, 77, 0)
				for v := range z {
					z[v] = far + 4*z[v]
				}
				at, s, ok := Row(z, inv, JustE)
				require.True(t, ok)
				reach := 1 + math.Abs(float64(s.Max)-at.Ref)*inv
				assert.Less(t, off(newOracle(z, nil, at, at).e, s.E), 1.5e-14*reach, "%v at %v", far, inv)
			}
		}
	}
}

// of is the derivative as it is defined, and the sum of its terms without their signs, down to
// the least that float32 can hold.
func (m *Mix) of(x, xq float64, at, atQ Point) (sum, size float64) {
	add := func(c, f float64) {
		if f != 0 { // 0·∞ is 0
			sum += c * f
			size += math.Abs(c * f)
		}
	}
	d, dq := x-at.Ref, xq-atQ.Ref
	e, eq := math.Exp(d*at.Inv), math.Exp(dq*atQ.Inv)
	add(m.Q, eq)
	if e > 0 {
		add(m.E, e)
		add(m.D*d, e)
		add(m.E2*e, e)
		if m.Diff != 0 {
			add(m.Diff*(d-dq), e)
		}
	}
	return sum, size + 0x1p-126
}

// logOf returns the logarithm of a number that float64 can hold.
func logOf(x *big.Float) float64 {
	f, _ := x.Float64()
	return math.Log(f)
}

// Rows that are no distributions, or too wide, are refused by every kernel.
func TestRefused(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, level := range cpu.Levels() {
		defer use(level)()
		for _, n := range []int{1, 16, 40} {
			for at := range n {
				good := make([]float32, n)
				for _, bad := range []float32{nan, math.Float32frombits(0xff800001), inf} {
					z := make([]float32, n)
					z[at] = bad
					_, _, ok := Row(z, 1, JustE)
					assert.False(t, ok)
					_, _, _, ok = Pair(z, good, 1)
					assert.False(t, ok)
					_, _, _, ok = Pair(good, z, 1)
					assert.False(t, ok)
				}
				z := make([]float32, n)
				z[at] = -inf
				_, _, _, ok := Pair(good, z, 1)
				assert.False(t, ok, "KL(p‖q) is +Inf")
				_, _, ok = Row(z, 1, JustE)
				assert.Equal(t, n > 1, ok)
			}
		}
		for name, z := range map[string][]float32{
			"empty": nil, "nothing but −Inf": {-inf, -inf}, "floats too far apart": {1e20, 1e20}, "overflow": {math.MaxFloat32, 0},
		} {
			_, _, ok := Row(z, 1, JustE)
			assert.False(t, ok, name)
		}
		for _, inv := range []float64{1e-310, 1e-36, 1e300} {
			_, _, ok := Row([]float32{1, 2}, inv, JustE)
			assert.False(t, ok, "inv %v", inv)
		}
	}
}

// The reference point is a guess, which a later logit may prove wrong.
func TestLateMaximum(t *testing.T) {
	for _, level := range cpu.Levels() {
		defer use(level)()
		z := make([]float32, 100)
		for i := range z {
			z[i] = -1000
		}
		z[77] = 250
		at, s, ok := Row(z, 1, Moments)
		require.True(t, ok)
		assert.Equal(t, 250.0, at.Ref)
		assert.InDelta(t, 1, s.E, 1e-15)
		assert.Equal(t, float32(250), s.Max)
		for i := range 40 {
			z[i] = float32(math.Inf(-1))
		}
		at, s, ok = Row(z, 1, Moments)
		require.True(t, ok)
		assert.Equal(t, 250.0, at.Ref)
		assert.InDelta(t, 1, s.E, 1e-15)
	}
}

func TestScoreOfAnySize(t *testing.T) {
	for _, level := range cpu.Levels() {
		defer use(level)()
		for _, w := range []float64{1e-300, 1e-40, 1e-20, 1, -1e20, 1e40, 1e300} {
			for _, inv := range []float64{1e-3, 1, 1e3} {
				z := []float32{0, float32(-3 / inv), float32(math.Inf(-1)), float32(-200 / inv)}
				logZ := math.Log1p(math.Exp(float64(z[1])*inv) + math.Exp(float64(z[3])*inv))
				Score(z, z, inv, w, logZ)
				for v, d := range []float64{0, -3, math.Inf(-1), -200} {
					want := -w * inv * math.Exp(d-logZ)
					if math.Abs(want) > math.MaxFloat32 {
						assert.True(t, math.IsInf(float64(z[v]), 0))
					} else if d > -80 {
						assert.InDelta(t, want, z[v], 4e-7*math.Abs(want)+2e-45, "%v %v", w, d)
					}
				}
				assert.Zero(t, z[2])
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 0))
	z, zq := rows(g, 1003, 0)
	for _, level := range cpu.Levels() {
		defer use(level)()
		assert.Zero(t, testing.AllocsPerRun(10, func() {
			at, _, _ := Row(z, 1, Moments)
			_, _, _ = Row(z, 1, JustE)
			_, _, _, _ = Pair(z, zq, 1)
			m := Mix{E: 1}
			m.Row(zq, z, &at)
			m.Pair(zq, z, zq, &at, &at)
			Score(zq, z, 1, 1, 5)
		}))
	}
}
