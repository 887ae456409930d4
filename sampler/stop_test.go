package sampler_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// scripted gives all probability to the next token of a fixed reply.
func scripted(script ...int32) func([]float32, []int32, []int32) {
	return func(dst []float32, _, reply []int32) {
		for v := range dst {
			dst[v] = float32(math.Inf(-1))
		}
		dst[script[len(reply)]] = 0
	}
}

func TestStop(t *testing.T) {
	for _, c := range []struct {
		name   string
		prompt []int32
		script []int32
		stop   [][]int32
		want   []int32
		finish policy.Finish
	}{
		{"one token", nil, []int32{1, 2, 3}, [][]int32{{2}}, []int32{1, 2}, policy.FinishStop},
		{"the shorter of two", nil, []int32{1, 2, 3, 1}, [][]int32{{1, 2, 3}, {2}}, []int32{1, 2}, policy.FinishStop},
		{"a sequence", nil, []int32{1, 1, 2, 1, 2, 3}, [][]int32{{1, 2, 3}}, []int32{1, 1, 2, 1, 2, 3}, policy.FinishStop},
		{"overlapping itself", nil, []int32{1, 1, 2, 1, 1, 1, 3}, [][]int32{{1, 1, 1}}, []int32{1, 1, 2, 1, 1, 1}, policy.FinishStop},
		{"not across the prompt's end", []int32{1, 2}, []int32{3, 3, 3, 3, 3, 3, 3}, [][]int32{{2, 3}}, []int32{3, 3, 3, 3, 3, 3, 3}, policy.FinishLength},
		{"EOS comes first", nil, []int32{1, 0}, [][]int32{{1, 0}, {0}}, []int32{1, 0}, policy.FinishEOS},
		{"stop before length", nil, []int32{3, 3, 3, 3, 3, 3, 2}, [][]int32{{2}}, []int32{3, 3, 3, 3, 3, 3, 2}, policy.FinishStop},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sampler.NewAncestral(&fake{vocab: 4, logits: scripted(c.script...)}, 0, 7)
			a.Stop = c.stop
			var r policy.Rollout
			require.NoError(t, a.Generate(ctx, &r, [][]int32{c.prompt}, []uint64{0}, 1, policy.Key{}))
			lo, hi := r.Tokens.Reply(0)
			assert.Equal(t, c.want, r.Tokens.IDs[lo:hi])
			assert.Equal(t, []policy.Finish{c.finish}, r.Finish)
		})
	}
}

// varied gives logits that lead to every way to end.
func varied(dst []float32, _, reply []int32) {
	h := 1.0
	for _, id := range reply {
		h = 2.3*h + float64(id)
	}
	for v := range dst {
		dst[v] = float32(math.Cos(h * float64(v+2)))
	}
}

// Whole replies under transforms with history and a stop sequence, against enumeration.
func TestDistributionOfTransformedReplies(t *testing.T) {
	const vocab, eos, longest, n = 5, 0, 4, 8000
	prompt := []int32{2}
	a := sampler.NewAncestral(&fake{vocab: vocab, logits: varied}, eos, longest)
	a.Transforms = sampler.HuggingFaceOrder(sampler.TopK(2), sampler.RepetitionPenalty(1.5), sampler.Temperature(0.8))
	a.Stop = [][]int32{{3, 3}}
	var r policy.Rollout
	require.NoError(t, a.Generate(ctx, &r, [][]int32{prompt}, []uint64{3}, n, policy.Key{Seed: 2}))
	type reply struct {
		mu, pi float64
		finish policy.Finish
	}
	want := map[string]reply{}
	var extend func(y []int32, mu, pi float64)
	extend = func(y []int32, mu, pi float64) {
		l := len(y)
		switch {
		case l > 0 && y[l-1] == eos:
			want[fmt.Sprint(y)] = reply{mu, pi, policy.FinishEOS}
			return
		case l > 1 && y[l-1] == 3 && y[l-2] == 3:
			want[fmt.Sprint(y)] = reply{mu, pi, policy.FinishStop}
			return
		case l == longest:
			want[fmt.Sprint(y)] = reply{mu, pi, policy.FinishLength}
			return
		}
		z := make([]float32, vocab)
		varied(z, prompt, y)
		q := softmax(z, 1)
		x := make([]float64, vocab)
		for v := range x {
			x[v] = float64(z[v])
			for _, id := range append([]int32{2}, y...) {
				if int(id) == v {
					x[v] = min(float64(z[v])*1.5, float64(z[v])/1.5)
				}
			}
		}
		best, second := -1, -1
		for v := range x {
			if best < 0 || x[v] > x[best] {
				best, second = v, best
			} else if second < 0 || x[v] > x[second] {
				second = v
			}
		}
		e := math.Exp((x[second] - x[best]) / 0.8)
		extend(append(y[:l:l], int32(best)), mu/(1+e), pi*q[best])
		extend(append(y[:l:l], int32(second)), mu*e/(1+e), pi*q[second])
	}
	extend(nil, 1, 1)
	ends := map[policy.Finish]int{}
	counts := map[string]float64{}
	for i := range n {
		lo, hi := r.Tokens.Reply(i)
		y := fmt.Sprint(r.Tokens.IDs[lo:hi])
		counts[y]++
		w, ok := want[y]
		require.True(t, ok, y)
		require.Equal(t, w.finish, r.Finish[i])
		ends[w.finish]++
		mu, pi := 0.0, 0.0
		for p := lo; p < hi; p++ {
			mu, pi = mu+r.LogProb[p], pi+r.Model[p]
		}
		require.InDelta(t, math.Log(w.mu), mu, 1e-12)
		require.InDelta(t, math.Log(w.pi), pi, 1e-12)
	}
	assert.Len(t, ends, 3, "every way to end")
	chi2, freedom := 0.0, -1.0
	for y, w := range want {
		if w.mu > 0 {
			require.Greater(t, n*w.mu, 5.0)
			chi2 += (counts[y] - n*w.mu) * (counts[y] - n*w.mu) / (n * w.mu)
			freedom++
		}
	}
	require.GreaterOrEqual(t, freedom, 4.0)
	assert.InDelta(t, freedom, chi2, 4*math.Sqrt(2*freedom))
}

