package main

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keys asserts that got has the keys of want and no others, at every depth. A list in want has
// one element, which all of got's must be like; nil in want is nil in got.
func keys(t *testing.T, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		require.True(t, ok, "want an object, have %v", got)
		require.Len(t, g, len(w), "%v", g)
		for k, v := range w {
			require.Contains(t, g, k)
			keys(t, v, g[k])
		}
	case []any:
		g, ok := got.([]any)
		require.True(t, ok, "want a list, have %v", got)
		require.NotEmpty(t, g)
		for _, v := range g {
			keys(t, w[0], v)
		}
	case nil:
		require.Nil(t, got)
	case string:
		require.IsType(t, w, got)
	case bool:
		require.IsType(t, w, got)
	default:
		if s, ok := got.(string); ok {
			require.True(t, slices.Contains([]string{"Infinity", "-Infinity", "NaN"}, s), "%q is no number", s)
		} else {
			require.IsType(t, 0.0, got)
		}
	}
}

func TestKeys(t *testing.T) {
	type m = map[string]any
	e := m{"value": 0, "se": 0, "lo": 0, "hi": 0}
	both := func() m {
		return m{
			"n":  m{"policy": 0, "ref": 0, "prompts": 0, "skipped": 0},
			"kl": m{"k1": e, "k3": e}, "chi2": m{"value": 0, "se": 0, "lo": 0, "hi": 0, "source": ""},
			"renyi": m{"0.5": e, "2": e, "inf_seen": 0, "source": ""},
			"ess":   m{"value": 0, "fraction": 0}, "khat": m{"value": 0, "threshold": 0, "reliable": true},
			"profile": []any{m{"n": 0, "p": 0, "lo": 0, "hi": 0}}, "worst_prompts": []any{m{"prompt": 0, "kl": 0, "max_log_ratio": 0}},
			"features": nil, "verdict": "", "reasons": []any{""},
		}
	}
	policy, ref, all := both(), both(), both()
	policy["ess"], policy["khat"] = nil, nil
	ref["kl"] = nil
	w, rng := newWorld(3, 0.5), rand.New(rand.NewPCG(4, 4))
	for _, prompts := range []int{1, 2, 30} {
		for _, k := range []int{1, 5} {
			keys(t, all, object(t, w.lines(rng, prompts, k, "policy", "ref")))
			keys(t, policy, object(t, w.lines(rng, prompts, k, "policy")))
			keys(t, ref, object(t, w.lines(rng, prompts, k, "ref")))
		}
	}
	all["features"] = m{"kappa": 0, "outside": 0}
	line := func(id, from, phi string) string {
		return `{"prompt":` + id + `,"logp":-1,"ref_logp":-2,"from":"` + from + `","features":` + phi + "}\n"
	}
	text := line(`1`, "policy", "[1,2]") + line(`1`, "policy", "[2,2]") + line(`1`, "ref", "[1,2]") + line(`1`, "ref", "[3,2]")
	r := object(t, text)
	keys(t, all, r)
	assert.InDelta(t, 0.25, float(t, r, "features", "kappa"), 1e-12) // 1² against 2²
	assert.Zero(t, float(t, r, "features", "outside"))
	// Both replies of the policy differ in a direction that the data lacks.
	r = object(t, text+line(`2`, "policy", "[1,2]")+line(`2`, "policy", "[1,3]"))
	assert.Equal(t, "Infinity", at(r, "features", "kappa"))
	assert.InDelta(t, 0.5, float(t, r, "features", "outside"), 1e-12)
}

func TestIdsAreKept(t *testing.T) {
	r := object(t, `{"prompt":"a<b>& é","logp":-1,"ref_logp":-3,"from":"policy"}
{"prompt":7.50,"logp":-1,"ref_logp":-2,"from":"policy","extra":{"a":[1,null]}}
{"prompt":"\u0061<b>& é","logp":-1,"ref_logp":-3,"from":"policy","length":null}
{"prompt":"7.50","logp":-1,"ref_logp":-1,"from":"policy"}
`)
	assert.Equal(t, 3.0, at(r, "n", "prompts"))
	assert.Equal(t, "a<b>& é", at(r, "worst_prompts", 0, "prompt"))
	assert.InDelta(t, 2, float(t, r, "worst_prompts", 0, "kl"), 1e-12)
	assert.Equal(t, 7.5, at(r, "worst_prompts", 1, "prompt"))
	assert.Equal(t, "7.50", at(r, "worst_prompts", 2, "prompt"))
	text := output(t, `{"prompt":7.50,"logp":-1,"ref_logp":-2,"from":"policy"}`, "-json")
	assert.Contains(t, text, `"prompt": 7.50`)
}

func TestWorstPromptsAreTen(t *testing.T) {
	r := object(t, newWorld(3, 0.5).lines(rand.New(rand.NewPCG(4, 4)), 40, 2, "policy"))
	worst := r["worst_prompts"].([]any)
	require.Len(t, worst, 10)
	for i := range 9 {
		assert.GreaterOrEqual(t, float(t, worst, i, "kl"), float(t, worst, i+1, "kl"))
	}
}
