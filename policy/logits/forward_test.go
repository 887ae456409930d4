package logits_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/logits"
)

var inf32, nan32 = float32(math.Inf(1)), float32(math.NaN())

func TestForwardAgainstDefinitions(t *testing.T) {
	for _, vocab := range []int{1, 2, 7, 255, 256, 257, 1000} {
		for _, temp := range []float64{0.3, 1, 2.5} {
			t.Run(fmt.Sprintf("V=%d/T=%v", vocab, temp), func(t *testing.T) {
				g := rand.New(rand.NewPCG(1, uint64(vocab)))
				const n = 5
				b := logits.Batch{
					Logits:      randomRows(g, n, vocab, 3),
					Ref:         randomRows(g, n, vocab, 1),
					Labels:      randomLabels(g, n, vocab),
					Temperature: temp,
				}
				got := allStats(n)
				require.NoError(t, logits.Forward(got, b))
				for i := range n {
					want := newOracle(wide(b.Logits.Row(i)), wide(b.Ref.Row(i)), int(b.Labels[i]), temp)
					assert.InDelta(t, want.logProb, got.LogProb[i], 1e-13*max(1, -want.logProb))
					assert.InDelta(t, want.entropy, got.Entropy[i], 1e-13)
					assert.InDelta(t, want.sumSq, got.SumSq[i], 1e-13)
					assert.InDelta(t, want.kl, got.KL[i], 1e-13*max(1, want.kl))
					assert.InDelta(t, want.reverse, got.ReverseKL[i], 1e-13*max(1, want.reverse))
					assert.InDelta(t, want.logZ, got.LogZ[i], 1e-13*max(1, math.Abs(want.logZ)))
				}
			})
		}
	}
}

// What is wanted decides how a row is read, but not what comes out.
func TestForwardOneFieldAtATime(t *testing.T) {
	g := rand.New(rand.NewPCG(2, 0))
	const n, vocab = 3, 300
	b := logits.Batch{Logits: randomRows(g, n, vocab, 0), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: 0.7}
	all := allStats(n)
	require.NoError(t, logits.Forward(all, b))
	for name, c := range map[string]struct {
		one  logits.Stats
		want []float64
	}{
		"LogProb":   {logits.Stats{LogProb: make([]float64, n)}, all.LogProb},
		"Entropy":   {logits.Stats{Entropy: make([]float64, n)}, all.Entropy},
		"SumSq":     {logits.Stats{SumSq: make([]float64, n)}, all.SumSq},
		"KL":        {logits.Stats{KL: make([]float64, n)}, all.KL},
		"ReverseKL": {logits.Stats{ReverseKL: make([]float64, n)}, all.ReverseKL},
		"LogZ":      {logits.Stats{LogZ: make([]float64, n)}, all.LogZ},
	} {
		require.NoError(t, logits.Forward(c.one, b), name)
		for _, got := range [][]float64{c.one.LogProb, c.one.Entropy, c.one.SumSq, c.one.KL, c.one.ReverseKL, c.one.LogZ} {
			if got != nil {
				assert.Equal(t, c.want, got, name)
			}
		}
	}
	require.NoError(t, logits.Forward(logits.Stats{}, b), "nothing wanted")
	b.Ref, b.Labels = logits.Rows{}, nil
	require.NoError(t, logits.Forward(logits.Stats{Entropy: make([]float64, n)}, b), "neither labels nor a reference needed")
}

