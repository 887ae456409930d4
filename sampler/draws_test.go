package sampler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

var inf32 = float32(math.Inf(-1))

// chiSquare compares counts with expected numbers, at four standard deviations.
func chiSquare(t *testing.T, want map[string]float64, counts map[string]float64, n float64) {
	t.Helper()
	chi2, freedom, seen := 0.0, -1.0, 0.0
	for name, p := range want {
		require.Greater(t, n*p, 5.0, name)
		chi2 += (counts[name] - n*p) * (counts[name] - n*p) / (n * p)
		freedom++
		seen += counts[name]
	}
	assert.Equal(t, n, seen, "only what is possible was drawn")
	assert.InDelta(t, freedom, chi2, 4*math.Sqrt(2*freedom))
}

// used returns how many numbers were taken from a stream that began as PCG(seed, 0).
func used(t *testing.T, g *rand.PCG, seed uint64) int {
	t.Helper()
	fresh := rand.NewPCG(seed, 0)
	for n := range 1000 {
		if *fresh == *g {
			return n
		}
		fresh.Uint64()
	}
	require.Fail(t, "more than 1000 numbers, or another stream")
	return -1
}

func TestSingleDraws(t *testing.T) {
	z := []float32{0.3, inf32, 1.5, -0.7, 2, -5}
	ts := []sampler.Transform{sampler.Temperature(1.3), sampler.TopK(4)}
	var row sampler.Row
	require.NoError(t, row.Set(z, nil, ts...))
	want := map[string]float64{}
	for _, id := range []int32{0, 2, 3, 4} {
		want[fmt.Sprint(id)] = math.Exp(row.Token(id).LogProb)
	}
	for name, c := range map[string]struct {
		draw  func(*rand.PCG) sampler.Token
		calls int
	}{"inversion": {row.Draw, 1}, "Gumbel-max": {row.GumbelMax, 4}} {
		t.Run(name, func(t *testing.T) {
			const n = 10000
			g := rand.NewPCG(11, 0)
			counts := map[string]float64{}
			for range n {
				x := c.draw(g)
				require.Equal(t, row.Token(x.ID), x)
				counts[fmt.Sprint(x.ID)]++
			}
			chiSquare(t, want, counts, n)
			g = rand.NewPCG(12, 0)
			c.draw(g)
			assert.Equal(t, c.calls, used(t, g, 12), "numbers for one draw")
		})
	}
}

// The ordered sample has the probabilities of drawing without replacement, one after the
// other, and says so.
func TestGumbelTopK(t *testing.T) {
	const n, k = 15000, 3
	z := []float32{1, inf32, 0, 0.5, -0.8}
	var row sampler.Row
	require.NoError(t, row.Set(z, nil))
	p := softmax(z, 1)
	want := map[string]float64{}
	var extend func(y []int, left, prob float64)
	extend = func(y []int, left, prob float64) {
		if len(y) == k {
			want[fmt.Sprint(y)] = prob
			return
		}
	next:
		for v, x := range p {
			for _, u := range y {
				if u == v {
					continue next
				}
			}
			if x > 0 {
				extend(append(y[:len(y):len(y)], v), left-x, prob*x/left)
			}
		}
	}
	extend(nil, 1, 1)
	require.Len(t, want, 4*3*2)
	g, dst, counts := rand.NewPCG(1, 0), make([]sampler.Token, k), map[string]float64{}
	estimate := 0.0 // of Σ_v μ(v)·v
	for range n {
		got, err := row.GumbelTopK(dst, g)
		require.NoError(t, err)
		require.Equal(t, sampler.Distinct, got.Joint)
		var ids []int
		for _, x := range got.Tokens {
			ids = append(ids, int(x.ID))
			require.Equal(t, row.Token(x.ID), x)
			estimate += float64(x.ID) * math.Exp(x.LogProb) / -math.Expm1(-math.Exp(x.LogProb-got.Threshold)) / n
		}
		counts[fmt.Sprint(ids)]++
		require.InDelta(t, math.Log(want[fmt.Sprint(ids)]), got.LogProb, 1e-13)
	}
	chiSquare(t, want, counts, n)
	mean := 0.0
	for v, x := range p {
		mean += float64(v) * x
	}
	// The standard deviation of one estimate is below 2.5 here.
	assert.InDelta(t, mean, estimate, 4*2.5/math.Sqrt(n))

	// One number for each token left; the first token is that of Gumbel-max.
	a, b := rand.NewPCG(9, 0), rand.NewPCG(9, 0)
	got, err := row.GumbelTopK(dst, a)
	require.NoError(t, err)
	assert.Equal(t, row.GumbelMax(b), got.Tokens[0])
	assert.Equal(t, 4, used(t, a, 9))

	all, err := row.GumbelTopK(make([]sampler.Token, 4), a)
	require.NoError(t, err)
	assert.Equal(t, math.Inf(-1), all.Threshold, "no token is left over")
	_, err = row.GumbelTopK(make([]sampler.Token, 5), a)
	assert.EqualError(t, err, "sampler: 5 distinct draws from 4 tokens")
	assert.Panics(t, func() { _, _ = row.GumbelTopK(nil, a) })
}

