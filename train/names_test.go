package train_test

import (
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// reported runs each term with all that it can report, and returns the metrics' names.
func reported(t *testing.T) map[string][]string {
	toy, s := newToy(2, 6), newSpeaker(t)
	p, ref := toy.LogLinear, toy.ref
	dpo, reinforce := loss.DPO{Beta: 0.1}, loss.Reinforce{By: loss.SumTokens}
	adaptive := func() rloo.Controller { return &rloo.Adaptive{Target: 1, Rate: 0.1, Coef: 0.1} }
	token := s.term(reciter{s: s, replies: []int{0, 3}, logp: s.tokenProbs(t, s.Model)})
	token.Beta, token.Control, token.Importance = 0, adaptive(), &sampler.Importance{}
	token.Entropy, token.Mask = true, loss.DropTruncated{}

	names := map[string][]string{}
	note := func(term any, m *train.Metrics) {
		name, _, _ := strings.Cut(reflect.TypeOf(term).Elem().Name(), "[")
		for k := range m.All() {
			if !slices.Contains(names[name], k) {
				names[name] = append(names[name], k)
			}
		}
		names[name] = slices.Sorted(slices.Values(names[name]))
	}
	b := batch{Data: toy.data, Rows: toy.data.Len()}
	for i := range b.Rows {
		b.ID, b.Row = append(b.ID, uint64(i)), append(b.Row, i)
	}
	for _, term := range []term{
		&sft{Policy: p},
		&offline{Policy: p, Loss: dpo},
		&penalty{Policy: p, Ref: ref, K: 2, Lambda: 1},
		&budget{Policy: p, Ref: ref, K: 2, Dual: rloo.Dual{Budget: 1, Rate: 1}},
		&onlineRL{Policy: p, Ref: ref, Reward: worthOf, K: 2},
		&train.NashMD[x, int]{Policy: p, Ref: ref, Opponent: ref, Judge: taste, K: 2},
		&train.PolicyGradient[x, int]{
			Policy: p, Ref: ref, Reward: worthOf, K: 2, Advantage: rloo.RLOO{}, Loss: reinforce,
			Control: adaptive(), Importance: &sampler.Importance{},
		},
		&train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: dpo, K: 4, Judge: taste},
		&train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: dpo, K: 4, Reward: worthOf},
		&train.XPO[x, int]{Policy: p, Ref: ref, Judge: taste, Loss: dpo, K: 2, Alpha: 1},
		&train.REBEL[x, int]{Policy: p, Ref: ref, Reward: worthOf, K: 2, Eta: 1, Beta: 1},
		&train.SPPO[x, int]{Policy: p, Judge: taste, K: 2, Beta: 1},
		&train.BestOfN[x, int]{Policy: p, From: ref, Reward: worthOf, N: 2},
		&train.MovingRef[x, int]{Policy: p, Ref: policy.NewLogLinear(toyDim), Alpha: 1, Every: 1},
	} {
		var m train.Metrics
		require.NoError(t, term.Accumulate(ctx, &b, policy.Key{}, &m))
		note(term, &m)
	}
	var m train.Metrics
	require.NoError(t, token.Accumulate(ctx, s.one(), policy.Key{}, &m))
	note(token, &m)

	silent := probe{func(*batch, policy.Key, *train.Metrics) error { return nil }}
	l := files(toy.loop(silent), t.TempDir())
	run(t, l)
	for k := range lines(t, l.MetricsFile)[0] {
		if k != "step" {
			names["Loop"] = append(names["Loop"], k)
		}
	}
	slices.Sort(names["Loop"])
	return names
}

// TestMetricNames holds the tables of the package's documentation against what the terms report.
func TestMetricNames(t *testing.T) {
	_, section, ok := strings.Cut(readFile(t, "doc.go"), "\n// # Metrics\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n// # ")
	var metrics []string
	terms := map[string][]string{}
	for _, line := range regexp.MustCompile(`(?m)^//\t(\S+) +(.*)$`).FindAllStringSubmatch(section, -1) {
		name, rest := line[1], line[2]
		if name == strings.ToLower(name) {
			metrics = append(metrics, name)
			continue
		}
		terms[name] = nil
		for _, pattern := range strings.Fields(rest) {
			for _, metric := range metrics {
				if ok, _ := path.Match(pattern, metric); ok {
					terms[name] = append(terms[name], metric)
				}
			}
		}
		slices.Sort(terms[name])
	}
	got := reported(t)
	for _, name := range slices.Sorted(maps.Keys(terms)) {
		assert.Equal(t, terms[name], got[name], name)
	}
	used := slices.Concat(slices.Collect(maps.Values(got))...)
	for _, metric := range metrics {
		assert.Contains(t, used, metric)
	}

	// No term is left out: whatever has an Accumulate has a line.
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, source := range sources {
		for _, m := range regexp.MustCompile(`(?m)^func \(t \*([A-Z]\w*)(?:\[X, Y\])?\) Accumulate\(`).FindAllStringSubmatch(readFile(t, source), -1) {
			assert.Contains(t, terms, m[1])
		}
	}
}
