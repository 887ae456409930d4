package coverage_test

import (
	"bytes"
	"encoding"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

var orders = []float64{0.5, 1, 2, 3}

func moments(t *testing.T, from coverage.Source, replicates int) *coverage.Moments {
	t.Helper()
	m, err := coverage.NewMoments(coverage.MomentsConfig{Source: from, Orders: orders, Replicates: replicates})
	require.NoError(t, err)
	return m
}

func histogram(t *testing.T, c coverage.HistogramConfig) *coverage.Histogram {
	t.Helper()
	h, err := coverage.NewHistogram(c)
	require.NoError(t, err)
	return h
}

// randomBatch has n samples of about n/3 prompts, in no order.
func randomBatch(rng *rand.Rand, from coverage.Source, n int) coverage.Batch {
	var b coverage.Batch
	for range n {
		b.Prompt = append(b.Prompt, uint64(rng.IntN(1+n/3)))
		b.LogP = append(b.LogP, -5*rng.Float64())
		b.LogRef = append(b.LogRef, -5*rng.Float64())
		if from == coverage.FromMixture {
			b.LogFrom = append(b.LogFrom, -5*rng.Float64())
		}
	}
	return b
}

func slice(b coverage.Batch, lo, hi int) coverage.Batch {
	c := coverage.Batch{Prompt: b.Prompt[lo:hi], LogP: b.LogP[lo:hi], LogRef: b.LogRef[lo:hi]}
	if b.LogFrom != nil {
		c.LogFrom = b.LogFrom[lo:hi]
	}
	return c
}

// everyResponse is a sample in which each of the responses occurs once, as they do in
// expectation where the source is uniform: then estimates are exact.
func everyResponse(from coverage.Source, logp, logref []float64) coverage.Batch {
	b := coverage.Batch{Prompt: make([]uint64, len(logp)), LogP: logp, LogRef: logref}
	for i := range b.Prompt {
		b.Prompt[i] = uint64(i)
		if from == coverage.FromMixture {
			b.LogFrom = append(b.LogFrom, -math.Log(float64(len(logp))))
		}
	}
	return b
}

var sources = []coverage.Source{coverage.FromPolicy, coverage.FromRef, coverage.FromMixture}

// Estimators from each source agree with enumeration where the sample is the distribution.
func TestTheoryEstimatorsAreUnbiased(t *testing.T) {
	for _, from := range sources {
		law(t, "the value of "+from.String(), 50, 1e-6, func(rng *rand.Rand, err float64) bool {
			n := 3 + rng.IntN(4)
			p, q := simplex(rng, n, 1.5), simplex(rng, n, 1.5)
			uniform := make([]float64, n)
			for i := range uniform {
				uniform[i] = -ln(float64(n))
			}
			switch from {
			case coverage.FromPolicy:
				p = uniform
			case coverage.FromRef:
				q = uniform
			}
			b := everyResponse(from, p, q)
			m, kl := moments(t, from, 0), coverage.NewPromptKL(from)
			h := histogram(t, coverage.HistogramConfig{Source: from, Lo: -8, Hi: 8, Bins: 64})
			require.NoError(t, m.Add(b))
			require.NoError(t, h.Add(b))
			clear(b.Prompt) // one prompt: its mean is over responses
			require.NoError(t, kl.Add(b))
			k1, k3 := kl.Result()
			want := coverage.KL(p, q) + err
			ok := near(k1.Value, want, 1e-12) && near(k3.Value, want, 1e-12) && m.N() == n &&
				near(m.ChiSquare().Value, coverage.ChiSquare(p, q)+err, 1e-11) && near(m.LogMean(1).Value, err, 1e-12)
			for _, alpha := range []float64{0.5, 2, 3} {
				ok = ok && near(m.Renyi(alpha).Value, coverage.Renyi(alpha, p, q)+err, 1e-11)
			}
			if from == coverage.FromRef {
				ok = ok && near(m.ESS().Value, 1/(1+coverage.ChiSquare(p, q))+err, 1e-12)
			}
			for _, point := range h.Profile() {
				ok = ok && near(point.P, coverage.Profile(p, q, point.LogN)+err, 1e-12)
			}
			return ok && kl.Worst(3)[0].MaxLogRatio == coverage.MaxLogRatio(p, q)
		})
	}
}

// One mergeable accumulator: a pointer to it as these methods see it.
type accumulator interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// kind makes accumulators of one type for the tests that all must pass.
type kind struct {
	name   string
	make   func() accumulator
	add    func(accumulator, coverage.Batch) error
	merge  func(a, b accumulator)
	values func(accumulator) []float64
	exact  bool // merging is associative to the bit
}

func kinds(t *testing.T, from coverage.Source) []kind {
	return []kind{
		{
			"moments", func() accumulator { return moments(t, from, 16) },
			func(a accumulator, b coverage.Batch) error { return a.(*coverage.Moments).Add(b) },
			func(a, b accumulator) { a.(*coverage.Moments).Merge(b.(*coverage.Moments)) },
			func(a accumulator) (v []float64) {
				for _, alpha := range orders {
					i := a.(*coverage.Moments).LogMean(alpha)
					v = append(v, i.Value, i.SE, i.Lo, i.Hi)
				}
				return v
			}, false,
		},
		{
			"histogram", func() accumulator {
				return histogram(t, coverage.HistogramConfig{Source: from, Lo: -4, Hi: 4, Bins: 32, Replicates: 16})
			},
			func(a accumulator, b coverage.Batch) error { return a.(*coverage.Histogram).Add(b) },
			func(a, b accumulator) { a.(*coverage.Histogram).Merge(b.(*coverage.Histogram)) },
			func(a accumulator) (v []float64) {
				for _, p := range a.(*coverage.Histogram).Profile() {
					v = append(v, p.LogN, p.P, p.Lo, p.Hi)
				}
				return v
			}, from == coverage.FromPolicy,
		},
		{
			"prompts", func() accumulator { return coverage.NewPromptKL(from) },
			func(a accumulator, b coverage.Batch) error { return a.(*coverage.PromptKL).Add(b) },
			func(a, b accumulator) { a.(*coverage.PromptKL).Merge(b.(*coverage.PromptKL)) },
			func(a accumulator) (v []float64) {
				k1, k3 := a.(*coverage.PromptKL).Result()
				v = append(v, k1.Value, k1.SE, float64(k1.N), k3.Value, k3.SE)
				for _, p := range a.(*coverage.PromptKL).Worst(5) {
					v = append(v, float64(p.Prompt), float64(p.N), p.K1, p.K3, p.MaxLogRatio)
				}
				return v
			}, false,
		},
	}
}

func marshal(t *testing.T, a encoding.BinaryMarshaler) []byte {
	t.Helper()
	b, err := a.MarshalBinary()
	require.NoError(t, err)
	return b
}

// Any grouping gives the result of one pass; a merged with b is b merged with a, to the bit.
// Parts travel in their binary encoding.
func TestTheoryMerge(t *testing.T) {
	for _, from := range sources {
		for _, k := range kinds(t, from) {
			law(t, "merge "+k.name+" of "+from.String(), 8, 1, func(rng *rand.Rand, err float64) bool {
				n := 50 + rng.IntN(200)
				b := randomBatch(rng, from, n)
				whole := k.make()
				require.NoError(t, k.add(whole, b))
				var parts []accumulator
				for lo := int(err); lo < n; {
					hi := min(n, lo+rng.IntN(60)) // some are empty
					part, sent := k.make(), k.make()
					require.NoError(t, k.add(part, slice(b, lo, hi)))
					require.NoError(t, sent.UnmarshalBinary(marshal(t, part)))
					parts = append(parts, sent)
					lo = hi
				}
				rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
				ab, ba := k.make(), k.make()
				k.merge(ab, parts[0])
				k.merge(ab, parts[1])
				k.merge(ba, parts[1])
				k.merge(ba, parts[0])
				merged := k.make()
				for _, p := range parts {
					k.merge(merged, p)
				}
				want, got := k.values(whole), k.values(merged)
				ok := bytes.Equal(marshal(t, ab), marshal(t, ba)) && len(want) == len(got)
				for i := range want {
					ok = ok && near(want[i], got[i], 1e-11)
				}
				return ok && (!k.exact || bytes.Equal(marshal(t, whole), marshal(t, merged)))
			})
		}
	}
}

// What no sample of the source can show is an error that names it, and adds nothing.
func TestBatchErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		from          coverage.Source
		p, ref, from2 float64
		want          string
	}{
		{coverage.FromPolicy, nan, -1, 0, "LogP[1] = NaN"}, {coverage.FromPolicy, -inf, -1, 0, "LogP[1] = -Inf, of a sample from the policy"},
		{coverage.FromPolicy, -1, inf, 0, "LogRef[1] = +Inf"}, {coverage.FromRef, -1, -inf, 0, "LogRef[1] = -Inf, of a sample from the ref"},
		{coverage.FromMixture, -1, -1, -inf, "LogFrom[1] = -Inf, of a sample from the mixture"}, {coverage.FromMixture, -1, -1, nan, "LogFrom[1] = NaN"},
	} {
		for _, k := range kinds(t, c.from) {
			a := k.make()
			b := coverage.Batch{Prompt: []uint64{1, 2}, LogP: []float64{-1, c.p}, LogRef: []float64{-1, c.ref}}
			if c.from == coverage.FromMixture {
				b.LogFrom = []float64{-1, c.from2}
			}
			before := marshal(t, a)
			assert.ErrorContains(t, k.add(a, b), c.want, k.name)
			assert.Equal(t, before, marshal(t, a), k.name)
		}
	}
	for _, k := range kinds(t, coverage.FromPolicy) {
		assert.Panics(t, func() { _ = k.add(k.make(), coverage.Batch{Prompt: []uint64{1}, LogP: []float64{0}}) })
		assert.Panics(t, func() {
			_ = k.add(k.make(), coverage.Batch{Prompt: []uint64{1}, LogP: []float64{0}, LogRef: []float64{0}, LogFrom: []float64{0}})
		})
		assert.Panics(t, func() { k.merge(k.make(), kinds(t, coverage.FromRef)[0].make()) })
	}
}

