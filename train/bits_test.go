package train_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

type tokens = []int32

// languageRun trains a small language model by constrained HyPO and returns its parameters.
func languageRun(t *testing.T) []float64 {
	const vocab, eos, longest = 300, 0, 12 // several pieces of work
	m, err := lm.New(lm.Config{Vocab: vocab, EOS: eos, Dim: 16, Order: 2, Buckets: 64, Seed: 3})
	require.NoError(t, err)
	g := rand.New(rand.NewPCG(4, 5))
	for i := range m.Params() {
		m.Params()[i] += 0.1 * g.NormFloat64()
	}
	text := func(n int) tokens {
		ids := make(tokens, n)
		for i := range ids {
			ids[i] = int32(1 + g.IntN(vocab-1))
		}
		return ids
	}
	var d train.Data[tokens, tokens]
	for range 16 {
		d.X = append(d.X, text(1+g.IntN(6)))
		d.Chosen, d.Rejected = append(d.Chosen, append(text(g.IntN(longest-1)), eos)), append(d.Rejected, text(longest))
	}
	sequences := func(m interface {
		policy.TokenPolicy
		policy.Decoder
	}) policy.Sequences {
		return policy.Sequences{Model: m, Generator: sampler.NewAncestral(m, eos, longest)}
	}
	pi, ref := sequences(m), sequences(m.Freeze())
	require.NoError(t, train.CheckInit(ctx, pi, ref, &d, 8, 1e-12))
	require.NoError(t, d.CacheRef(ctx, ref, 8, nil))
	l := train.Loop[tokens, tokens]{
		Data: d, Updater: train.NewAdamW(m), Steps: 3, Batch: 16, Micro: 10, LR: 0.02, MaxNorm: 1, Seed: 6,
		Terms: []train.Term[tokens, tokens]{
			&train.Offline[tokens, tokens]{Policy: pi, Loss: loss.DPO{Beta: 0.1}},
			&train.KLBudget[tokens, tokens]{Policy: pi, Ref: ref, K: 3, Dual: rloo.Dual{Budget: 0.1, Rate: 0.1, Lambda: 0.1}},
		},
	}
	_, err = l.Run(ctx)
	require.NoError(t, err)
	return m.Params()
}

// TestProcessors: the bits of a run do not depend on GOMAXPROCS.
func TestProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, train := range map[string]func(t *testing.T) []float64{
		"language model": languageRun,
		"log-linear": func(t *testing.T) []float64 {
			toy, l := budgetRun(t.TempDir(), never)
			run(t, l)
			return append(slices.Clone(toy.Params()), l.Terms[1].(*budget).Dual.Lambda)
		},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GOMAXPROCS(1)
			one := train(t)
			require.NotContains(t, one, math.NaN())
			for _, n := range []int{2, 3} {
				runtime.GOMAXPROCS(n)
				assert.Equal(t, one, train(t), "GOMAXPROCS %d", n)
			}
		})
	}
}

var update = flag.Bool("update", false, "record the golden run")

// golden is the record of a run.
type golden struct {
	Params  []float64
	History train.History
	Metrics []map[string]jsonnum.Float // the lines of its metrics file
}

// TestGoldenRun compares twenty steps of constrained HyPO with a recording, so that no change
// moves a number unseen. Where a change is meant to, record it again with
//
//	go test ./train -run TestGoldenRun -update
//
// and say why in CHANGELOG.md.
func TestGoldenRun(t *testing.T) {
	toy, l := budgetRun(t.TempDir(), never)
	l.Micro = 3
	h := run(t, l)
	got := golden{toy.Params(), h, lines(t, l.MetricsFile)}
	path := filepath.Join("testdata", "run.json")
	if *update {
		text, err := json.MarshalIndent(got, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	var want golden
	require.NoError(t, json.Unmarshal([]byte(readFile(t, path)), &want))
	near := func(want, got float64, what string) {
		assert.InDelta(t, want, got, 1e-9*math.Abs(want)+1e-14, what) // a KL of 0 is one up to rounding
	}
	require.Len(t, got.Params, len(want.Params))
	for i, p := range want.Params {
		near(p, got.Params[i], fmt.Sprintf("parameter %d", i))
	}
	require.Len(t, got.History, len(want.History))
	for i, e := range want.History {
		require.Equal(t, e.Step, got.History[i].Step)
		near(e.Values["eval/kl"], got.History[i].Values["eval/kl"], fmt.Sprintf("KL at step %d", e.Step))
	}
	require.Len(t, want.Metrics, 20+6)
	require.Len(t, got.Metrics, len(want.Metrics))
	for i, line := range want.Metrics {
		require.Len(t, got.Metrics[i], len(line))
		for name, v := range line {
			require.Contains(t, got.Metrics[i], name)
			near(float64(v), float64(got.Metrics[i][name]), fmt.Sprintf("line %d, %s", i, name))
		}
	}
}