func TestForwardSpecialValues(t *testing.T) {
	ln2, inf := math.Ln2, math.Inf(1)
	for _, c := range []struct {
		name   string
		z, ref []float32
		label  int32
		want   oracle
	}{
		{"impossible token", []float32{0, -inf32, 0}, []float32{5, -inf32, 5}, 0, oracle{-ln2, ln2, -ln2, 0, 0, ln2}},
		{"impossible label", []float32{0, -inf32, 0}, []float32{5, -inf32, 5}, 1, oracle{-inf, ln2, -ln2, 0, 0, ln2}},
		{"one token left", []float32{-inf32, 7, -inf32}, []float32{0, 0, -inf32}, 1, oracle{0, 0, 0, ln2, inf, 7}},
		{"reference excludes", []float32{0, 0}, []float32{0, -inf32}, 0, oracle{-ln2, ln2, -ln2, inf, ln2, ln2}},
		{"disjoint", []float32{0, -inf32}, []float32{-inf32, 0}, 0, oracle{0, 0, 0, inf, inf, 0}},
		{"itself", []float32{1, 2, 3}, []float32{1, 2, 3}, 2, newOracle([]float64{1, 2, 3}, []float64{1, 2, 3}, 2, 1)},
		{"shifted", []float32{1, 2, 3}, []float32{11, 12, 13}, 2, newOracle([]float64{1, 2, 3}, []float64{1, 2, 3}, 2, 1)},
		{"far apart", []float32{1e4, 0}, []float32{0, 1e4}, 1, oracle{-1e4, 0, 0, 1e4, 1e4, 1e4}},
		{"underflow under p, impossible under q", []float32{1e4, 0}, []float32{0, -inf32}, 0, oracle{0, 0, 0, inf, 0, 1e4}},
		{"largest floats", []float32{math.MaxFloat32, -math.MaxFloat32}, []float32{0, 0}, 0, oracle{0, 0, 0, ln2, inf, math.MaxFloat32}},
		{"one entry", []float32{-3}, []float32{4}, 0, oracle{logZ: -3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "largest floats" {
				c.want.reverse = math.MaxFloat32 - ln2 // ½·2·MaxFloat32 − log 2
			}
			n := len(c.z)
			got := allStats(1)
			require.NoError(t, logits.Forward(got, logits.Batch{
				Logits: logits.Rows{Data: c.z, N: 1, Vocab: n}, Ref: logits.Rows{Data: c.ref, N: 1, Vocab: n},
				Labels: []int32{c.label}, Temperature: 1,
			}))
			w := [6]float64{c.want.logProb, c.want.entropy, c.want.sumSq, c.want.kl, c.want.reverse, c.want.logZ}
			for f, v := range row(got, 0) {
				if math.IsInf(w[f], 0) {
					assert.Equal(t, w[f], v, "quantity %d", f)
				} else {
					assert.InDelta(t, w[f], v, 1e-14*max(1, math.Abs(w[f])), "quantity %d", f)
				}
			}
		})
	}
}

func TestPaddedRowsAreNeverRead(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 0))
	const longest, vocab = 4, 9
	lengths := []int{3, 0, 4, 1}
	n := longest * len(lengths)
	clean := logits.Batch{Logits: randomRows(g, n, vocab, 2), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: 1.3}
	w := allStats(n)
	want, wantGrad := allStats(n), randomRows(g, n, vocab, 1)
	for i := range n {
		for _, f := range [][]float64{w.LogProb, w.Entropy, w.SumSq, w.KL, w.ReverseKL, w.LogZ} {
			f[i] = g.NormFloat64()
		}
	}
	require.NoError(t, logits.Gradient(wantGrad, want, w, clean))

	dirty := clean
	dirty.Lengths = lengths
	dirty.Logits.Data = append([]float32(nil), clean.Logits.Data...)
	dirty.Ref.Data = append([]float32(nil), clean.Ref.Data...)
	dirty.Labels = append([]int32(nil), clean.Labels...)
	real := func(i int) bool { return i%longest < lengths[i/longest] }
	for i := range n {
		if real(i) {
			continue
		}
		for v := range vocab {
			dirty.Logits.Row(i)[v], dirty.Ref.Row(i)[v] = nan32, inf32
		}
		dirty.Labels[i] = -100
		w.LogProb[i], w.KL[i] = math.NaN(), math.Inf(1)
	}
	got, again, grad := allStats(n), allStats(n), randomRows(g, n, vocab, 3)
	require.NoError(t, logits.Forward(got, dirty))
	require.NoError(t, logits.Gradient(grad, again, w, dirty))
	assert.Equal(t, got, again)
	for i := range n {
		if real(i) {
			assert.Equal(t, row(want, i), row(got, i))
			assert.Equal(t, wantGrad.Row(i), grad.Row(i))
		} else {
			assert.Equal(t, [6]float64{}, row(got, i))
			assert.Equal(t, make([]float32, vocab), grad.Row(i))
		}
	}

	sums := make([]float64, len(lengths))
	for i := range n {
		if !real(i) {
			got.LogProb[i] = math.NaN()
		}
	}
	logits.SumSequences(sums, got.LogProb, lengths)
	lp := want.LogProb
	assert.Equal(t, []float64{lp[0] + lp[1] + lp[2], 0, lp[8] + lp[9] + lp[10] + lp[11], lp[12]}, sums)
}

