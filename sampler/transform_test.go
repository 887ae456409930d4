package sampler_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/sampler"
)

// golden is what transformers' processors made of rows of logits.
type golden struct {
	Order []string
	Cases []struct {
		Name       string
		Logits     []jsonnum.Float
		History    []int32
		Transforms []struct {
			Kind  string
			Value json.RawMessage
		}
		LogProb []jsonnum.Float
	}
}

func readGolden(t *testing.T) (g golden) {
	b, err := os.ReadFile("testdata/transforms.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &g))
	return g
}

func parse(t *testing.T, kind string, value json.RawMessage) sampler.Transform {
	read := func(to any) { require.NoError(t, json.Unmarshal(value, to)) }
	var x float64
	var ids []int32
	if kind == "Ban" || kind == "Allow" {
		read(&ids)
	} else {
		read(&x)
	}
	switch kind {
	case "Temperature":
		return sampler.Temperature(x)
	case "TopK":
		return sampler.TopK(int(x))
	case "TopP":
		return sampler.TopP(x)
	case "MinP":
		return sampler.MinP(x)
	case "Typical":
		return sampler.Typical(x)
	case "RepetitionPenalty":
		return sampler.RepetitionPenalty(x)
	case "Ban":
		return sampler.Ban(ids)
	case "Allow":
		return sampler.Allow(ids)
	}
	require.Fail(t, "unknown transform", kind)
	return nil
}

// The exact distributions are those of Hugging Face's transformers. (Their top-k keeps
// all ties of the k-th, and so does this one.)
func TestTransformsAgainstTransformers(t *testing.T) {
	g := readGolden(t)
	require.Len(t, g.Cases, 4*25+11)
	var row sampler.Row
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			var ts []sampler.Transform
			for _, x := range c.Transforms {
				ts = append(ts, parse(t, x.Kind, x.Value))
			}
			z := make([]float32, len(c.Logits))
			for v, x := range c.Logits {
				z[v] = float32(x)
			}
			require.NoError(t, row.Set(z, c.History, ts...))
			got := make([]float64, len(z))
			row.LogProbs(got)
			left := 0
			for v, want := range c.LogProb {
				if math.IsInf(float64(want), -1) {
					require.Equal(t, math.Inf(-1), got[v], "token %d", v)
					continue
				}
				left++
				require.InDelta(t, float64(want), got[v], 1e-12*max(1, math.Abs(float64(want))), "token %d", v)
			}
			assert.Equal(t, left, row.Left())
		})
	}
}

func TestHuggingFaceOrder(t *testing.T) {
	all := []sampler.Transform{
		sampler.Greedy{}, sampler.Typical(0.8), sampler.MinP(0.1), sampler.TopP(0.9), sampler.TopK(5),
		sampler.Temperature(0.7), sampler.Allow{0, 2}, sampler.Ban{1}, sampler.RepetitionPenalty(1.2), sampler.TopK(3),
	}
	ordered := sampler.HuggingFaceOrder(all...)
	var names []string
	for _, x := range ordered {
		names = append(names, fmt.Sprintf("%T", x)[len("sampler."):])
	}
	want := readGolden(t).Order
	at := slices.Index(want, "TopK")
	want = append(slices.Insert(want, at+1, "TopK"), "Greedy")
	assert.Equal(t, want, names)
	assert.Equal(t, sampler.TopK(5), ordered[4], "equal types keep their order")
	assert.Equal(t, sampler.Greedy{}, all[0], "the argument stays as it was")
	assert.Panics(t, func() { sampler.HuggingFaceOrder(sampler.TopK(1), double{}) })
}

// double is a transform of somebody else's.
type double struct{ sampler.Greedy }

func (double) Apply(r *sampler.Row) error {
	for v := range r.Logits {
		r.Logits[v] *= 2
	}
	return nil
}

// kept returns the tokens that transforms leave.
func kept(t *testing.T, z []float32, ts ...sampler.Transform) []int {
	var row sampler.Row
	require.NoError(t, row.Set(z, nil, ts...))
	var ids []int
	for v, x := range row.Logits {
		if !math.IsInf(x, -1) {
			ids = append(ids, v)
		}
	}
	return ids
}

