package vec

import (
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// use makes kernels of a level run, and returns what makes those of the best one run again.
func use(level cpu.Level) (restore func()) {
	best := cpu.Best
	cpu.Best = level
	return func() { cpu.Best = best }
}

// results are what all kernels make of two rows.
type results struct {
	rowAt, pairAt, pairAtQ Point
	row, pair              Sums
	justE                  float64
	rowOK, pairOK          bool
	score, mix, mixPair    []float32
}

func compute(z, zq []float32, inv float64, level cpu.Level) (r results) {
	defer use(level)()
	r.rowAt, r.row, r.rowOK = Row(z, inv, Moments)
	if _, s, ok := Row(z, inv, JustE); ok {
		r.justE = s.E
	}
	r.pairAt, r.pairAtQ, r.pair, r.pairOK = Pair(z, zq, inv)
	if r.rowOK {
		r.score, r.mix = make([]float32, len(z)), make([]float32, len(z))
		m := Mix{E: 0.3 / r.row.E, D: -0.2 / r.row.E, E2: 1.5 / r.row.E}
		m.Row(r.mix, z, &r.rowAt)
		Score(r.score, z, inv, 1.7, r.rowAt.Ref*inv+math.Log(r.row.E))
	}
	if r.pairOK {
		m := Mix{E: 0.3 / r.pair.E, D: -0.2 / r.pair.E, E2: 1.5 / r.pair.E, Diff: 0.6 / r.pair.E, Q: 2 / r.pair.Q}
		r.mixPair = make([]float32, len(z))
		m.Pair(r.mixPair, z, zq, &r.pairAt, &r.pairAtQ)
	}
	return r
}

// equal asserts that two levels agree to the bit, in Score up to rounding and the smallest numbers.
func equal(t *testing.T, want, got results, inv float64) {
	t.Helper()
	a, b := want.score, got.score
	want.score, got.score = nil, nil
	if !want.rowOK { // nothing else is said
		require.False(t, got.rowOK)
		want.row, got.row, want.rowAt, got.rowAt = Sums{}, Sums{}, Point{}, Point{}
	}
	if !want.pairOK {
		require.False(t, got.pairOK)
		want.pair, got.pair, want.pairAt, got.pairAt, want.pairAtQ, got.pairAtQ = Sums{}, Sums{}, Point{}, Point{}, Point{}, Point{}
	}
	require.Equal(t, want, got)
	for v, x := range a {
		require.InDelta(t, x, b[v], 2e-7*math.Abs(float64(x))+1.7*inv*0x1p-125, "score %d", v)
	}
}

// rows returns two rows of a kind, at an odd alignment.
func rows(g *rand.Rand, n, kind int) (z, zq []float32) {
	room := make([]float32, 2*n+5)
	z, zq = room[1:n+1:n+1], room[n+4:2*n+4:2*n+4]
	inf := float32(math.Inf(1))
	for v := range z {
		z[v], zq[v] = float32(3*g.NormFloat64()), float32(3*g.NormFloat64())
		switch kind {
		case 1: // excluded tokens
			if g.IntN(3) > 0 {
				z[v], zq[v] = -inf, -inf
			}
		case 2: // excluded by one
			if g.IntN(4) == 0 {
				zq[v] = -inf
			}
		case 3: // the largest late
			z[v] += float32(v) * 9
		case 4: // far apart
			z[v] *= 1000
		case 5: // tiny and zero
			z[v] = float32(g.NormFloat64()) * 1e-44
			zq[v] = float32(math.Copysign(0, g.Float64()-0.5))
		case 6: // far from zero
			z[v] += 5000
			zq[v] -= 3000
		case 7: // anything
			z[v] = math.Float32frombits(g.Uint32())
		case 8: // all equal
			z[v], zq[v] = 2, 2
		case 9: // nothing
			z[v] = -inf
		}
	}
	if kind == 10 && n > 0 {
		z[g.IntN(n)] = float32(math.NaN())
	}
	if kind == 11 && n > 0 {
		z[g.IntN(n)] = inf
	}
	if kind == 12 && n > 0 {
		zq[g.IntN(n)] = math.Float32frombits(0x7f800001) // a NaN that is not quiet
	}
	return z, zq
}

func TestLevelsAgree(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 0))
	for n := range 101 {
		for kind := range 13 {
			inv := []float64{1, 1 / 0.7, 0.01, 50}[(n+kind)%4]
			z, zq := rows(g, n, kind)
			want := compute(z, zq, inv, cpu.Go)
			for _, level := range cpu.Levels()[1:] {
				equal(t, want, compute(z, zq, inv, level), inv)
			}
		}
	}
}

func FuzzLevels(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), 1.0)
	f.Add(make([]byte, 400), 0.5)
	f.Fuzz(func(t *testing.T, data []byte, inv float64) {
		if !(inv > 0) || math.IsInf(inv, 0) {
			return
		}
		n := len(data) / 8
		z := make([]float32, 2*n)
		for i := range z {
			b := data[4*i:]
			z[i] = math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
		}
		want := compute(z[:n], z[n:], inv, cpu.Go)
		x := widened(z)
		ref := min(max(Max(x), -math.MaxFloat64), math.MaxFloat64)
		want64 := compute64(z, x, ref, cpu.Go)
		for _, level := range cpu.Levels()[1:] {
			equal(t, want, compute(z[:n], z[n:], inv, level), inv)
			require.Equal(t, want64, compute64(z, x, ref, level))
		}
	})
}

// The generator gives virtual registers any of 32: AVX2 has but 16 of them.
func TestAVX2TakesNoRegistersOfAVX512(t *testing.T) {
	text, err := os.ReadFile("vec_amd64.s")
	require.NoError(t, err)
	found := 0
	for _, f := range strings.Split(string(text), "TEXT ·")[1:] {
		name, body, _ := strings.Cut(f, "(SB)")
		if strings.HasSuffix(name, "AVX2") {
			found++
			assert.NotRegexp(t, regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`), body, name)
		}
	}
	assert.Equal(t, 13, found)
}
