package gomlx_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
)

// TestLogits compares the logits after every prefix with transformers': whole prompts at
// once here, the golden ones from one forward pass.
func TestLogits(t *testing.T) {
	g := readGolden(t)
	for _, c := range []struct {
		name string
		m    *gomlx.Model
		ids  []int32
	}{
		{"tiny", load(t, "tiny"), g.Tiny.IDs},
		{"tied", load(t, "tied"), g.Tied.IDs},
		{"lora", loadLoRA(t), g.Tiny.IDs},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := goldenTensors(t, c.name+"/")["logits"]
			v := c.m.Vocab()
			for n := 1; n <= len(c.ids); n += 3 {
				assert.Less(t, relative(nextLogits(t, c.m, c.ids[:n]), want[(n-1)*v:n*v]), 1e-5, "prefix of %d", n)
			}
		})
	}
}

func TestLogProbs(t *testing.T) {
	g := readGolden(t)
	xs, ys := g.pairs()
	for _, c := range []struct {
		name string
		m    *gomlx.Model
		want [][2]float64
	}{
		{"tiny", load(t, "tiny"), g.DPO.Logps},
		{"lora", loadLoRA(t), g.LoRA.Logps},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make([]float64, len(xs))
			require.NoError(t, policy.Sequences{Model: c.m}.LogProbs(context.Background(), got, xs, ys))
			for i, w := range c.want {
				assert.InEpsilon(t, w[0], got[2*i], 1e-6)
				assert.InEpsilon(t, w[1], got[2*i+1], 1e-6)
			}
		})
	}
}

// TestTokenStats compares the statistics of every token, the KL to the base among them.
func TestTokenStats(t *testing.T) {
	g := readGolden(t)
	m := loadLoRA(t)
	b := tokens(g.pairs())
	s := newStats(len(b.IDs))
	require.NoError(t, m.Against(m.Base()).NewTokenPass().Forward(context.Background(), s, b))
	for i, want := range g.LoRA.Stats {
		lo, hi := b.Reply(i)
		for name, got := range map[string][]float64{"LogProb": s.LogProb, "Entropy": s.Entropy, "KL": s.KL, "SumSq": s.SumSq} {
			require.Len(t, want[name], hi-lo)
			for j, w := range want[name] {
				assert.InDelta(t, w, got[lo+j], 1e-5, "%s of token %d of sequence %d", name, j, i)
			}
		}
		for p := b.Begin[i]; p < lo; p++ {
			assert.Zero(t, s.LogProb[p])
		}
	}
}

func newStats(n int) policy.TokenStats {
	return policy.TokenStats{
		LogProb: make([]float64, n), Entropy: make([]float64, n), KL: make([]float64, n), SumSq: make([]float64, n),
	}
}

// dpoWeights returns the mean DPO loss and its derivative with respect to the
// log-probabilities of chosen and rejected replies in turn.
func dpoWeights(logp []float64, refs [][2]float64, beta float64) (loss float64, w []float64) {
	w = make([]float64, len(logp))
	n := float64(len(refs))
	for i, r := range refs {
		margin := beta * ((logp[2*i] - r[0]) - (logp[2*i+1] - r[1]))
		loss += math.Log1p(math.Exp(-margin)) / n
		w[2*i] = -beta / (1 + math.Exp(margin)) / n
		w[2*i+1] = -w[2*i]
	}
	return loss, w
}

// expectGradients compares the accumulated gradient of every parameter with autograd's.
func expectGradients(t *testing.T, m *gomlx.Model, want map[string][]float32) {
	t.Helper()
	names, _ := m.Params()
	require.Len(t, names, len(want))
	for _, name := range names {
		require.Contains(t, want, name)
		got, err := m.Grad(name)
		require.NoError(t, err)
		assert.Less(t, relative(got, want[name]), 1e-5, name)
	}
}

// TestDPOGradient is ∂(DPO loss)/∂(every weight) against torch autograd, the batch at
// once and in parts.
func TestDPOGradient(t *testing.T) {
	g := readGolden(t)
	xs, ys := g.pairs()
	lora := loadLoRA(t)
	base := make([]float64, len(xs))
	require.NoError(t, policy.Sequences{Model: lora.Base()}.LogProbs(context.Background(), base, xs, ys))
	var baseRefs [][2]float64
	for i := 0; i < len(base); i += 2 {
		baseRefs = append(baseRefs, [2]float64{base[i], base[i+1]})
	}
	for _, c := range []struct {
		name   string
		m      *gomlx.Model
		refs   [][2]float64
		loss   float64
		prefix string
	}{
		{"all weights", load(t, "tiny"), g.DPO.Refs, g.DPO.Loss, "dpo/"},
		{"adapter", lora, baseRefs, g.LoRA.Loss, "lora/dpo/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := goldenTensors(t, c.prefix)
			ctx := context.Background()
			pass := policy.Sequences{Model: c.m}.NewPass()
			logp := make([]float64, len(xs))
			require.NoError(t, pass.Forward(ctx, logp, xs, ys))
			loss, w := dpoWeights(logp, c.refs, g.DPO.Beta)
			assert.InDelta(t, c.loss, loss, 1e-6)
			require.NoError(t, pass.Pullback(ctx, w))
			expectGradients(t, c.m, want)

			require.NoError(t, c.m.ZeroGrad())
			for i := 0; i < len(xs); i += 2 { // accumulated over passes
				require.NoError(t, pass.Forward(ctx, logp[i:i+2], xs[i:i+2], ys[i:i+2]))
				require.NoError(t, pass.Pullback(ctx, w[i:i+2]))
			}
			expectGradients(t, c.m, want)
		})
	}
}

// TestMixedGradient pulls back weights on all four statistics, the KL to the base among
// them.
func TestMixedGradient(t *testing.T) {
	g := readGolden(t)
	m := loadLoRA(t)
	b := tokens(g.pairs())
	pass := m.Against(m.Base()).NewTokenPass()
	require.NoError(t, pass.Forward(context.Background(), newStats(len(b.IDs)), b))
	w := newStats(len(b.IDs))
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for f, v := range [][]float64{w.LogProb, w.Entropy, w.SumSq, w.KL} {
			for p := lo; p < hi; p++ {
				v[p] = float64(((i+f)*7+(p-lo)*3)%5-2) / 4
			}
		}
	}
	require.NoError(t, pass.Pullback(context.Background(), w))
	expectGradients(t, m, goldenTensors(t, "lora/mixed/"))
}
