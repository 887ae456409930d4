package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

// ratios returns a line for each log-ratio, two to a prompt.
func ratios(from string, l ...float64) string {
	var b strings.Builder
	for i, v := range l {
		fmt.Fprintf(&b, `{"prompt":%d,"logp":%v,"ref_logp":-7,"from":%q}`+"\n", i/2, v-7, from)
	}
	return b.String()
}

// TestByHand holds every estimate against one made by hand.
func TestByHand(t *testing.T) {
	ln := math.Log
	r := object(t, ratios("policy", ln(1), ln(2), ln(4), ln(8))+ratios("ref", ln(1), ln(1), ln(2), ln(0.5)))
	assert.Equal(t, map[string]any{"policy": 4.0, "ref": 4.0, "prompts": 2.0, "skipped": 0.0}, r["n"])
	// Means of the prompts are ½·log 2 and 2½·log 2; t with one degree of freedom has the quantile 12.706.
	k1 := at(r, "kl", "k1")
	assert.InDelta(t, 1.5*ln(2), float(t, k1, "value"), 1e-12)
	assert.InDelta(t, ln(2), float(t, k1, "se"), 1e-12)
	assert.InDelta(t, 1.5*ln(2)-12.706*ln(2), float(t, k1, "lo"), 1e-3)
	assert.InDelta(t, 1.5*ln(2)+12.706*ln(2), float(t, k1, "hi"), 1e-3)
	assert.InDelta(t, (1+0.5+0.25+0.125)/4-1+1.5*ln(2), float(t, r, "kl", "k3", "value"), 1e-12)
	assert.InDelta(t, 15./4-1, float(t, r, "chi2", "value"), 1e-12)
	assert.InDelta(t, ln(15./4), float(t, r, "renyi", "2", "value"), 1e-12)
	half := (1 + math.Sqrt(1./2) + math.Sqrt(1./4) + math.Sqrt(1./8)) / 4 // E_π[w^{−½}]
	assert.InDelta(t, -2*ln(half), float(t, r, "renyi", "0.5", "value"), 1e-12)
	assert.InDelta(t, ln(8), float(t, r, "renyi", "inf_seen"), 1e-12)
	assert.InDelta(t, 4.5*4.5/6.25, float(t, r, "ess", "value"), 1e-12)
	assert.InDelta(t, 4.5*4.5/25, float(t, r, "ess", "fraction"), 1e-12)
	assert.InDelta(t, 1-1/math.Log10(4), float(t, r, "khat", "threshold"), 1e-12)
	for _, p := range r["profile"].([]any) {
		n, want := float(t, p, "n"), 0.0
		for _, w := range []float64{1, 2, 4, 8} {
			if w >= n {
				want += 0.25
			}
		}
		assert.Equal(t, want, float(t, p, "p"), "N = %v", n)
	}
	assert.Equal(t, 1.0, at(r, "worst_prompts", 0, "prompt"))
	assert.InDelta(t, 2.5*ln(2), float(t, r, "worst_prompts", 0, "kl"), 1e-12)
	assert.InDelta(t, ln(8), float(t, r, "worst_prompts", 0, "max_log_ratio"), 1e-12)

	ref := object(t, ratios("ref", ln(1), ln(1), ln(2), ln(0.5)))
	assert.InDelta(t, 6.25/4-1, float(t, ref, "chi2", "value"), 1e-12)
	assert.InDelta(t, -2*ln((2+math.Sqrt(2)+math.Sqrt(0.5))/4), float(t, ref, "renyi", "0.5", "value"), 1e-12)
	assert.InDelta(t, (2*ln(2)-0.5*ln(2))/2, float(t, ref, "worst_prompts", 0, "kl"), 1e-12)
}

// TestKhat holds k̂ against that of all weights at once.
func TestKhat(t *testing.T) {
	text := smooth(300, 3, 1.5)
	var logw []float64
	var s sample
	for line := range strings.Lines(text) {
		require.NoError(t, s.read(&fields{}, []byte(line)))
		if s.from == coverage.FromRef {
			logw = append(logw, s.logp-s.ref)
		}
	}
	p, err := new(coverage.PSIS).Smooth(nil, logw)
	require.NoError(t, err)
	r := object(t, text)
	assert.Equal(t, p.K, float(t, r, "khat", "value"))
	assert.Equal(t, p.Reliable(1), at(r, "khat", "reliable"))
}

// TestClusters repeats every sample of a prompt: nothing is learned, and no interval shrinks.
func TestClusters(t *testing.T) {
	var b strings.Builder
	for line := range strings.Lines(smooth(40, 1, 0.8)) {
		b.WriteString(strings.Repeat(line, 9))
	}
	once, often := object(t, smooth(40, 1, 0.8)), object(t, b.String())
	for _, path := range [][]any{{"kl", "k1"}, {"kl", "k3"}, {"chi2"}, {"renyi", "0.5"}, {"renyi", "2"}} {
		for _, k := range []string{"value", "se", "lo", "hi"} {
			at := append(append([]any{}, path...), k)
			assert.InDelta(t, float(t, once, at...), float(t, often, at...), 1e-9, "%v", at)
		}
	}
}

// TestProfileEnds has samples beyond both ends of what the profile covers.
func TestProfileEnds(t *testing.T) {
	points := object(t, ratios("policy", -9, 0, 0, 60))["profile"].([]any)
	require.Len(t, points, 129)
	assert.Equal(t, math.Exp(-8), float(t, points, 0, "n"))
	assert.Equal(t, 0.75, float(t, points, 0, "p"))
	assert.Equal(t, math.Exp(56), float(t, points, 128, "n"))
	assert.Equal(t, 0.25, float(t, points, 128, "p"))
}
