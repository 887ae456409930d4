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

// combinations of weights: each quantity alone, and all of them.
var combinations = [][6]float64{
	{1.5}, {0, -0.7}, {0, 0, 2}, {0, 0, 0, 1.1}, {0, 0, 0, 0, -1.3}, {0, 0, 0, 0, 0, 0.8}, {0.3, -0.2, 0.5, 0.9, 0.4, -0.6}, {},
}

func weightsOf(w [6]float64, n int) logits.Stats {
	s := allStats(n)
	for i := range n {
		s.LogProb[i], s.Entropy[i], s.SumSq[i], s.KL[i], s.ReverseKL[i], s.LogZ[i] = w[0], w[1], w[2], w[3], w[4], w[5]
	}
	return s
}

func TestGradientAgainstDifferences(t *testing.T) {
	for _, vocab := range []int{2, 5, 300} {
		for _, temp := range []float64{0.4, 1, 3} {
			for c, w := range combinations {
				t.Run(fmt.Sprintf("V=%d/T=%v/%d", vocab, temp, c), func(t *testing.T) {
					g := rand.New(rand.NewPCG(5, uint64(vocab)))
					const n = 2
					b := logits.Batch{
						Logits: randomRows(g, n, vocab, 2), Ref: randomRows(g, n, vocab, 0),
						Labels: randomLabels(g, n, vocab), Temperature: temp,
					}
					if vocab > 2 { // a token that both exclude
						b.Logits.Row(1)[0], b.Ref.Row(1)[0], b.Labels[1] = -inf32, -inf32, 1
					}
					dz, dst, values := randomRows(g, n, vocab, 1), allStats(n), allStats(n)
					require.NoError(t, logits.Gradient(dz, dst, weightsOf(w, n), b))
					require.NoError(t, logits.Forward(values, b))
					assert.Equal(t, values, dst, "values on the way")
					for i := range n {
						z, ref := wide(b.Logits.Row(i)), wide(b.Ref.Row(i))
						sum := 0.0
						for v := range z {
							if math.IsInf(z[v], -1) {
								assert.Zero(t, dz.Row(i)[v], "impossible token")
								continue
							}
							got := float64(dz.Row(i)[v])
							sum += got
							if v > 10 && v%29 != 0 && v != int(b.Labels[i]) {
								continue // a sample of a long row is enough
							}
							const h = 1e-4
							at := func(d float64) float64 {
								moved := append([]float64(nil), z...)
								moved[v] += d
								return newOracle(moved, ref, int(b.Labels[i]), temp).combine(w)
							}
							// Fourth-order central difference.
							want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
							assert.InDelta(t, want, got, 1e-9+2e-7*math.Abs(want), "row %d, logit %d", i, v)
						}
						assert.InDelta(t, w[5]/temp, sum, 1e-5, "a shift of all logits changes LogZ and nothing else")
					}
				})
			}
		}
	}
}

func TestGradientInPlace(t *testing.T) {
	g := rand.New(rand.NewPCG(6, 0))
	const n, vocab = 4, 515
	for _, w := range combinations {
		b := logits.Batch{Logits: randomRows(g, n, vocab, 1), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: 0.8}
		dz := randomRows(g, n, vocab, 0)
		require.NoError(t, logits.Gradient(dz, logits.Stats{}, weightsOf(w, n), b))
		require.NoError(t, logits.Gradient(b.Logits, logits.Stats{}, weightsOf(w, n), b))
		for i := range n {
			assert.Equal(t, dz.Row(i), b.Logits.Row(i))
			assert.True(t, i == n-1 || b.Logits.Data[(i+1)*(vocab+1)-1] != b.Logits.Data[(i+1)*(vocab+1)-1], "the room between rows stays")
		}
	}
}

// The loop for log-probabilities alone is a shortcut of the general one.
func TestGradientOfLogProbAlone(t *testing.T) {
	g := rand.New(rand.NewPCG(7, 0))
	const n, vocab = 3, 700
	b := logits.Batch{Logits: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: 0.6}
	short, long := randomRows(g, n, vocab, 0), randomRows(g, n, vocab, 0)
	w := logits.Stats{LogProb: []float64{1, -2, 0.5}}
	require.NoError(t, logits.Gradient(short, logits.Stats{}, w, b))
	w.Entropy = []float64{1e-30, 1e-30, 1e-30}
	require.NoError(t, logits.Gradient(long, logits.Stats{}, w, b))
	for i := range short.Data {
		assert.InEpsilon(t, long.Data[i], short.Data[i], 3e-7)
	}
}

