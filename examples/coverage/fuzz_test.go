package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// FuzzSample holds what is accepted against encoding/json, and asserts that an audit of it
// alone works.
func FuzzSample(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"prompt":"\u00e9","logp":-1e-3,"ref_logp":"-Infinity","from":"policy","length":3,"features":[1,-2e5],"x":[{}]}`))
	f.Add([]byte(`{"prompt":-0.0,"logp":"-Infinity","ref_logp":0,"from":"ref","length":null}`))
	for _, c := range badSamples {
		f.Add([]byte(c.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var s sample
		if err := s.read(&fields{}, line); err != nil {
			require.IsType(t, &lineError{}, err)
			return
		}
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &members))
		for name, got := range map[string]float64{"logp": s.logp, "ref_logp": s.ref} {
			var want jsonnum.Float
			require.NoError(t, json.Unmarshal(members[name], &want))
			assert.Equal(t, want, jsonnum.Float(got))
		}
		var phi []jsonnum.Float
		if raw, ok := members["features"]; ok {
			require.NoError(t, json.Unmarshal(raw, &phi))
		}
		require.Len(t, s.features, len(phi))
		for i, want := range phi {
			assert.Equal(t, want, jsonnum.Float(s.features[i]))
		}
		a, err := newAudit(&config{Seed: 1, Ratio: 20})
		require.NoError(t, err)
		require.NoError(t, a.addSample(&s))
		r, err := a.result(&config{Seed: 1, Ratio: 20, MinPrompts: 10, MaxKhat: 0.7})
		require.NoError(t, err)
		assert.Equal(t, 1, r.N.Policy+r.N.Ref)
		if s.from == coverage.FromPolicy {
			assert.Equal(t, math.IsInf(s.ref, -1), math.IsInf(float64(r.KL.K1.Value), 1))
		}
		assert.Equal(t, unreliable == r.Verdict, !r.facts.outside, "one sample proves nothing else")
	})
}