// Defect 39: which of equal tokens are kept is a rule, not the order of a sort.
func TestTies(t *testing.T) {
	z := []float32{1, 3, 3, 0, 3, 1}
	for _, c := range []struct {
		name string
		t    sampler.Transform
		want []int
	}{
		{"top-k keeps all ties of the k-th", sampler.TopK(2), []int{1, 2, 4}},
		{"top-k with the ties of the fourth", sampler.TopK(4), []int{0, 1, 2, 4, 5}},
		{"top-p takes one tie, the lowest id", sampler.TopP(0.1), []int{1}},
		{"top-p takes two ties, the lowest ids", sampler.TopP(0.5), []int{1, 2}},
		{"top-p takes all of the first and one of the second", sampler.TopP(0.93), []int{0, 1, 2, 4}},
		{"min-p 1 keeps the equals of the first", sampler.MinP(1), []int{1, 2, 4}},
		{"min-p 0 keeps all", sampler.MinP(0), []int{0, 1, 2, 3, 4, 5}},
		{"typical keeps all ties at its edge", sampler.Typical(0.01), []int{1, 2, 4}},
		{"typical 1 keeps all", sampler.Typical(1), []int{0, 1, 2, 3, 4, 5}},
		{"top-p 1 keeps all", sampler.TopP(1), []int{0, 1, 2, 3, 4, 5}},
		{"greedy keeps one", sampler.Greedy{}, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, kept(t, z, c.t)) })
	}
	zero := float32(math.Copysign(0, -1))
	assert.Equal(t, []int{1, 2}, kept(t, []float32{-1, 0, zero}, sampler.TopK(1)), "0 and −0 tie")
	assert.Equal(t, []int{0, 1}, kept(t, []float32{zero, 0, -1}, sampler.TopK(1)))
	assert.Equal(t, []int{0, 1, 2}, kept(t, []float32{0, zero, 0}, sampler.TopP(0.9)))
	assert.Equal(t, []int{0}, kept(t, []float32{1, 1}, sampler.TopP(0.5)), "a mass of exactly p is enough")
}

func TestPenaltyCountsEachTokenOnce(t *testing.T) {
	var row sampler.Row
	for range 2 { // the second time with memory of the first
		require.NoError(t, row.Set([]float32{2, -2, 1}, []int32{0, 1, 0, 0, 1}, sampler.RepetitionPenalty(2)))
		assert.Equal(t, []float64{1, -4, 1}, row.Logits)
	}
	require.NoError(t, row.Set([]float32{2, -2, 1}, []int32{2}, sampler.RepetitionPenalty(2)))
	assert.Equal(t, []float64{2, -2, 0.5}, row.Logits)
}

// Both log-probabilities of every token, against a softmax of their own.
func TestTwoLogProbs(t *testing.T) {
	z := []float32{0.5, -1, 2, 1.5}
	var row sampler.Row
	require.NoError(t, row.Set(z, nil, sampler.Ban{2}, sampler.Temperature(0.5)))
	pi := softmax(z, 1)
	mu := softmax([]float32{0.5, -1, float32(math.Inf(-1)), 1.5}, 0.5)
	for id := range int32(4) {
		got := row.Token(id)
		assert.InDelta(t, math.Log(pi[id]), got.Model, 1e-14)
		if id == 2 {
			assert.Equal(t, math.Inf(-1), got.LogProb)
		} else {
			assert.InDelta(t, math.Log(mu[id]), got.LogProb, 1e-14)
		}
	}
	require.NoError(t, row.Set(z, nil))
	for id := range int32(4) {
		assert.Equal(t, row.Token(id).Model, row.Token(id).LogProb, "the same bits without transforms")
	}
	require.NoError(t, row.Set(z, nil, sampler.Greedy{}))
	assert.Equal(t, 0.0, row.Token(2).LogProb)
}

func TestExtremeTemperatures(t *testing.T) {
	var row sampler.Row
	for _, z := range [][]float32{{math.MaxFloat32, 1, -math.MaxFloat32}, {-math.MaxFloat32, -3e38}, {0, 5}} {
		require.NoError(t, row.Set(z, nil, sampler.Temperature(1e-300)))
		best := 0
		for v := range z {
			if z[v] > z[best] {
				best = v
			}
		}
		assert.Equal(t, 0.0, row.Token(int32(best)).LogProb)
		require.NoError(t, row.Set(z, nil, sampler.Temperature(1e300)))
		assert.InDelta(t, -math.Log(float64(len(z))), row.Token(0).LogProb, 1e-15)
	}
}

func TestTransformErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		t    sampler.Transform
		want string
	}{
		{sampler.Temperature(0), "Temperature is 0, must be positive and finite"},
		{sampler.Temperature(nan), "Temperature is NaN, must be positive and finite"},
		{sampler.TopK(0), "TopK is 0, must be at least 1"},
		{sampler.TopP(0), "TopP is 0, must be in (0, 1]"},
		{sampler.TopP(nan), "TopP is NaN, must be in (0, 1]"},
		{sampler.MinP(-0.1), "MinP is -0.1, must be in [0, 1]"},
		{sampler.MinP(nan), "MinP is NaN, must be in [0, 1]"},
		{sampler.Typical(1.5), "Typical is 1.5, must be in (0, 1]"},
		{sampler.RepetitionPenalty(0), "RepetitionPenalty is 0, must be positive and finite"},
		{sampler.RepetitionPenalty(inf), "RepetitionPenalty is +Inf, must be positive and finite"},
		{sampler.Ban{0, 4}, "Ban[1] is 4, outside the vocabulary of 4"},
		{sampler.Allow{}, "Allow is empty"},
		{sampler.Allow{-1}, "Allow[0] is -1, outside the vocabulary of 4"},
	} {
		t.Run(c.want, func(t *testing.T) {
			var row sampler.Row
			assert.EqualError(t, row.Set([]float32{1, 2, 3, 4}, nil, sampler.TopK(1), c.t), "transform 1: "+c.want)
			assert.Panics(t, func() { row.Left() }, "a failed Set leaves nothing to draw from")
			assert.EqualError(t, c.t.Check(4), c.want)
		})
	}
	var row sampler.Row
	assert.EqualError(t, row.Set([]float32{1}, []int32{0, 1}, sampler.RepetitionPenalty(1)),
		"transform 0: token 1 of the history is 1, outside the vocabulary of 1")
	assert.EqualError(t, row.Set([]float32{1, 2}, nil, sampler.Ban{0, 1}), "after the transforms, all logits are -Inf")
	assert.EqualError(t, row.Set([]float32{1, float32(nan)}, nil), "logit 1 is NaN")
	assert.EqualError(t, row.Set([]float32{float32(inf), 1}, nil), "logit 0 is +Inf")
	assert.EqualError(t, row.Set(nil, nil), "all logits are -Inf")
	// Every transform leaves a row alone of which nothing is left.
	for _, x := range []sampler.Transform{sampler.Temperature(2), sampler.TopK(1), sampler.TopP(0.5), sampler.MinP(0.5),
		sampler.Typical(0.5), sampler.RepetitionPenalty(2), sampler.Greedy{}, sampler.Allow{1}} {
		assert.EqualError(t, row.Set([]float32{1, 2}, []int32{0}, sampler.Ban{0, 1}, x), "after the transforms, all logits are -Inf", "%T", x)
	}
}

// What selection finds is what sorting finds, and what the definition asks for.
func TestTruncationAgainstSorting(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 0))
	for trial := range 300 {
		n := 1 + g.IntN(300)
		z := make([]float32, n)
		for v := range z {
			switch trial % 3 {
			case 0:
				z[v] = float32(g.NormFloat64() * 3)
			case 1:
				z[v] = float32(g.IntN(7)) - 3
			case 2:
				z[v] = float32(g.NormFloat64() * 1e-6)
			}
		}
		sorted := slices.Clone(z)
		slices.SortFunc(sorted, func(a, b float32) int { return -cmpFloat(a, b) })
		k := 1 + g.IntN(n)
		var want []int
		for v, x := range z {
			if x >= sorted[k-1] {
				want = append(want, v)
			}
		}
		require.Equal(t, want, kept(t, z, sampler.TopK(k)))

		// The mass before a kept token is below p, that before a removed one is not.
		p := 0.02 + 0.96*g.Float64()
		got := kept(t, z, sampler.TopP(p))
		mass, prob := 0.0, softmax(z, 1)
		for _, v := range got {
			mass += prob[v]
		}
		last := slices.MinFunc(got, func(a, b int) int { return cmpFloat(z[a], z[b]) })
		assert.GreaterOrEqual(t, mass, p-1e-12)
		assert.Less(t, mass-prob[last], p+1e-12)
		for v, x := range z {
			if x > z[last] {
				assert.Contains(t, got, v)
			}
		}
	}
}

func cmpFloat(a, b float32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
