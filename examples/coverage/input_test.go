package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

const good = `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"policy"}` + "\n"

var badSamples = []struct{ name, line, want string }{
	{"no JSON", `{"prompt":1,`, "the line ends within a value"},
	{"no object", `[1]`, "want an object, have [1]"},
	{"two values", strings.TrimSpace(good) + `{}`, "more than one value on the line"},
	{"no prompt", `{"logp":-1,"ref_logp":-2,"from":"policy"}`, "prompt: missing"},
	{"prompt null", `{"prompt":null,"logp":-1,"ref_logp":-2,"from":"policy"}`, "prompt: want a string or a number, have null"},
	{"prompt list", `{"prompt":[1],"logp":-1,"ref_logp":-2,"from":"policy"}`, "prompt: want a string or a number, have [1]"},
	{"no logp", `{"prompt":1,"ref_logp":-2,"from":"policy"}`, "logp: missing"},
	{"logp null", `{"prompt":1,"logp":null,"ref_logp":-2,"from":"policy"}`, "logp: missing"},
	{"no ref_logp", `{"prompt":1,"logp":-2,"from":"ref"}`, "ref_logp: missing"},
	{"no from", `{"prompt":1,"logp":-1,"ref_logp":-2}`, "from: missing"},
	{"from elsewhere", `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"data"}`, `from: want "policy" or "ref", have "data"`},
	{"logp text", `{"prompt":1,"logp":"-1","ref_logp":-2,"from":"policy"}`, `logp: want a number, have "-1"`},
	{"logp NaN", `{"prompt":1,"logp":"NaN","ref_logp":-2,"from":"policy"}`, `logp: want a number, have "NaN"`},
	{"logp infinite", `{"prompt":1,"logp":"Infinity","ref_logp":-2,"from":"policy"}`, "logp: +Inf is no log-probability"},
	{"logp out of range", `{"prompt":1,"logp":-1e999,"ref_logp":-2,"from":"policy"}`, "logp: out of range: -1e999"},
	{"impossible for the policy", `{"prompt":1,"logp":"-Infinity","ref_logp":-2,"from":"policy"}`, "logp: -Infinity, of a sample from the policy itself"},
	{"impossible for the reference", `{"prompt":1,"logp":-1,"ref_logp":"-Infinity","from":"ref"}`, "ref_logp: -Infinity, of a sample from the ref itself"},
	{"twice", `{"prompt":1,"logp":-1,"logp":-1,"ref_logp":-2,"from":"policy"}`, `"logp"`},
	{"length", `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"policy","length":-1}`, "length: must be a number of tokens, is -1"},
	{"length in parts", `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"policy","length":1.5}`, "length: must be a number of tokens, is 1.5"},
	{"features", `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"policy","features":[1,"Infinity"]}`, "features[1]: must be a finite number"},
	{"no features", `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"policy","features":[]}`, "features: is empty"},
	{"feature object", `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"policy","features":{}}`, "features: want a list of numbers, have {}"},
}

func TestBadSamples(t *testing.T) {
	var all strings.Builder
	for _, c := range badSamples {
		all.WriteString(c.line + "\n" + good)
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "samples.jsonl", good+"\n"+c.line+"\n"+good)
			err := failure(t, "", "-in", path)
			assert.Contains(t, err, path+":3: ")
			assert.Contains(t, err, c.want)
			r := object(t, "", "-in", path, "-skip-bad")
			assert.Equal(t, 1.0, at(r, "n", "skipped"))
			assert.Equal(t, 2.0, at(r, "n", "policy"))
		})
	}
	r := object(t, all.String(), "-skip-bad")
	assert.Equal(t, float64(len(badSamples)), at(r, "n", "skipped"))
	assert.Equal(t, float64(len(badSamples)), at(r, "n", "policy"), "the lines between are read")
}

func TestFeaturesOfOneLength(t *testing.T) {
	with := func(phi string) string { return strings.Replace(good, "}", `,"features":`+phi+"}", 1) }
	text := with("[1,2]") + with("[1,2,3]") + with("[2,2]")
	assert.Contains(t, failure(t, text), "standard input:2: features: 3 numbers, there were 2 before")
	assert.Equal(t, 2.0, at(object(t, text, "-skip-bad"), "n", "policy"))
}