func TestTransformsDoNotDependOnTheBatch(t *testing.T) {
	a := sampler.NewAncestral(&fake{vocab: 50, logits: uneven}, 0, 10)
	a.Transforms = []sampler.Transform{sampler.RepetitionPenalty(1.3), sampler.TopP(0.9), sampler.Typical(0.95)}
	a.Stop = [][]int32{{7}, {9, 8}}
	prompts, ids := [][]int32{{4}, {}, {9, 9, 1}, {4}}, []uint64{1, 2, 3, 4}
	const k = 20
	var all, one policy.Rollout
	require.NoError(t, a.Generate(ctx, &all, prompts, ids, k, policy.Key{Seed: 5}))
	for i := range prompts {
		require.NoError(t, a.Generate(ctx, &one, prompts[i:i+1], ids[i:i+1], k, policy.Key{Seed: 5}))
		lo, hi := all.Tokens.Begin[i*k], all.Tokens.Begin[(i+1)*k]
		assert.Equal(t, all.Tokens.IDs[lo:hi], one.Tokens.IDs)
		assert.Equal(t, all.LogProb[lo:hi], one.LogProb)
		assert.Equal(t, all.Model[lo:hi], one.Model)
		assert.Equal(t, all.Finish[i*k:(i+1)*k], one.Finish)
	}
}

func TestStopAndTransformErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*sampler.Ancestral)
		want   string
	}{
		{func(a *sampler.Ancestral) { a.Stop = [][]int32{{1}, {}} }, "sampler: Stop[1] is empty"},
		{func(a *sampler.Ancestral) { a.Stop = [][]int32{{1, 4}} }, "sampler: Stop[0][1] is 4, outside the vocabulary of 4"},
		{func(a *sampler.Ancestral) { a.Transforms = []sampler.Transform{sampler.TopK(1), sampler.TopP(2)} },
			"sampler: Transforms[1]: TopP is 2, must be in (0, 1]"},
		{func(a *sampler.Ancestral) { a.Transforms = []sampler.Transform{nil} }, "sampler: Transforms[0] is nil"},
		{func(a *sampler.Ancestral) { a.Temperature, a.Transforms = 0.5, []sampler.Transform{sampler.TopK(1)} },
			"sampler: Temperature is 0.5 beside Transforms, where it has to take its place"},
		{func(a *sampler.Ancestral) { a.Transforms = []sampler.Transform{sampler.Ban{0, 1, 2, 3}} },
			"sampler: prompt 0, sample 0, token 0: after the transforms, all logits are -Inf"},
	} {
		t.Run(c.want, func(t *testing.T) {
			a := sampler.NewAncestral(&fake{vocab: 4, logits: uneven}, -1, 5)
			c.change(a)
			assert.EqualError(t, a.Generate(ctx, &policy.Rollout{}, [][]int32{{0}}, []uint64{0}, 1, policy.Key{}), c.want)
		})
	}
}

// A bound on open sequences changes nothing but how many are open.
func TestAtOnce(t *testing.T) {
	f := &fake{vocab: 20, logits: uneven}
	a := sampler.NewAncestral(f, 0, 6)
	prompts, ids := [][]int32{{4}, {}, {9, 9, 1}, {4}, {1}}, []uint64{1, 2, 3, 4, 5}
	const k = 3
	var want, got policy.Rollout
	require.NoError(t, a.Generate(ctx, &want, prompts, ids, k, policy.Key{Seed: 5}))
	for atOnce, opened := range map[int]int{1: 5, 3: 5, 7: 3, 15: 1, 100: 1} {
		f.opened, f.closed = 0, 0
		a.AtOnce = atOnce
		require.NoError(t, a.Generate(ctx, &got, prompts, ids, k, policy.Key{Seed: 5}))
		assert.Equal(t, want, got)
		assert.Equal(t, opened, f.opened)
		assert.Equal(t, opened, f.closed)
	}
	a.AtOnce = -1
	assert.EqualError(t, a.Generate(ctx, &got, prompts, ids, k, policy.Key{}), "sampler: AtOnce is -1, must not be negative")
	// Errors count prompts from the first.
	bad := sampler.NewAncestral(&fake{vocab: 2, logits: func(dst []float32, prompt, reply []int32) {
		clear(dst)
		if prompt[0] == 1 && len(reply) == 2 {
			dst[1] = float32(math.NaN())
		}
	}}, -1, 5)
	bad.AtOnce = 4
	assert.EqualError(t, bad.Generate(ctx, &got, [][]int32{{0}, {0}, {0}, {1}}, ids[:4], 2, policy.Key{}),
		"sampler: prompt 3, sample 0, token 2: logit 1 is NaN")
}