func TestErrors(t *testing.T) {
	fresh := func() logits.Batch {
		return logits.Batch{
			Logits: logits.Rows{Data: make([]float32, 12), N: 4, Vocab: 3},
			Ref:    logits.Rows{Data: make([]float32, 12), N: 4, Vocab: 3},
			Labels: make([]int32, 4), Temperature: 1,
		}
	}
	for _, c := range []struct {
		name string
		harm func(b *logits.Batch)
		want string
	}{
		{"NaN", func(b *logits.Batch) { b.Logits.Data[7] = nan32 }, "logits: row 2: logit 1 is NaN"},
		{"NaN first", func(b *logits.Batch) { b.Logits.Data[6] = nan32 }, "logits: row 2: logit 0 is NaN"},
		{"+Inf", func(b *logits.Batch) { b.Logits.Data[5] = inf32 }, "logits: row 1: logit 2 is +Inf"},
		{"only -Inf", func(b *logits.Batch) { b.Logits.Data[0], b.Logits.Data[1], b.Logits.Data[2] = -inf32, -inf32, -inf32 }, "logits: row 0: all 3 logits are -Inf"},
		{"NaN in the reference", func(b *logits.Batch) { b.Ref.Data[11] = nan32 }, "logits: row 3: reference: logit 2 is NaN"},
		{"label too large", func(b *logits.Batch) { b.Labels[3] = 3 }, "logits: row 3: label is 3, outside the vocabulary of 3"},
		{"label negative", func(b *logits.Batch) { b.Labels[0] = -1 }, "logits: row 0: label is -1, outside the vocabulary of 3"},
		{"temperature 0", func(b *logits.Batch) { b.Temperature = 0 }, "logits: Temperature is 0, must be positive and finite"},
		{"temperature negative", func(b *logits.Batch) { b.Temperature = -1 }, "logits: Temperature is -1, must be positive and finite"},
		{"temperature NaN", func(b *logits.Batch) { b.Temperature = math.NaN() }, "logits: Temperature is NaN, must be positive and finite"},
		{"temperature infinite", func(b *logits.Batch) { b.Temperature = math.Inf(1) }, "logits: Temperature is +Inf, must be positive and finite"},
		{"temperature without a reciprocal", func(b *logits.Batch) { b.Temperature = 1e-310 }, "logits: Temperature is 1e-310, must be positive and finite"},
		{"length too large", func(b *logits.Batch) { b.Lengths = []int{2, 3} }, "logits: Lengths[1] is 3, outside [0, 2]"},
		{"length negative", func(b *logits.Batch) { b.Lengths = []int{-1, 2} }, "logits: Lengths[0] is -1, outside [0, 2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := fresh()
			c.harm(&b)
			assert.EqualError(t, logits.Forward(allStats(4), b), c.want)
			w := allStats(4)
			for i := range 4 {
				w.LogProb[i], w.Entropy[i], w.SumSq[i], w.KL[i], w.ReverseKL[i], w.LogZ[i] = 1, 1, 1, 1, 1, 1
			}
			dz := logits.Rows{Data: make([]float32, 12), N: 4, Vocab: 3}
			assert.EqualError(t, logits.Gradient(dz, logits.Stats{}, w, b), c.want)
		})
	}
}

func TestPanics(t *testing.T) {
	rows := logits.Rows{Data: make([]float32, 12), N: 4, Vocab: 3}
	four := make([]float64, 4)
	for name, f := range map[string]func(){
		"dst too short": func() {
			_ = logits.Forward(logits.Stats{Entropy: four[:3]}, logits.Batch{Logits: rows, Temperature: 1})
		},
		"no labels":    func() { _ = logits.Forward(logits.Stats{LogProb: four}, logits.Batch{Logits: rows, Temperature: 1}) },
		"no reference": func() { _ = logits.Forward(logits.Stats{KL: four}, logits.Batch{Logits: rows, Temperature: 1}) },
		"rows beyond data": func() {
			_ = logits.Forward(logits.Stats{}, logits.Batch{Logits: logits.Rows{Data: rows.Data, N: 5, Vocab: 3}, Temperature: 1})
		},
		"stride below vocab": func() {
			_ = logits.Forward(logits.Stats{}, logits.Batch{Logits: logits.Rows{Data: rows.Data, N: 2, Vocab: 3, Stride: 2}, Temperature: 1})
		},
		"lengths do not divide": func() {
			_ = logits.Forward(logits.Stats{}, logits.Batch{Logits: rows, Lengths: []int{1, 1, 1}, Temperature: 1})
		},
		"gradient's shape": func() {
			_ = logits.Gradient(logits.Rows{Data: rows.Data, N: 3, Vocab: 3}, logits.Stats{}, logits.Stats{}, logits.Batch{Logits: rows, Temperature: 1})
		},
		"sums": func() { logits.SumSequences(four, four, []int{1, 1, 1}) },
	} {
		assert.Panics(t, f, name)
	}
}

func TestNoAllocations(t *testing.T) {
	g := rand.New(rand.NewPCG(4, 0))
	const n, vocab = 3, 600
	b := logits.Batch{Logits: randomRows(g, n, vocab, 0), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: 1}
	dst, w := allStats(n), allStats(n)
	for i := range n {
		w.LogProb[i], w.Entropy[i], w.SumSq[i], w.KL[i], w.ReverseKL[i], w.LogZ[i] = 1, 1, 1, 1, 1, 1
	}
	dz := randomRows(g, n, vocab, 0)
	assert.Zero(t, testing.AllocsPerRun(20, func() {
		_ = logits.Forward(dst, b)
		_ = logits.Forward(logits.Stats{LogProb: dst.LogProb}, b)
		_ = logits.Gradient(dz, dst, w, b)
		_ = logits.Gradient(dz, logits.Stats{}, logits.Stats{LogProb: w.LogProb}, b)
	}))
}
