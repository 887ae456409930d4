package sampler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/sampler"
)

// applied is what transforms are by their definitions: with a sort of all tokens, and sums from the
// first to the last.
func applied(z []float32, ts ...sampler.Transform) []float64 {
	x := make([]float64, len(z))
	for v := range z {
		x[v] = float64(z[v])
	}
	for _, t := range ts {
		order := make([]int, len(x))
		for v := range x {
			order[v] = v
		}
		slices.SortStableFunc(order, func(a, b int) int { return -compare(x[a], x[b]) })
		top := x[order[0]]
		keep := func(f func(v int) bool) {
			for v := range x {
				if !f(v) {
					x[v] = math.Inf(-1)
				}
			}
		}
		switch t := t.(type) {
		case sampler.Temperature:
			for v := range x {
				x[v] /= float64(t)
			}
		case sampler.TopK:
			if int(t) < len(x) {
				least := x[order[t-1]]
				keep(func(v int) bool { return x[v] >= least })
			}
		case sampler.MinP:
			keep(func(v int) bool { return x[v] >= top+math.Log(float64(t)) })
		case sampler.TopP:
			total, mass, kept := 0.0, 0.0, map[int]bool{}
			for _, y := range x {
				total += math.Exp(y - top)
			}
			for _, v := range order {
				if mass < float64(t)*total {
					kept[v] = true
				}
				mass += math.Exp(x[v] - top)
			}
			keep(func(v int) bool { return kept[v] })
		case double:
			for v := range x {
				x[v] *= 2
			}
		}
	}
	return x
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Chains over vocabularies of several blocks, where most tokens are never looked at.
func TestChainsAgainstDefinitions(t *testing.T) {
	g := rand.New(rand.NewPCG(21, 0))
	pick := []func() sampler.Transform{
		func() sampler.Transform { return sampler.Temperature(0.3 + g.Float64()) },
		func() sampler.Transform { return sampler.TopK(1 + g.IntN(100)) },
		func() sampler.Transform { return sampler.TopK(1 + g.IntN(3000)) },
		func() sampler.Transform { return sampler.TopP(0.1 + 0.89*g.Float64()) },
		func() sampler.Transform { return sampler.TopP(1 - 1e-3*g.Float64()) },
		func() sampler.Transform { return sampler.MinP(g.Float64() * g.Float64()) },
		func() sampler.Transform { return double{} },
	}
	var row sampler.Row // reused from size to size
	for trial := range 150 {
		n := []int{2, 63, 64, 1000, 1025, 5000}[trial%6]
		spread := []float64{3, 0.5, 8, 1e-3}[g.IntN(4)]
		z := make([]float32, n)
		for v := range z {
			z[v] = float32(spread * g.NormFloat64())
			if g.IntN(20) == 0 {
				z[v] = float32(math.Inf(-1))
			}
		}
		z[g.IntN(n)] = 1
		var ts []sampler.Transform
		for range g.IntN(5) {
			ts = append(ts, pick[g.IntN(len(pick))]())
		}
		require.NoError(t, row.Set(z, nil, ts...))
		want := applied(z, ts...)
		require.Equal(t, want, row.Logits, "%v", ts)
		logp, total := make([]float64, n), 0.0
		row.LogProbs(logp)
		for _, x := range want {
			total += math.Exp(x - slices.Max(want))
		}
		for v, x := range want {
			if x > math.Inf(-1) {
				require.InDelta(t, x-slices.Max(want)-math.Log(total), logp[v], 1e-11*max(1, math.Abs(x)), "%v", ts)
			} else {
				require.Equal(t, math.Inf(-1), logp[v])
			}
		}
	}
}

// A draw inverts the distribution function, token by token in the order of the ids.
func TestDrawInvertsDistribution(t *testing.T) {
	g := rand.New(rand.NewPCG(22, 0))
	for _, n := range []int{1, 100, 1024, 5003} {
		for _, ts := range [][]sampler.Transform{nil, {sampler.Temperature(0.6)}, {sampler.TopP(0.9)}, {sampler.TopK(3)}, {sampler.Ban{0}}} {
			if n == 1 && ts != nil {
				continue
			}
			z := make([]float32, n)
			for v := range z {
				z[v] = float32(2 * g.NormFloat64())
			}
			var row sampler.Row
			require.NoError(t, row.Set(z, nil, ts...))
			logp := make([]float64, n)
			row.LogProbs(logp)
			cdf := make([]float64, n)
			draw.CDF(cdf, logp)
			src, again := rand.NewPCG(23, uint64(n)), rand.NewPCG(23, uint64(n))
			for range 300 {
				id, u := row.Draw(src).ID, draw.Uniform(again)
				below := 0.0
				if id > 0 {
					below = cdf[id-1]
				}
				require.True(t, logp[id] > math.Inf(-1))
				require.True(t, u >= below-1e-12 && u < cdf[id]+1e-12, "u = %v, token %d has [%v, %v)", u, id, below, cdf[id])
			}
			group := row.Stratified(make([]sampler.Token, 40), src).Tokens
			for j, x := range group {
				lo, hi := float64(j)/40, float64(j+1)/40
				require.True(t, cdf[x.ID] >= lo-1e-12 && (x.ID == 0 || cdf[x.ID-1] <= hi+1e-12), "part %d drew token %d", j, x.ID)
			}
		}
	}
}

// meddler changes logits between transforms of this package.
type meddler struct{ nan bool }

func (meddler) Check(int) error { return nil }

func (m meddler) Apply(r *sampler.Row) error {
	if err := sampler.TopK(2).Apply(r); err != nil {
		return err
	}
	if m.nan {
		r.Logits[1] = math.NaN()
		return nil
	}
	r.Logits[1], r.Logits[5] = 50, 49 // both had gone
	return sampler.TopP(0.9).Apply(r) // would lose one of them, were it to believe in what TopK left
}

func TestTransformsOfOthersAreNotTrusted(t *testing.T) {
	z := []float32{9, 1, 8, 2, 3, 4}
	var row sampler.Row
	require.NoError(t, row.Set(z, nil, sampler.TopP(0.99), meddler{}, sampler.MinP(0.01)))
	inf := math.Inf(-1)
	assert.Equal(t, []float64{inf, 50, inf, inf, inf, 49}, row.Logits)
	assert.InDelta(t, -math.Log1p(math.Exp(-1)), row.Token(1).LogProb, 1e-15)
	for _, last := range []sampler.Transform{sampler.TopK(1), sampler.TopP(0.5), sampler.MinP(0.5), sampler.Temperature(2), sampler.TopK(9)} {
		assert.ErrorContains(t, row.Set(z, nil, meddler{nan: true}, last), "logit 1 is NaN", "%T", last)
	}
}

// The same bits with every set of instructions, and nothing allocated.
func TestRowOnEveryLevel(t *testing.T) {
	g := rand.New(rand.NewPCG(24, 0))
	z := make([]float32, 3000)
	for v := range z {
		z[v] = float32(3 * g.NormFloat64())
	}
	chains := [][]sampler.Transform{
		nil, {sampler.Temperature(0.7)}, {sampler.Temperature(0.7), sampler.TopP(0.9)}, {sampler.TopK(50)}, {sampler.MinP(0.05)},
		{sampler.RepetitionPenalty(1.2), sampler.Temperature(0.7), sampler.TopK(40), sampler.TopP(0.9), sampler.MinP(0.01), sampler.Typical(0.9)},
		{sampler.TopP(0.999999)}, {sampler.TopK(2000)},
	}
	history := []int32{1, 5, 2999}
	best := cpu.Best
	defer func() { cpu.Best = best }()
	var want []string
	for _, level := range cpu.Levels() {
		cpu.Best = level
		var got []string
		for _, ts := range chains {
			var row sampler.Row
			src := rand.NewPCG(25, 0)
			work := func() {
				if err := row.Set(z, history, ts...); err != nil {
					panic(err)
				}
				_ = row.Draw(src)
			}
			work()
			assert.Zero(t, testing.AllocsPerRun(5, work), "%v", ts)
			for range 5 {
				got = append(got, fmt.Sprintf("%x", row.Draw(src)))
			}
		}
		if want == nil {
			want = got
		}
		assert.Equal(t, want, got, "%v", level)
	}
}