func TestBadPairs(t *testing.T) {
	const fine = `{"prompt":1,"chosen":{"logp":-1,"ref_logp":-1},"rejected":{"logp":-1,"ref_logp":-1}}` + "\n"
	for _, c := range []struct{ name, line, want string }{
		{"no chosen", `{"prompt":1,"rejected":{"logp":-1,"ref_logp":-1}}`, "chosen.logp: missing"},
		{"text alone", `{"prompt":1,"chosen":"a","rejected":"b"}`, "chosen.logp: missing"},
		{"no rejected ref", `{"prompt":1,"chosen":{"logp":-1,"ref_logp":-1},"rejected":{"logp":-1}}`, "rejected.ref_logp: missing"},
		{"no prompt", `{"chosen":{"logp":-1,"ref_logp":-1},"rejected":{"logp":-1,"ref_logp":-1}}`, "prompt: missing"},
		{"nested text", `{"prompt":1,"chosen":{"logp":"x"}}`, `chosen.logp: want a number, have "x"`},
		{"flat text", `{"prompt":1,"ref_rejected_logps":"x"}`, `ref_rejected_logps: want a number, have "x"`},
		{"both forms", `{"prompt":1,"chosen":{"logp":-1},"chosen_logps":-1}`, "chosen_logps: given twice"},
		{"both forms of ref", `{"prompt":1,"rejected":{"ref_logp":-1},"ref_rejected_logps":-1}`, "ref_rejected_logps: given twice"},
		{"both forms of length", `{"prompt":1,"rejected_length":0,"rejected":{"length":0}}`, "rejected.length: given twice"},
		{"both forms of features", `{"prompt":1,"chosen_features":[0],"chosen":{"features":[0]}}`, "chosen.features: given twice"},
		{"impossible", `{"prompt":1,"chosen":{"logp":-1,"ref_logp":"-Infinity"},"rejected":{"logp":-1,"ref_logp":-1}}`, "chosen.ref_logp: -Infinity"},
		{"half the features", `{"prompt":1,"chosen":{"logp":-1,"ref_logp":-1,"features":[1]},"rejected":{"logp":-1,"ref_logp":-1}}`, "features: of one reply only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "pairs.jsonl", fine+c.line)
			assert.Contains(t, failure(t, "", "-pairs", path), path+":2: "+c.want)
			assert.Equal(t, map[string]any{"policy": 0.0, "ref": 2.0, "prompts": 1.0, "skipped": 1.0}, object(t, "", "-pairs", path, "-skip-bad")["n"])
		})
	}
}

// TestPairForms reads the same pairs in both forms, and as samples.
func TestPairForms(t *testing.T) {
	nested := object(t, "", "-pairs", write(t, "a.jsonl", `{"prompt":1,"chosen":{"logp":-1,"ref_logp":-2,"length":3},"rejected":{"logp":-3,"ref_logp":-1.5,"length":4}}
{"prompt":2,"chosen":{"logp":-2,"ref_logp":-2},"rejected":{"logp":-1,"ref_logp":-3},"from":"policy"}`))
	flat := object(t, "", "-pairs", write(t, "b.jsonl", `{"prompt":1,"chosen":"yes","rejected":[{"role":"a"}],"chosen_logps":-1,"ref_chosen_logps":-2,"chosen_length":3,"rejected_logps":-3,"ref_rejected_logps":-1.5}
{"prompt":2,"from":"policy","chosen_logps":-2,"ref_chosen_logps":-2,"rejected_logps":-1,"ref_rejected_logps":-3}`))
	samples := object(t, `{"prompt":1,"logp":-1,"ref_logp":-2,"from":"ref"}
{"prompt":1,"logp":-3,"ref_logp":-1.5,"from":"ref"}
{"prompt":2,"logp":-2,"ref_logp":-2,"from":"policy"}
{"prompt":2,"logp":-1,"ref_logp":-3,"from":"policy"}`)
	assert.Equal(t, samples, nested)
	assert.Equal(t, samples, flat)

	policy := object(t, "", "-pairs", "testdata/pairs.jsonl", "-pairs-from", "policy")
	assert.Equal(t, map[string]any{"policy": 120.0, "ref": 0.0, "prompts": 60.0, "skipped": 0.0}, policy["n"])
	assert.NotNil(t, policy["kl"])
	assert.Nil(t, policy["khat"])
}