// LogZ from a forward pass saves work and changes nothing but the last bits.
func TestGradientWithLogZ(t *testing.T) {
	g := rand.New(rand.NewPCG(7, 1))
	const n, vocab = 3, 700
	for _, temp := range []float64{0.2, 1, 5} {
		b := logits.Batch{Logits: randomRows(g, n, vocab, 0), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: temp}
		b.Logits.Row(1)[5] = -inf32
		b.Logits.Row(2)[6] = 1e5
		for _, w := range combinations {
			without, with := randomRows(g, n, vocab, 0), randomRows(g, n, vocab, 0)
			b.LogZ = nil
			require.NoError(t, logits.Gradient(without, logits.Stats{}, weightsOf(w, n), b))
			b.LogZ = make([]float64, n)
			require.NoError(t, logits.Forward(logits.Stats{LogZ: b.LogZ}, b))
			require.NoError(t, logits.Gradient(with, logits.Stats{}, weightsOf(w, n), b))
			assert.InDeltaSlice(t, without.Data, with.Data, 1e-7)
		}
		b.Labels[1] = vocab
		err := logits.Gradient(b.Logits, logits.Stats{}, logits.Stats{LogProb: []float64{1, 1, 1}}, b)
		assert.EqualError(t, err, "logits: row 1: label is 700, outside the vocabulary of 700")
	}
}

func TestGradientAtTheEdge(t *testing.T) {
	row := func(x ...float32) logits.Rows { return logits.Rows{Data: x, N: 1, Vocab: len(x)} }
	one, zero := []float64{1}, []float64{0}
	for _, c := range []struct {
		name   string
		z, ref logits.Rows
		w      logits.Stats
		want   []float32
	}{
		{"impossible label", row(0, 0, -inf32), row(0, 0, 0), logits.Stats{LogProb: one}, []float32{-0.5, -0.5, 1}},
		{"impossible label of no weight", row(0, 0, -inf32), row(0, 0, 0), logits.Stats{LogProb: zero, Entropy: one}, []float32{0, 0, 0}},
		{"certain token", row(1e4, 0, -1e4), row(0, 0, 0), logits.Stats{Entropy: one, SumSq: one, KL: one}, []float32{0, 0, 0}},
		{"p excludes what q has", row(0, -inf32, -inf32), row(0, 0, -inf32), logits.Stats{ReverseKL: one}, []float32{0.5, -0.5, 0}},
		{"infinite KL of no weight", row(0, 0, 0), row(0, 0, -inf32), logits.Stats{KL: zero, Entropy: one}, []float32{0, 0, 0}},
		{"row of no weight is not read", row(nan32, 0, 0), row(0, 0, 0), logits.Stats{KL: zero, LogProb: zero}, []float32{0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dz := row(9, 9, 9)
			b := logits.Batch{Logits: c.z, Ref: c.ref, Labels: []int32{2}, Temperature: 1}
			require.NoError(t, logits.Gradient(dz, logits.Stats{}, c.w, b))
			assert.InDeltaSlice(t, c.want, dz.Data, 1e-7)
		})
	}
}

func TestGradientErrors(t *testing.T) {
	row := func(x ...float32) logits.Rows { return logits.Rows{Data: x, N: 1, Vocab: len(x)} }
	b := logits.Batch{Logits: row(0, 0), Ref: row(0, -inf32), Labels: []int32{0}, Temperature: 1}
	err := logits.Gradient(row(0, 0), logits.Stats{}, logits.Stats{KL: []float64{2}}, b)
	assert.EqualError(t, err, "logits: row 0: KL(p‖q) is +Inf and has no gradient, its weight is 2")
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		err = logits.Gradient(row(0, 0), logits.Stats{}, logits.Stats{SumSq: []float64{x}}, b)
		assert.EqualError(t, err, fmt.Sprintf("logits: row 0: weight of SumSq is %v", x))
	}
}
