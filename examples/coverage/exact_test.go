package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func exactly(t *testing.T, eps, text string) map[string]any {
	t.Helper()
	return object(t, "", "-exact", write(t, "exact.jsonl", text), "-eps", eps)
}

// bisect returns p*/q for the largest p with p·log(p/q) + (1−p)·log((1−p)/(1−q)) ≤ eps.
func bisect(q, eps float64) float64 {
	kl := func(p float64) float64 {
		if p == 1 {
			return -math.Log(q)
		}
		return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
	}
	if kl(1) <= eps {
		return 1 / q
	}
	lo, hi := q, 1.0
	for range 200 {
		if mid := (lo + hi) / 2; kl(mid) <= eps {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo / q
}

func TestExactOnePrompt(t *testing.T) {
	for _, eps := range []float64{0, 0.01, 0.1, 0.5, math.Ln2, 3} {
		text, err := json.Marshal(eps)
		require.NoError(t, err)
		r := exactly(t, string(text), `{"prompt":"a","ref":[0.5,0.5],"policy":[0.75,0.25]}`)
		assert.InDelta(t, 2, float(t, r, "c_glo"), 1e-12)
		assert.InDelta(t, bisect(0.5, eps), float(t, r, "c_eps_prompt", 0), 1e-7, "eps %v", eps)
		assert.InDelta(t, bisect(0.5, eps), float(t, r, "c_eps_average"), 1e-7, "eps %v", eps)
		assert.InDelta(t, 0.75*math.Log(1.5)+0.25*math.Log(0.5), float(t, r, "kl"), 1e-12)
		assert.InDelta(t, 0.25, float(t, r, "chi2"), 1e-12) // (¼)²/½ twice
		assert.InDelta(t, -2*math.Log(math.Sqrt(0.375)+math.Sqrt(0.125)), float(t, r, "renyi", "0.5"), 1e-12)
		assert.InDelta(t, math.Log(1.25), float(t, r, "renyi", "2"), 1e-12)
		assert.InDelta(t, math.Log(1.5), float(t, r, "renyi", "inf"), 1e-12)
	}
}

func TestExactPrompts(t *testing.T) {
	lines := `{"prompt":1,"rho":3,"ref":[0.5,0.25,0.25],"policy":[0.25,0.5,0.25]}
{"prompt":"two","rho":1,"ref":[0.9,0.1],"policy":[0.5,0.5]}
`
	r := exactly(t, "0.2", lines)
	assert.InDelta(t, 10, float(t, r, "c_glo"), 1e-12)
	require.Len(t, r["c_eps_prompt"], 2)
	assert.InDelta(t, bisect(0.25, 0.2), float(t, r, "c_eps_prompt", 0), 1e-7)
	assert.InDelta(t, bisect(0.1, 0.2), float(t, r, "c_eps_prompt", 1), 1e-7)
	// The budget goes to one prompt, of weight ¾ or ¼.
	assert.InDelta(t, max(bisect(0.25, 0.2/0.75), bisect(0.1, 0.8)), float(t, r, "c_eps_average"), 1e-7)
	kl1, kl2 := 0.25*math.Log(0.5)+0.5*math.Log(2), 0.5*math.Log(0.5/0.9)+0.5*math.Log(5)
	assert.InDelta(t, 0.75*kl1+0.25*kl2, float(t, r, "kl"), 1e-12)
	second := 0.75*(0.125+1+0.25) + 0.25*(0.25/0.9+2.5)
	assert.InDelta(t, second-1, float(t, r, "chi2"), 1e-12)
	assert.InDelta(t, math.Log(second), float(t, r, "renyi", "2"), 1e-12)
	assert.InDelta(t, math.Log(5), float(t, r, "renyi", "inf"), 1e-12)

	uniform := exactly(t, "0.2", strings.NewReplacer(`"rho":3,`, "", `"rho":1,`, "").Replace(lines))
	assert.InDelta(t, (kl1+kl2)/2, float(t, uniform, "kl"), 1e-12)
	assert.InDelta(t, max(bisect(0.25, 0.4), bisect(0.1, 0.4)), float(t, uniform, "c_eps_average"), 1e-7)
}

func TestExactEdges(t *testing.T) {
	r := exactly(t, "0.1", `{"prompt":1,"ref":[0.5,0.5,0]}`)
	assert.Equal(t, "Infinity", r["c_glo"])
	assert.InDelta(t, bisect(0.5, 0.1), float(t, r, "c_eps_prompt", 0), 1e-7, "outside the reference is outside the ball")
	for _, k := range []string{"kl", "chi2", "renyi"} {
		require.Contains(t, r, k)
		assert.Nil(t, r[k])
	}
	r = exactly(t, "0.1", `{"prompt":1,"ref":[0.5,0.5,0],"policy":[0.5,0.25,0.25]}`)
	assert.Equal(t, "Infinity", r["kl"])
	assert.Equal(t, "Infinity", r["chi2"])
	assert.Equal(t, "Infinity", at(r, "renyi", "2"))
	assert.Equal(t, "Infinity", at(r, "renyi", "inf"))
	assert.InDelta(t, -2*math.Log(0.5+math.Sqrt(0.125)), float(t, r, "renyi", "0.5"), 1e-12)
	// A prompt that does not occur does not count, but has its own coefficient.
	r = exactly(t, "0.1", `{"prompt":1,"rho":0,"ref":[0.999,0.001]}`+"\n"+`{"prompt":2,"rho":7,"ref":[0.5,0.5]}`)
	assert.InDelta(t, 2, float(t, r, "c_glo"), 1e-12)
	assert.InDelta(t, bisect(0.001, 0.1), float(t, r, "c_eps_prompt", 0), 1e-5)
	assert.InDelta(t, bisect(0.5, 0.1), float(t, r, "c_eps_average"), 1e-7)
	// One line without a policy leaves nothing to compare.
	r = exactly(t, "0.1", `{"prompt":1,"ref":[1],"policy":[1]}`+"\n"+`{"prompt":2,"ref":[0.5,0.5]}`)
	assert.Nil(t, r["kl"])
	keys(t, map[string]any{"c_glo": 0, "c_eps_prompt": []any{0}, "c_eps_average": 0, "kl": nil, "chi2": nil, "renyi": nil}, r)
}

func TestExactErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"negative", `{"prompt":1,"ref":[1.5,-0.5]}`, ":1: ref[1]: is -0.5"},
		{"sum", `{"prompt":1,"ref":[0.5,0.5]}` + "\n" + `{"prompt":2,"ref":[0.5,0.500000002]}`, ":2: ref: the probabilities sum to"},
		{"sum of policy", `{"prompt":1,"ref":[0.5,0.5],"policy":[0.2,0.2]}`, ":1: policy: the probabilities sum to 0.4"},
		{"lengths", `{"prompt":1,"ref":[0.5,0.5],"policy":[1]}`, ":1: policy: 1 probabilities, ref has 2"},
		{"no ref", "\n" + `{"prompt":1}`, ":2: ref: missing"},
		{"empty", `{"prompt":1,"ref":[]}`, ":1: ref: is empty"},
		{"rho on one", `{"prompt":1,"rho":1,"ref":[1]}` + "\n" + `{"prompt":2,"ref":[1]}`, ":2: rho: must be on all lines or on none"},
		{"negative rho", `{"prompt":1,"rho":-1,"ref":[1]}`, ":1: rho: is -1"},
		{"no weight", `{"prompt":1,"rho":0,"ref":[1]}`, "rho: all are 0"},
		{"text", `{"prompt":1,"ref":["a"]}`, `:1: ref[0]: want a number, have "a"`},
		{"no lines", "\n\n", "no lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, failure(t, "", "-exact", write(t, "exact.jsonl", c.text), "-eps", "1"), c.want)
		})
	}
	// 1e-9 is still a sum of 1.
	exactly(t, "1", `{"prompt":1,"ref":[0.5,0.5000000009]}`)
}
