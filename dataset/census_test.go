package dataset_test

import (
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCensus(t *testing.T) {
	pair := func(prompt, chosen, rejected string) dataset.Pair {
		return dataset.Pair{Prompt: text(prompt), Chosen: text(chosen), Rejected: text(rejected)}
	}
	for _, c := range []struct {
		name                                       string
		pairs                                      []dataset.Pair
		prompts, duplicates, contradictions, total int
	}{
		{"nothing", nil, 0, 0, 0, 0},
		{"different", []dataset.Pair{pair("x", "a", "b"), pair("x", "a", "c"), pair("y", "a", "b")}, 2, 0, 0, 3},
		{"three of a kind", []dataset.Pair{pair("x", "a", "b"), pair("x", "a", "b"), pair("x", "a", "b")}, 1, 2, 0, 3},
		{"swapped", []dataset.Pair{pair("x", "a", "b"), pair("x", "b", "a")}, 1, 0, 1, 2},
		{"swapped under another prompt", []dataset.Pair{pair("x", "a", "b"), pair("y", "b", "a")}, 2, 0, 0, 2},
		{"two against one", []dataset.Pair{pair("x", "b", "a"), pair("x", "a", "b"), pair("x", "a", "b")}, 1, 1, 1, 3},
		{"two against two", []dataset.Pair{pair("x", "a", "b"), pair("x", "a", "b"), pair("x", "b", "a"), pair("x", "b", "a")}, 1, 2, 2, 4},
		{"texts do not run together", []dataset.Pair{pair("x", "ab", "c"), pair("x", "a", "bc"), pair("xa", "b", "c")}, 2, 0, 0, 3},
		{"a conversation is not its text", []dataset.Pair{pair("x", "a", "b"), {Prompt: chat("user", "x"), Chosen: text("a"), Rejected: text("b")}}, 2, 0, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var census dataset.Census
			for _, p := range c.pairs {
				census.Add(p)
			}
			assert.Equal(t, []int{c.prompts, c.duplicates, c.contradictions, c.total},
				[]int{census.Prompts, census.Duplicates, census.Contradictions, census.Pairs})
		})
	}
}

func TestFingerprint(t *testing.T) {
	p := dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), At: dataset.Position{File: "f", Line: 9}}
	// Both computed with Python's hashlib from the documented bytes.
	f := dataset.NewFingerprint(p, "model@1", "tok")
	assert.Equal(t, dataset.Fingerprint("sha256:7d7490696246df7968034231ecd2575b"), f)
	talk := dataset.Pair{Prompt: chat("user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}
	assert.Equal(t, dataset.Fingerprint("sha256:17d585912f7f4f58f282a82c585f837a"), dataset.NewFingerprint(talk))

	assert.ErrorIs(t, p.CheckRef("model@1", "tok"), dataset.MissingField, "no log-probabilities")
	p.Ref = &dataset.Ref{Chosen: -1, Rejected: -2}
	assert.ErrorIs(t, p.CheckRef("model@1", "tok"), dataset.MissingField, "no fingerprint")
	p.Ref.Fingerprint = f
	require.NoError(t, p.CheckRef("model@1", "tok"))

	stored := one[dataset.Pair](t, encode(t, p))
	require.NoError(t, stored.CheckRef("model@1", "tok"), "written and read back")

	for _, identity := range [][]string{{"model@2", "tok"}, {"tok", "model@1"}, {"model@1tok"}, {"model@1"}, {}, {"model@1", "tok", ""}} {
		err := p.CheckRef(identity...)
		require.ErrorIs(t, err, dataset.FingerprintMismatch, identity)
		assert.EqualError(t, err, "f:9: ref_fingerprint: fingerprint mismatch: have "+string(f)+", want "+string(dataset.NewFingerprint(p, identity...)))
	}
	for _, change := range []func(*dataset.Pair){
		func(p *dataset.Pair) { p.Prompt.Plain += " " },
		func(p *dataset.Pair) { p.Chosen.Plain = "Yes" },
		func(p *dataset.Pair) { p.Rejected.Plain = "" },
		func(p *dataset.Pair) { p.Chosen, p.Rejected = p.Rejected, p.Chosen },
		func(p *dataset.Pair) { p.Prompt = chat("user", "Hi") },
	} {
		other := p
		change(&other)
		assert.ErrorIs(t, other.CheckRef("model@1", "tok"), dataset.FingerprintMismatch)
	}
	p.Margin, p.At = ptr(1.0), dataset.Position{}
	assert.NoError(t, p.CheckRef("model@1", "tok"), "neither margin nor position matter to the model")
}
