package served

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// open opens a fake without delays.
func open(t testing.TB, f *fake, c Config) (*Model, error) {
	t.Helper()
	c.URL = f.start(t)
	return Open(context.Background(), c)
}

func mustOpen(t testing.TB, f *fake, c Config) *Model {
	t.Helper()
	m, err := open(t, f, c)
	require.NoError(t, err)
	return m
}

var protocols = []Protocol{LlamaCPP, VLLM, Echo}

func TestProbeAccepts(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.String(), func(t *testing.T) {
			f := newFake(p)
			f.noise = 0.02
			m := mustOpen(t, f, Config{EOS: "</s>"})
			r := m.Report()
			assert.Equal(t, p, r.Protocol, "found by itself")
			assert.Equal(t, "table", r.Model)
			assert.Equal(t, "</s>", r.EOS)
			assert.Equal(t, p != Echo, r.IDs)
			assert.True(t, r.Seeds)
			assert.InDelta(t, 0.005, r.MeanNoise, 0.002, "the noise put in, uniform within 0.01 of 0")
			assert.LessOrEqual(t, r.MaxNoise, 0.01)
			assert.Greater(t, r.Drawn, 250)
			assert.GreaterOrEqual(t, r.Compared, 20)
			assert.NotEmpty(t, r.Fixed)
		})
	}
}

func TestProbeRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		on    []Protocol
		spoil func(f *fake)
		check string
		says  string
	}{
		{"shifted by a token", []Protocol{VLLM, Echo}, func(f *fake) { f.shift = true }, "shift", "shifted by one token"},
		{"shifted without BOS", []Protocol{Echo}, func(f *fake) { f.noBOS = true }, "shift", "set Config.BOS"},
		{"echo ignored", []Protocol{Echo}, func(f *fake) { f.ignoreEcho = true }, "echo", "echo is ignored"},
		{"chat logprobs", []Protocol{Echo}, func(f *fake) { f.chat = true }, "echo", "protocol llamacpp"},
		{"top-k stays on", protocols, func(f *fake) { f.topK = 20 }, "truncation", "although it was told not to"},
		{"min-p stays on", protocols, func(f *fake) { f.minP, f.maxTop = 0.1, 100 }, "truncation", "although it was told not to"},
		{"top-k far out", protocols, func(f *fake) { f.topK, f.maxTop = 45, 100 }, "truncation", "although it was told not to"},
		{"sharpened", protocols, func(f *fake) { f.sharp, f.maxTop = 0.7, 60 }, "truncation", "although it was told not to"},
		{"flattened", protocols, func(f *fake) { f.sharp, f.maxTop = 1.5, 60 }, "truncation", "although it was told not to"},
		{"greedy", protocols, func(f *fake) { f.greedy = true }, "variation", "temperature or the seed is ignored"},
		{"noise beyond tolerance", protocols, func(f *fake) { f.noise = 2 }, "agreement", "Config.Tolerance"},
		{"forced token ignored", []Protocol{LlamaCPP}, func(f *fake) { f.bias = true }, "agreement", "logit_bias is ignored"},
		{"null among scores", []Protocol{VLLM}, func(f *fake) { f.nullAt = 38 }, "agreement", "no log-probability"},
	} {
		for _, p := range tc.on {
			t.Run(tc.name+"/"+p.String(), func(t *testing.T) {
				f := newFake(p)
				tc.spoil(f)
				_, err := open(t, f, Config{EOS: "</s>"})
				var probe *ProbeError
				require.ErrorAs(t, err, &probe)
				assert.Equal(t, tc.check, probe.Check)
				assert.ErrorContains(t, err, tc.says)
			})
		}
	}
}

// TestProbeMix: a server that mixes up a single one of the draws is refused, whichever it is.
func TestProbeMix(t *testing.T) {
	for _, p := range protocols {
		first := uint64(0)
		if p != VLLM {
			first = probeDraws - 2 // the protocols share the check: here the last of each prompt
		}
		for seed := first; seed < probeDraws; seed++ {
			f := newFake(p).plain()
			f.mix = seed + 1
			_, err := open(t, f, Config{EOS: "</s>"})
			var probe *ProbeError
			require.ErrorAs(t, err, &probe, "%v, draw %d", p, seed)
			assert.Equal(t, "agreement", probe.Check)
			assert.ErrorContains(t, err, "mixes up")
		}
	}
}

// TestProbeBOS: with the text that the server wants, its numbers are right.
func TestProbeBOS(t *testing.T) {
	f := newFake(Echo)
	f.noBOS = true
	m := mustOpen(t, f, Config{EOS: "</s>", BOS: "<s>"})
	s, err := m.Score(context.Background(), Prompt{Text: "the"}, Reply{Text: " dog"})
	require.NoError(t, err)
	assert.InDelta(t, f.want("<s>the", " dog", false), s.LogProb, 1e-12)
}

func TestProbeZeroTokens(t *testing.T) {
	for _, zero := range []string{"none", "one", "unlimited", "refused"} {
		f := newFake(Echo)
		f.zero = zero
		m := mustOpen(t, f, Config{EOS: "</s>"})
		assert.Equal(t, zero, m.Report().ZeroTokens)
		s, err := m.Score(context.Background(), Prompt{Text: "a dog"}, Reply{Text: " over the"})
		require.NoError(t, err, zero)
		assert.InDelta(t, f.want("a dog", " over the", false), s.LogProb, 1e-12, zero)
	}
}

