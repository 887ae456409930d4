package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// same returns lines of a policy that is its reference.
func same(prompts, k int, sources ...string) string {
	var b strings.Builder
	for x := range prompts {
		for _, from := range sources {
			for j := range k {
				fmt.Fprintf(&b, `{"prompt":%d,"logp":%d,"ref_logp":%d,"from":%q}`+"\n", x, -j, -j, from)
			}
		}
	}
	return b.String()
}

// heavy returns lines of samples whose weights have no mean to speak of.
func heavy(prompts int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for x := range prompts {
		fmt.Fprintf(&b, `{"prompt":%d,"logp":%v,"ref_logp":-50,"from":"ref"}`+"\n", x, -52+1.5*rng.ExpFloat64())
	}
	return b.String()
}

// common5 returns lines of samples of the reference, five to a prompt: one of them has the
// weight 5, the others 0.
func common5(prompts int) string {
	var b strings.Builder
	for x := range prompts {
		fmt.Fprintf(&b, `{"prompt":%d,"logp":%v,"ref_logp":-7,"from":"ref"}`+"\n", x, math.Log(5)-7)
		b.WriteString(strings.Repeat(fmt.Sprintf(`{"prompt":%d,"logp":"-Infinity","ref_logp":-7,"from":"ref"}`+"\n", x), 4))
	}
	return b.String()
}

