package coverage_test

import (
	"bytes"
	"encoding"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/record"
)

// filled returns one of each accumulator that has seen something, and an empty receiver.
func filled(t testing.TB) map[string][2]accumulator {
	rng := rand.New(rand.NewPCG(4, 4))
	b := randomBatch(rng, coverage.FromPolicy, 40)
	m, err := coverage.NewMoments(coverage.MomentsConfig{Orders: orders, Replicates: 5})
	require.NoError(t, err)
	h, err := coverage.NewHistogram(coverage.HistogramConfig{Lo: -2, Hi: 2, Bins: 8, Replicates: 5})
	require.NoError(t, err)
	kl, tail, e, s := coverage.NewPromptKL(coverage.FromPolicy), coverage.NewTail(50), new(coverage.KLEstimator), coverage.NewSecondMoment(2)
	data, err := coverage.NewMetric(mat.NewDiagDense(2, []float64{1, 1}))
	require.NoError(t, err)
	f := coverage.NewFeatureCoverage(data)
	for _, err := range []error{
		m.Add(b), h.Add(b), kl.Add(b), tail.Add(b.LogP), e.Add(b.LogP, 4), s.AddPair(b.LogP[:2], b.LogRef[:2]), f.AddPair(b.LogP[:2], b.LogRef[:2]),
	} {
		require.NoError(t, err)
	}
	return map[string][2]accumulator{
		"moments": {m, new(coverage.Moments)}, "histogram": {h, new(coverage.Histogram)}, "promptkl": {kl, new(coverage.PromptKL)},
		"tail": {tail, new(coverage.Tail)}, "kl": {e, new(coverage.KLEstimator)}, "secondmoment": {s, new(coverage.SecondMoment)},
		"features": {f, coverage.NewFeatureCoverage(data)},
	}
}

func TestEncodingRoundTrip(t *testing.T) {
	for name, pair := range filled(t) {
		b := marshal(t, pair[0])
		require.NoError(t, pair[1].UnmarshalBinary(b), name)
		assert.Equal(t, b, marshal(t, pair[1]), name)
		assert.Contains(t, string(b), "coverage."+name)
		// Restored accumulators take samples as the first does.
		more := randomBatch(rand.New(rand.NewPCG(1, 1)), coverage.FromPolicy, 10)
		for i := range pair {
			switch a := pair[i].(type) {
			case *coverage.Moments:
				require.NoError(t, a.Add(more))
			case *coverage.Histogram:
				require.NoError(t, a.Add(more))
			case *coverage.PromptKL:
				require.NoError(t, a.Add(more))
			case *coverage.Tail:
				require.NoError(t, a.Add(more.LogP))
			}
		}
		assert.Equal(t, marshal(t, pair[0]), marshal(t, pair[1]), name)
	}
}

func TestEncodingErrors(t *testing.T) {
	for name, pair := range filled(t) {
		b := marshal(t, pair[0])
		before := marshal(t, pair[0])
		for n := range b {
			require.Error(t, pair[0].UnmarshalBinary(b[:n]), "%s cut at %d", name, n)
			flipped := bytes.Clone(b)
			flipped[n] ^= 4
			require.Error(t, pair[0].UnmarshalBinary(flipped), "%s, byte %d", name, n)
		}
		assert.Error(t, pair[0].UnmarshalBinary(append(bytes.Clone(b), 0)), name)
		assert.Equal(t, before, marshal(t, pair[0]), "%s: what fails changes nothing", name)
		for other, wrong := range filled(t) {
			if other != name {
				assert.ErrorContains(t, pair[0].UnmarshalBinary(marshal(t, wrong[0])), "the record is a")
			}
		}
		var later bytes.Buffer
		require.NoError(t, record.Write(&later, "coverage."+name, 2))
		assert.ErrorContains(t, pair[0].UnmarshalBinary(later.Bytes()), "format version 2")
	}
	assert.ErrorContains(t, new(coverage.FeatureCoverage).UnmarshalBinary(nil), "without a metric")
}

// Records with a right checksum and false contents: an error, or an accumulator that works.
func FuzzUnmarshal(f *testing.F) {
	names := []string{"moments", "histogram", "promptkl", "tail", "kl", "secondmoment", "features"}
	for i, name := range names {
		sections, err := record.Read(bytes.NewReader(must(filled(f)[name][0].MarshalBinary())), "coverage."+name, 1)
		require.NoError(f, err)
		for len(sections) < 6 {
			sections = append(sections, nil)
		}
		f.Add(i, sections[0], sections[1], sections[2], sections[3], sections[4], sections[5])
	}
	counts := []int{6, 6, 3, 2, 2, 3, 3}
	f.Fuzz(func(t *testing.T, i int, a, b, c, d, e, g []byte) {
		if i < 0 || i >= len(names) {
			return
		}
		var w bytes.Buffer
		require.NoError(t, record.Write(&w, "coverage."+names[i], 1, [][]byte{a, b, c, d, e, g}[:counts[i]]...))
		into := filled(t)[names[i]][1]
		if into.UnmarshalBinary(w.Bytes()) == nil {
			marshal(t, into.(encoding.BinaryMarshaler))
			if r, ok := into.(*coverage.Histogram); ok {
				r.Profile()
			}
			if r, ok := into.(*coverage.Moments); ok {
				r.N()
			}
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