func TestConfigErrors(t *testing.T) {
	for want, c := range map[string]coverage.MomentsConfig{
		"no Orders": {}, "Orders[1] = -1": {Orders: []float64{1, -1}}, "Orders[1] = 1": {Orders: []float64{1, 1}}, "Orders[0] = +Inf": {Orders: []float64{inf}},
		"Replicates = -1": {Orders: orders, Replicates: -1}, "Source(7)": {Orders: orders, Source: 7},
	} {
		_, err := coverage.NewMoments(c)
		assert.ErrorContains(t, err, want)
	}
	for want, c := range map[string]coverage.HistogramConfig{
		"Lo = 3 and Hi = 1": {Lo: 3, Hi: 1}, "Hi = +Inf": {Hi: inf}, "Bins = -1": {Bins: -1}, "Replicates = -1": {Replicates: -1}, "Source(-1)": {Source: -1},
	} {
		_, err := coverage.NewHistogram(c)
		assert.ErrorContains(t, err, want)
	}
	assert.Panics(t, func() { coverage.NewPromptKL(3) })
	m := moments(t, coverage.FromPolicy, 0)
	assert.Panics(t, func() { m.Renyi(1) })
	assert.Panics(t, func() { m.LogMean(7) })
	assert.Panics(t, func() { m.ESS() })
	assert.Panics(t, func() { m.Merge(moments(t, coverage.FromRef, 0)) })
	h := histogram(t, coverage.HistogramConfig{})
	assert.Panics(t, func() { h.Merge(histogram(t, coverage.HistogramConfig{Bins: 3})) })
	assert.Panics(t, func() { h.Quantile(0) })
}