// What is left after the first token underflows, its conditional probabilities do not.
func TestGumbelTopKFarApart(t *testing.T) {
	var row sampler.Row
	require.NoError(t, row.Set([]float32{0, -1000, -2000, -1001}, nil))
	got, err := row.GumbelTopK(make([]sampler.Token, 2), rand.NewPCG(1, 0))
	require.NoError(t, err)
	require.EqualValues(t, 0, got.Tokens[0].ID)
	second := map[int32]float64{1: -math.Log1p(math.Exp(-1)), 3: -1 - math.Log1p(math.Exp(-1))}
	require.Contains(t, second, got.Tokens[1].ID)
	assert.InDelta(t, second[got.Tokens[1].ID], got.LogProb, 1e-12)
}

func TestStratified(t *testing.T) {
	const k, n = 7, 4000
	z := []float32{0.4, inf32, 1.1, -2, 0.9, inf32}
	var row sampler.Row
	require.NoError(t, row.Set(z, nil))
	p := softmax(z, 1)
	g, dst, total := rand.NewPCG(2, 0), make([]sampler.Token, k), make([]float64, len(z))
	for range n {
		got := row.Stratified(dst, g)
		require.Equal(t, sampler.Stratified, got.Joint)
		count := make([]float64, len(z))
		for j, x := range got.Tokens {
			count[x.ID]++
			require.Equal(t, row.Token(x.ID), x)
			require.True(t, j == 0 || got.Tokens[j-1].ID <= x.ID)
		}
		for v, c := range count {
			require.Less(t, math.Abs(c-k*p[v]), 2.0)
			total[v] += c
		}
	}
	for v := range total {
		// The variance of a count is at most ½: only two parts are shared with others.
		assert.InDelta(t, k*p[v], total[v]/n, 4*math.Sqrt(0.5/n)+1e-15)
	}
	g = rand.NewPCG(5, 0)
	row.Stratified(dst, g)
	assert.Equal(t, k, used(t, g, 5))
	// With one part it is a draw by inversion.
	a, b := rand.NewPCG(3, 0), rand.NewPCG(3, 0)
	for range 100 {
		assert.Equal(t, row.Draw(a), row.Stratified(dst[:1], b).Tokens[0])
	}
	assert.Panics(t, func() { row.Stratified(nil, g) })
}

// A leave-one-out baseline refuses draws that are not independent.
func TestLeaveOneOutRefusesDependentDraws(t *testing.T) {
	reward, dst := []float64{1, 2, 6}, make([]float64, 3)
	for j, independent := range map[sampler.Joint]bool{sampler.Independent: true, sampler.Distinct: false, sampler.Stratified: false} {
		clear(dst)
		err := j.LeaveOneOut(dst, reward, 3)
		assert.Equal(t, independent, j.Independent())
		assert.Equal(t, rloo.Groups{K: 3, Dependent: !independent}, j.Groups(3))
		_, refused := rloo.RLOO{}.Eval(make([]float64, 3), reward, j.Groups(3))
		assert.Equal(t, err, refused)
		if independent {
			require.NoError(t, err)
			assert.Equal(t, []float64{-3, -1.5, 4.5}, dst)
		} else {
			assert.ErrorIs(t, err, sampler.ErrDependent)
			assert.Equal(t, []float64{0, 0, 0}, dst)
		}
	}
	assert.Equal(t, "independent distinct stratified unknown",
		fmt.Sprint(sampler.Independent, " ", sampler.Distinct, " ", sampler.Stratified, " ", sampler.Joint(9)))
}

// Nothing is allocated once the memory is there.
func TestRowAllocatesNothing(t *testing.T) {
	z := make([]float32, 3000)
	uneven(z, nil, nil)
	ts := []sampler.Transform{sampler.RepetitionPenalty(1.1), sampler.Allow{1, 2, 3, 5, 8, 13}, sampler.Ban{5},
		sampler.Temperature(0.7), sampler.TopK(50), sampler.TopP(0.95), sampler.MinP(0.01), sampler.Typical(0.9)}
	history, dst, g := []int32{1, 2, 3}, make([]sampler.Token, 2), rand.NewPCG(1, 1)
	var row sampler.Row
	for _, chain := range [][]sampler.Transform{ts, {sampler.Greedy{}}, nil} {
		assert.Zero(t, testing.AllocsPerRun(10, func() {
			if err := row.Set(z, history, chain...); err != nil {
				panic(err)
			}
			row.Draw(g)
			row.GumbelMax(g)
			row.Stratified(dst, g)
			if row.Left() >= len(dst) {
				if _, err := row.GumbelTopK(dst, g); err != nil {
					panic(err)
				}
			}
		}))
	}
}