func TestVerdict(t *testing.T) {
	near, farther := newWorld(5, 0.5), &world{policy: [][]float64{{1}}, ref: [][]float64{{math.Exp(-6)}}}
	sample := func(w *world, prompts int, sources ...string) string {
		return w.lines(rand.New(rand.NewPCG(8, 8)), prompts, 4, sources...)
	}
	for _, c := range []struct {
		name, text string
		args       []string
		verdict    string
		reasons    []string // parts of them, in order
	}{
		{"the reference itself", same(20, 8, "policy", "ref"), nil, "offline", []string{"KL(π‖π_ref) is 0 [0, 0]", "0% [0%, 2.3%]", "no rare sample dominates"}},
		{"the reference itself, from policy", same(20, 8, "policy"), nil, "offline", []string{"KL(π‖π_ref) is 0 [0, 0]", "0% [0%"}},
		{"the reference itself, from ref", same(20, 8, "ref"), nil, "offline", []string{"KL(π‖π_ref) is 0 [0, 0] nats, by importance weights", "0% [0%, 0%]", "no rare sample"}},
		{"near", sample(near, 200, "policy", "ref"), nil, "offline", []string{"below the limit of 2", "below the limit of 10%", "importance weights can be trusted"}},
		{"near, from ref", sample(near, 200, "ref"), nil, "offline", []string{"by importance weights, below", "by importance weights, below", "can be trusted"}},
		{"a limit below", sample(near, 200, "policy"), []string{"-max-kl", "0.03"}, "add-online-kl", []string{"above the limit of 0.03"}},
		{"a limit below, from ref", sample(near, 200, "ref"), []string{"-max-kl", "0.02"}, "add-online-kl", []string{"by importance weights, above the limit of 0.02"}},
		{"a share below", sample(near, 200, "policy"), []string{"-ratio", "1.5", "-max-share", "0.05"}, "add-online-kl", []string{"at least 1.5 times as often as the reference, above the limit of 5%"}},
		{"a limit within", sample(near, 200, "policy"), []string{"-max-kl", "0.05"}, "unreliable", []string{"on which side of the limit of 0.05"}},
		{"a share within", sample(near, 200, "policy"), []string{"-ratio", "1.8", "-max-share", "0.1"}, "unreliable", []string{"on which side of the limit of 10%"}},
		{"few prompts", sample(near, 9, "policy"), []string{"-max-share", "0.5"}, "unreliable", []string{"9 prompts: intervals need at least 10"}},
		{"enough prompts", sample(near, 9, "policy"), []string{"-max-share", "0.5", "-min-prompts", "5"}, "offline", []string{"below", "below"}},
		{"far, few prompts", sample(near, 9, "policy"), []string{"-max-kl", "0"}, "unreliable", []string{"which side of the limit of 0", "9 prompts"}},
		{"surely far, few prompts", sample(farther, 9, "policy"), nil, "unreliable", []string{"6.00 [6.00, 6.00] nats, which is above the limit of 2 if it can be trusted", "100% [90%, 100%]", "9 prompts"}},
		{"surely far", sample(farther, 10, "policy"), nil, "add-online-kl", []string{"6.00 [6.00, 6.00]", "above the limit of 10%"}},
		{"all beyond", sample(farther, 10, "policy"), []string{"-max-kl", "7", "-max-share", "0.95"}, "unreliable", []string{"100% [91%, 100%]"}},
		{"one prompt", same(1, 50, "policy"), nil, "unreliable", []string{"KL(π‖π_ref) is 0 [no interval]", "[no interval]", "1 prompt: intervals need"}},
		{"one sample", good, nil, "unreliable", []string{"1.00 [no interval]", "0% [no interval]", "1 prompt"}},
		{"one sample of ref", strings.Replace(good, "policy", "ref", 1), nil, "unreliable", []string{"no interval", "no interval", "1 prompt", "k̂ cannot be fitted: too few of the weights of the 1 sample", "are worth 1.00"}},
		{"outside", good + `{"prompt":1,"logp":-1,"ref_logp":"-Infinity","from":"policy"}`, nil, "add-online-kl", []string{"is infinite"}},
		{"heavy weights", heavy(400), nil, "unreliable", []string{"", "", "k̂ = ", "are worth"}},
		{"heavy weights, above the limit", heavy(400), []string{"-max-kl", "0.5"}, "unreliable", []string{"", "", "k̂ = ", "are worth"}},
		{"common weights", common5(40), []string{"-max-kl", "1"}, "add-online-kl", []string{"KL(π‖π_ref) is 1.61 [1.61, 1.61] nats, by importance weights, above the limit of 1"}},
		{"common weights that k̂ misreads", sample(newWorld(24, 0.5), 400, "ref"), []string{"-max-kl", "0.02"}, "add-online-kl", []string{"above the limit of 0.02"}},
		{"common weights that k̂ misreads, near", sample(newWorld(24, 0.5), 400, "ref"), nil, "offline", []string{"", "", "the largest importance weight is a common one"}},
		{"another temperature", strings.ReplaceAll(smooth(100, 2, 0.5), `"ref_logp":0`, `"ref_logp":-0.3`), nil, "unreliable", []string{"the importance weights have the mean 1.40 [1.29, 1.51]"}},
		{"worth little", sample(near, 200, "policy", "ref"), []string{"-min-ess", "1000"}, "unreliable", []string{"fewer than 1000"}},
		{"no samples of the reference", strings.ReplaceAll(same(20, 8, "ref"), `"logp":-`, `"logp":-9`), nil, "unreliable", []string{"0% [0%, 88%]", "are worth 20.0", "the importance weights have the mean 0.13"}},
		{"none possible", strings.ReplaceAll(strings.ReplaceAll(same(20, 8, "ref"), `,"logp":0`, `,"logp":-0`), `,"logp":-`, `,"logp":"-Infinity","was":-`), nil,
			"unreliable", []string{"", "k̂ cannot be fitted", "are worth 0", "have the mean 0 [0, 0]"}},
		{"more samples", sample(near, 200, "policy", "ref"), []string{"-precision", "0.01"}, "offline", []string{"", "", "", "to know the KL to ±0.01 nats takes about"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := object(t, c.text, c.args...)
			var reasons []string
			for _, v := range r["reasons"].([]any) {
				reasons = append(reasons, v.(string))
			}
			require.Equal(t, c.verdict, r["verdict"], "%q", reasons)
			require.Len(t, reasons, len(c.reasons), "%q", reasons)
			for i, part := range c.reasons {
				assert.Contains(t, reasons[i], part)
			}
			assert.Contains(t, output(t, c.text, c.args...), "("+c.verdict+")")
		})
	}
}