// A policy that leaves the support of its reference, or a reference that leaves the policy's.
func TestAccumulatorsOutsideTheSupport(t *testing.T) {
	b := coverage.Batch{Prompt: []uint64{1, 2, 3}, LogP: []float64{-1, -2, -1}, LogRef: []float64{-1, -inf, -2}}
	m, kl, h := moments(t, coverage.FromPolicy, 20), coverage.PromptKL{}, histogram(t, coverage.HistogramConfig{})
	require.NoError(t, m.Add(b))
	require.NoError(t, kl.Add(b))
	require.NoError(t, h.Add(b))
	assert.Equal(t, coverage.Interval{Value: inf, Lo: inf, Hi: inf}, m.ChiSquare())
	assert.Equal(t, coverage.Interval{Value: inf, Lo: inf, Hi: inf}, m.Renyi(2))
	assert.InDelta(t, -2*ln((1+math.Exp(-0.5))/3), m.Renyi(0.5).Value, 1e-14)
	k1, k3 := kl.Result()
	assert.True(t, k1.Value == inf && k3.Value == inf && math.IsNaN(k1.SE) && k1.N == 3)
	assert.Equal(t, uint64(2), kl.Worst(1)[0].Prompt)
	_, _, above := h.Counts()
	assert.Equal(t, uint64(1), above)
	profile := h.Profile()
	assert.InDelta(t, 1./3, profile[len(profile)-1].P, 1e-15)

	b = coverage.Batch{Prompt: []uint64{1, 1}, LogP: []float64{-inf, ln(2)}, LogRef: []float64{0, 0}}
	m, ref, h := moments(t, coverage.FromRef, 20), coverage.NewPromptKL(coverage.FromRef), histogram(t, coverage.HistogramConfig{Source: coverage.FromRef})
	require.NoError(t, m.Add(b))
	require.NoError(t, ref.Add(b))
	require.NoError(t, h.Add(b))
	assert.InDelta(t, 0, m.LogMean(1).Value, 1e-15) // (0 + 2)/2
	assert.InDelta(t, 0.5, m.ESS().Value, 1e-15)
	assert.True(t, math.IsNaN(m.ESS().SE), "one prompt")
	k1, k3 = ref.Result()
	assert.InDelta(t, ln(2), k1.Value, 1e-15)
	assert.InDelta(t, (1+1+2*(ln(2)-1))/2, k3.Value, 1e-15)
	below, _, _ := h.Counts()
	assert.Equal(t, uint64(1), below)
	assert.InDelta(t, 1, h.Profile()[0].P, 1e-15)
	assert.True(t, math.IsNaN(h.Profile()[0].Lo), "one prompt")
}

func TestWeightsBeyondFloat64(t *testing.T) {
	m := moments(t, coverage.FromRef, 10)
	b := coverage.Batch{Prompt: []uint64{1, 2, 3}, LogP: []float64{-1, -1, -1}, LogRef: []float64{-2001, -1001, -2001}}
	require.NoError(t, m.Add(slice(b, 0, 1)))
	require.NoError(t, m.Add(slice(b, 1, 3)))
	assert.InDelta(t, 4000+ln(2./3), m.LogMean(2).Value, 1e-12)
	assert.InDelta(t, 2./3, m.ESS().Value, 1e-12)
	assert.Equal(t, inf, m.ChiSquare().Value)
	assert.True(t, math.IsNaN(moments(t, coverage.FromRef, 10).LogMean(2).Value))
	assert.Nil(t, histogram(t, coverage.HistogramConfig{}).Profile())
}

func TestAddAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, from := range sources {
		b := randomBatch(rng, from, 300)
		for _, k := range kinds(t, from) {
			a := k.make()
			require.NoError(t, k.add(a, b)) // prompts are known now
			assert.Zero(t, testing.AllocsPerRun(5, func() { _ = k.add(a, b) }), "%s of %v", k.name, from)
		}
	}
}
