package main

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestIntervals counts how often 95% intervals hold the truth, which is enumerated.
func TestIntervals(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of audits")
	}
	w := newWorld(5, 0.7)
	truth := map[string]float64{
		"k1":      w.mean(func(p, q float64) float64 { return p * math.Log(p/q) }),
		"chi2":    w.mean(func(p, q float64) float64 { return p * p / q }) - 1,
		"renyi ½": -2 * math.Log(w.mean(func(p, q float64) float64 { return math.Sqrt(p * q) })),
		"renyi 2": math.Log(w.mean(func(p, q float64) float64 { return p * p / q })),
	}
	truth["k3"] = truth["k1"]
	beyond := func(n float64) float64 {
		return w.mean(func(p, q float64) float64 {
			if p/q >= n {
				return p
			}
			return 0
		})
	}
	hit := func(e any, want float64) int {
		if float(t, e, "lo") <= want && want <= float(t, e, "hi") {
			return 1
		}
		return 0
	}
	const runs = 100
	c := &config{In: "-", Seed: 1, Ratio: 20, MinPrompts: 10, MaxKhat: 0.7}
	for _, source := range []string{"policy", "ref"} {
		rng, hits := rand.New(rand.NewPCG(9, 9)), map[string]int{}
		for range runs {
			text := w.lines(rng, 80, 3, source)
			r := object(t, text)
			require.Equal(t, source, at(r, "chi2", "source"))
			require.Equal(t, source, at(r, "renyi", "source"))
			hits["chi2"] += hit(r["chi2"], truth["chi2"])
			hits["renyi ½"] += hit(at(r, "renyi", "0.5"), truth["renyi ½"])
			hits["renyi 2"] += hit(at(r, "renyi", "2"), truth["renyi 2"])
			if source == "ref" { // which the JSON leaves out
				a, err := read(t.Context(), c, strings.NewReader(text))
				require.NoError(t, err)
				weighted, err := a.result(c)
				require.NoError(t, err)
				if e := weighted.facts.kl; float64(e.Lo) <= truth["k1"] && truth["k1"] <= float64(e.Hi) {
					hits["k1"]++
				}
			} else {
				hits["k1"] += hit(at(r, "kl", "k1"), truth["k1"])
				hits["k3"] += hit(at(r, "kl", "k3"), truth["k3"])
			}
			band := 1 // the band is for all points at once
			for _, p := range r["profile"].([]any) {
				if source == "policy" {
					require.LessOrEqual(t, float(t, p, "hi"), 1.0)
				}
				require.GreaterOrEqual(t, float(t, p, "lo"), 0.0)
				band = min(band, hit(p, beyond(float(t, p, "n"))))
			}
			hits["profile"] += band
		}
		for name, n := range hits {
			// With a level of 95%, fewer than 88 of 100 have the probability 0.0015.
			assert.GreaterOrEqual(t, n, 88, "%s from samples of the %s: %d of %d", name, source, n, runs)
		}
		t.Log(source, hits)
	}
}

// TestEstimates holds a large sample against the truth, so that no interval covers by being
// wide.
func TestEstimates(t *testing.T) {
	w := newWorld(5, 0.7)
	r := object(t, w.lines(rand.New(rand.NewPCG(1, 1)), 4000, 4, "policy", "ref"))
	kl := w.mean(func(p, q float64) float64 { return p * math.Log(p/q) })
	second := w.mean(func(p, q float64) float64 { return p * p / q })
	assert.InEpsilon(t, kl, float(t, r, "kl", "k1", "value"), 0.05)
	assert.InEpsilon(t, kl, float(t, r, "kl", "k3", "value"), 0.05)
	assert.Less(t, float(t, r, "kl", "k1", "se"), 0.05*kl)
	assert.InEpsilon(t, second-1, float(t, r, "chi2", "value"), 0.05)
	assert.InEpsilon(t, math.Log(second), float(t, r, "renyi", "2", "value"), 0.05)
	assert.InEpsilon(t, 1/second, float(t, r, "ess", "fraction"), 0.05)
	assert.InEpsilon(t, 16000*float(t, r, "ess", "fraction"), float(t, r, "ess", "value"), 1e-12)
	largest := 0.0
	w.mean(func(p, q float64) float64 { largest = max(largest, p/q); return 0 })
	assert.InDelta(t, math.Log(largest), float(t, r, "renyi", "inf_seen"), 1e-9)
}