// smooth returns lines whose log-ratios are normal: of mean ±s²/2 and variance s².
func smooth(prompts, k int, s float64) string {
	rng := rand.New(rand.NewPCG(3, 3))
	var b strings.Builder
	for x := range prompts {
		for range k {
			fmt.Fprintf(&b, `{"prompt":%d,"logp":%v,"ref_logp":0,"from":"policy"}`+"\n", x, s*rng.NormFloat64()+s*s/2)
			fmt.Fprintf(&b, `{"prompt":%d,"logp":%v,"ref_logp":0,"from":"ref"}`+"\n", x, s*rng.NormFloat64()-s*s/2)
		}
	}
	return b.String()
}

// TestMoreSamples halves the interval of the KL with four times the prompts.
func TestMoreSamples(t *testing.T) {
	text := smooth(100, 2, 0.5)
	r := object(t, text)
	require.Less(t, float(t, r, "khat", "value"), 0.5)
	half := (float(t, r, "kl", "k1", "hi") - float(t, r, "kl", "k1", "lo")) / 2
	reasons := object(t, text, "-precision", fmt.Sprint(half/2))["reasons"].([]any)
	assert.Contains(t, reasons[len(reasons)-1], "about 600 samples more of the policy, on 300 prompts more")
	r = object(t, smooth(400, 2, 0.5))
	assert.InEpsilon(t, half/2, (float(t, r, "kl", "k1", "hi")-float(t, r, "kl", "k1", "lo"))/2, 0.1)
}

// TestTrust asks more of the weights, and says nothing of more samples then.
func TestTrust(t *testing.T) {
	r := object(t, "", "-in", "testdata/near.jsonl", "-max-khat", "0.3")
	assert.Equal(t, "unreliable", r["verdict"])
	assert.Equal(t, map[string]any{"value": at(r, "khat", "value"), "threshold": 0.3, "reliable": false}, r["khat"])
	assert.Contains(t, at(r, "reasons", 0), "k̂ = 0.37, not below 0.30")
	r = object(t, heavy(400), "-precision", "10")
	for _, v := range r["reasons"].([]any) {
		assert.NotContains(t, v, "more of the")
	}
}

func TestVerdictByFeatures(t *testing.T) {
	line := func(x int, from string, phi ...float64) string {
		return fmt.Sprintf(`{"prompt":%d,"logp":-1,"ref_logp":-1,"from":%q,"features":[%v,%v]}`+"\n", x, from, phi[0], phi[1])
	}
	text := func(policy, ref []float64) string {
		var b strings.Builder
		for x := range 40 {
			b.WriteString(line(x, "policy", 0, 0) + line(x, "policy", policy...) + line(x, "ref", 0, 0) + line(x, "ref", ref...))
		}
		return b.String()
	}
	r := object(t, text([]float64{5, 0}, []float64{1, 0}))
	assert.Equal(t, "add-online-kl", r["verdict"])
	assert.Contains(t, at(r, "reasons", 0), "κ = 25.0 times as much as the data, above the limit of 20")
	assert.Equal(t, "offline", object(t, text([]float64{5, 0}, []float64{1, 0}), "-max-kappa", "25.1")["verdict"])
	r = object(t, text([]float64{0, 1}, []float64{1, 0}))
	assert.Equal(t, "add-online-kl", r["verdict"])
	assert.Contains(t, at(r, "reasons", 0), "100% of the policy's replies differ in a direction of features in which no two replies of the data do (40 pairs span 1 of 2 dimensions)")
	assert.Equal(t, "offline", object(t, text([]float64{0, 1}, []float64{1, 0}), "-max-outside", "1")["verdict"])
}