// TestProbeStrict: a server that refuses vLLM's fields is asked without them.
func TestProbeStrict(t *testing.T) {
	f := newFake(Echo)
	f.strict, f.maxTop = true, 5
	m := mustOpen(t, f, Config{EOS: "</s>"})
	_, err := m.Draw(context.Background(), Prompt{Text: "the"}, 1)
	assert.NoError(t, err)
}

func TestProbeSeeds(t *testing.T) {
	f := newFake(LlamaCPP)
	f.wobble = true
	assert.False(t, mustOpen(t, f, Config{}).Report().Seeds)
}

func TestProbeFunction(t *testing.T) {
	f := newFake(LlamaCPP)
	r, err := Probe(context.Background(), Config{URL: f.start(t)})
	require.NoError(t, err)
	assert.Equal(t, len(f.vocab), r.Vocab)
	f = newFake(LlamaCPP)
	_, err = Probe(context.Background(), Config{URL: f.start(t), Protocol: VLLM})
	assert.ErrorContains(t, err, "does not answer as protocol vllm")
}

// want is the log-probability of a reply by the fake's formula.
func (f *fake) want(prompt, reply string, end bool) float64 {
	ids, last := f.encode(reply, false), f.encode(prompt, true)
	if end {
		ids = append(ids, 1)
	}
	prev, sum := last[len(last)-1], 0.0
	for _, id := range ids {
		sum += f.logProbs(prev, 1)[id]
		prev = id
	}
	return sum
}

func TestRank(t *testing.T) {
	list := []float64{math.Log(0.3), math.Log(0.2), math.Log(0.2), math.Log(0.1), math.Log(0.05), math.Log(0.05)}
	for _, tc := range []struct {
		name    string
		p, want float64
	}{
		{"the first", 0.3, 0.15},
		{"one of two alike", 0.2, 0.5},
		{"between", 0.1, 0.75},
		{"as likely as the end", 0.05, 0.9},
		{"not listed", 0.01, 0.9},
	} {
		assert.InDelta(t, tc.want, rank(math.Log(tc.p), list, 0.5), 1e-12, tc.name)
	}
}

// TestRankIsUniform: for any distribution, ties and a short list included.
func TestRankIsUniform(t *testing.T) {
	all := []float64{0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05}
	for _, listed := range []int{1, 3, 7, 9, 11} {
		var list []float64
		for _, p := range all[:listed] {
			list = append(list, math.Log(p))
		}
		for _, q := range []float64{0.1, 0.3, 0.77, 0.9} {
			below := 0.0 // P(rank < q), integrated over v
			for _, p := range all {
				const steps = 1000
				for i := range steps {
					if rank(math.Log(p), list, (float64(i)+0.5)/steps) < q {
						below += p / steps
					}
				}
			}
			assert.InDelta(t, q, below, 2e-3, "%d listed, below %v", listed, q)
		}
	}
}

func TestUntie(t *testing.T) {
	list := []float64{-1, -2, -2, -3, -4, -4}
	for n, want := range map[int]int{1: 1, 2: 3, 3: 3, 4: 4, 5: 4, 6: 4} {
		assert.Equal(t, want, untie(list, n), n)
	}
	assert.Equal(t, 0, untie([]float64{-1, -1}, 1))
}

// TestCuts: what is behind each cut, by hand.
func TestCuts(t *testing.T) {
	list := []float64{math.Log(0.5), math.Log(0.3), math.Log(0.1), math.Log(0.004)}
	for _, tc := range []struct {
		cut  cut
		keep int
		ok   bool
	}{
		{topK(2), 2, true}, {topK(4), 4, true}, {topK(5), 5, false},
		{topP(0.5), 1, true}, {topP(0.6), 2, true}, {topP(0.95), 0, false},
		{minP(0.5), 2, true}, {minP(0.1), 3, true}, {minP(0.001), 0, false},
	} {
		n, ok := tc.cut.keep(list)
		assert.Equal(t, tc.ok, ok, tc.cut.name)
		if ok {
			assert.Equal(t, tc.keep, n, tc.cut.name)
		}
	}
}

func TestLowerTail(t *testing.T) {
	q := []float64{0.1, 0.2, 0.3, 0.4}
	assert.InDelta(t, 0.9*0.8*0.7*0.6, lowerTail(0, q), 1e-9, "the bound is exact at 0")
	assert.Equal(t, 1.0, lowerTail(1, q))
	assert.Equal(t, 1.0, lowerTail(0, nil))
	one := 0.9 * 0.8 * 0.7 * 0.6 * (1 + 0.1/0.9 + 0.2/0.8 + 0.3/0.7 + 0.4/0.6) // exactly: at most one
	q = append(q, q...)
	q = append(q, q...)
	assert.Less(t, lowerTail(1, q), 0.2)
	assert.Greater(t, lowerTail(1, q), math.Pow(one, 4)/100)
	same := make([]float64, 50)
	for i := range same {
		same[i] = 0.2
	}
	assert.InDelta(t, binomialTail(3, 50, 0.2), lowerTail(3, same), 1e-9, "equal probabilities are the binomial case")
}

func TestBinomialTail(t *testing.T) {
	assert.Equal(t, 1.0, binomialTail(0, 0, 0.1))
	assert.InDelta(t, 1, binomialTail(10, 100, 0.1), 1e-12)
	assert.InDelta(t, math.Pow(0.9, 100), binomialTail(0, 100, 0.1), 1e-12, "the bound is exact at the end")
}