// TestPairFeatures takes the features of the data from pairs where there are any, and those of
// the policy from its samples.
func TestPairFeatures(t *testing.T) {
	in := write(t, "in.jsonl", `{"prompt":1,"logp":-1,"ref_logp":-1,"from":"policy","features":[0,3]}
{"prompt":1,"logp":-1,"ref_logp":-1,"from":"policy","features":[0,0]}
{"prompt":1,"logp":-1,"ref_logp":-1,"from":"ref","features":[9,0]}
{"prompt":1,"logp":-1,"ref_logp":-1,"from":"ref","features":[0,0]}`)
	alone := object(t, "", "-in", in)
	assert.Equal(t, 1.0, at(alone, "features", "outside"), "the reference's samples differ elsewhere")
	pairs := write(t, "pairs.jsonl", `{"prompt":5,"chosen":{"logp":-1,"ref_logp":-1,"features":[1,1]},"rejected":{"logp":-1,"ref_logp":-1,"features":[1,3]}}`)
	r := object(t, "", "-in", in, "-pairs", pairs)
	assert.Equal(t, 0.0, at(r, "features", "outside"))
	assert.InDelta(t, 9./4, float(t, r, "features", "kappa"), 1e-12)
	assert.Equal(t, map[string]any{"policy": 2.0, "ref": 4.0, "prompts": 2.0, "skipped": 0.0}, r["n"])
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// TestWays reads one text from a file, gzip under any name, standard input named and unnamed.
func TestWays(t *testing.T) {
	text := newWorld(1, 0.5).lines(rand.New(rand.NewPCG(2, 2)), 30, 2, "policy", "ref")
	want := object(t, "", "-in", write(t, "a.jsonl", text))
	z := string(zipped(t, text))
	assert.Equal(t, want, object(t, text))
	assert.Equal(t, want, object(t, text, "-in", "-"))
	assert.Equal(t, want, object(t, z))
	assert.Equal(t, want, object(t, "", "-in", write(t, "a.jsonl.gz", z)))
	assert.Equal(t, want, object(t, "", "-in", write(t, "a.txt", z)))
	assert.Equal(t, want, object(t, "\uFEFF"+strings.ReplaceAll(text, "\n", "\r\n\r\n")))
	assert.Contains(t, failure(t, z[:len(z)/2], "-skip-bad"), "the gzip stream ends early")
	assert.Contains(t, failure(t, good+strings.Repeat(" ", maxLine+1), "-skip-bad"), "standard input:2: a line of more than")
	assert.Contains(t, failure(t, "\n \n"), "standard input: no samples")
	assert.Contains(t, failure(t, "x\n", "-skip-bad"), "no samples")
	assert.ErrorIs(t, run(t.Context(), []string{"-in", filepath.Join(t.TempDir(), "none")}, nil, false, io.Discard, io.Discard), os.ErrNotExist)
}

func TestSeed(t *testing.T) {
	args := []string{"-in", "testdata/near.jsonl"}
	one, again, two := object(t, "", args...), object(t, "", append(args, "-seed", "1")...), object(t, "", append(args, "-seed", "2")...)
	assert.Equal(t, one, again)
	assert.Equal(t, at(one, "chi2", "value"), at(two, "chi2", "value"))
	assert.NotEqual(t, at(one, "chi2", "lo"), at(two, "chi2", "lo"))
	assert.InDelta(t, float(t, one, "kl", "k1", "lo"), float(t, two, "kl", "k1", "lo"), 1e-12, "the interval of the KL is no bootstrap")
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-eps", "1"}, "-exact and -eps need each other"},
		{[]string{"-exact", "x"}, "-exact and -eps need each other"},
		{[]string{"-exact", "x", "-eps", "-1"}, "-eps is -1"},
		{[]string{"-exact", "x", "-eps", "1", "-in", "y"}, "-in does not go with -exact"},
		{[]string{"-in", "-", "-pairs", "-"}, "cannot both be standard input"},
		{[]string{"-pairs-from", "ref"}, "-pairs-from needs -pairs"},
		{[]string{"-pairs", "x", "-pairs-from", "data"}, `-pairs-from is "data"`},
		{[]string{"-ratio", "1"}, "-ratio is 1"},
		{[]string{"-max-kl", "-1"}, "-max-kl is -1"},
		{[]string{"-min-prompts", "1"}, "-min-prompts is 1, must be at least 2"},
		{[]string{"-precision", "0"}, "-precision is 0"},
		{[]string{"file.jsonl"}, `unexpected argument "file.jsonl"`},
		{[]string{"-nonsense"}, "not defined: -nonsense"},
	} {
		var stderr bytes.Buffer
		require.ErrorIs(t, run(t.Context(), c.args, nil, false, io.Discard, &stderr), command.ErrUsage, "%v", c.args)
		require.Contains(t, stderr.String(), c.want)
	}
}
