package policytest

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// GeneratorConfig says what to try on a generator and how exact it has to be.
type GeneratorConfig struct {
	Prompts [][]int32 // at least one

	Vocab int // number of token ids

	// EOS reports whether an id ends a sequence; nil: not checked.
	EOS func(id int32) bool

	// MaxTokens is the length at which replies are cut; 0: not checked.
	MaxTokens int

	// Model scores the replies, for comparison with Rollout.Model; nil: not checked.
	Model policy.TokenPolicy

	// Transformed says that replies come from another distribution than the model
	// (a temperature, say), so that Rollout.LogProb and Rollout.Model differ.
	Transformed bool

	Tol   Tolerance
	Draws int    // for each prompt, to compare frequencies. Default: 5000
	Seed  uint64 // of draws
}

// Generator checks g against the contract of policy.Generator. Frequencies are
// compared for the first token, the first two, and whole replies.
func Generator(t testing.TB, g policy.Generator, c GeneratorConfig) {
	t.Helper()
	if len(c.Prompts) == 0 || c.Vocab < 2 {
		panic("policytest: no prompts or no vocabulary")
	}
	c.Tol = c.Tol.withDefaults()
	setDefault(&c.Draws, 5000)
	s := generating{g, c}
	first, two, whole := s.prefixes(1), s.prefixes(2), s.prefixes(math.MaxInt)
	run(t, []check{
		{"GenerateShape", s.shape},
		{"GenerateModel", s.model},
		{"GenerateReuse", s.reuse},
		{"GenerateFirstToken", first.frequencies},
		{"GenerateFirstTwoTokens", two.frequencies},
		{"GenerateFrequencies", whole.frequencies},
		{"GenerateIndependent", first.independent},
		{"GenerateBatchOfOne", whole.batchOfOne},
		{"GenerateKeys", whole.keys},
		{"GenerateContext", whole.context},
		{"GenerateConcurrent", whole.concurrent},
	})
}

// generating checks a generator.
type generating struct {
	generator policy.Generator
	GeneratorConfig
}

func (s generating) generate(t testing.TB, r *policy.Rollout, prompts [][]int32, k int) {
	t.Helper()
	must(t, "Generate", s.generator.Generate(context.Background(), r, prompts, promptIDs(len(prompts)), k, policy.Key{Seed: s.Seed}))
}

// shape checks that a rollout fits together.
func (s generating) shape(t testing.TB) {
	var r policy.Rollout
	s.generate(t, &r, s.Prompts, few)
	b := r.Tokens
	if err := b.Check(s.Vocab); err != nil {
		t.Fatalf("Rollout.Tokens: %v", err)
	}
	if n := len(s.Prompts) * few; b.Len() != n || len(r.Finish) != n {
		t.Fatalf("%d sequences and %d Finish, want %d", b.Len(), len(r.Finish), n)
	}
	if len(r.LogProb) != len(b.IDs) || len(r.Model) != len(b.IDs) {
		t.Fatalf("%d LogProb and %d Model for %d tokens", len(r.LogProb), len(r.Model), len(b.IDs))
	}
	counts := counted(b)
	for p := range b.IDs {
		for what, v := range map[string]float64{"LogProb": r.LogProb[p], "Model": r.Model[p]} {
			if !counts[p] && v != 0 || counts[p] && !(v <= s.Tol.LogProb) {
				t.Errorf("%s at position %d is %v (a reply token that counts: %v)", what, p, v, counts[p])
			}
		}
	}
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		if x := s.Prompts[i/few]; !slices.Equal(b.IDs[b.Begin[i]:lo], x) {
			t.Errorf("sequence %d begins with %v, its prompt is %v", i, b.IDs[b.Begin[i]:lo], x)
		}
		if r.Finish[i] < policy.FinishEOS || r.Finish[i] > policy.FinishStop {
			t.Errorf("sequence %d: Finish is %v", i, r.Finish[i])
		}
		if s.MaxTokens > 0 && (hi-lo > s.MaxTokens || r.Finish[i] == policy.FinishLength && hi-lo < s.MaxTokens) {
			t.Errorf("sequence %d: %d tokens and Finish %v, the maximum is %d", i, hi-lo, r.Finish[i], s.MaxTokens)
		}
		if s.EOS == nil {
			continue
		}
		for p := lo; p < hi; p++ {
			if last := p == hi-1; s.EOS(b.IDs[p]) != (last && r.Finish[i] == policy.FinishEOS) {
				t.Errorf("sequence %d: token %d of %d is %d, Finish is %v", i, p-lo, hi-lo, b.IDs[p], r.Finish[i])
			}
		}
	}
}

// model compares the reported log-probabilities with those that the model gives the
// replies.
func (s generating) model(t testing.TB) {
	var r policy.Rollout
	s.generate(t, &r, s.Prompts, few)
	if !s.Transformed {
		expectNear(t, "Rollout.LogProb against Rollout.Model", r.LogProb, r.Model, s.Tol.LogProb)
	}
	if s.Model == nil {
		t.Skip("no GeneratorConfig.Model")
	}
	want, _ := tokens{policy: s.Model}.values(t, fields[0], r.Tokens)
	expectNear(t, "Rollout.Model against the model", r.Model, want, s.Tol.LogProb)
}

// reuse checks that a rollout replaces what was there.
func (s generating) reuse(t testing.TB) {
	var fresh, used policy.Rollout
	s.generate(t, &used, s.Prompts, few)
	s.generate(t, &used, s.Prompts[:1], 2)
	s.generate(t, &fresh, s.Prompts[:1], 2)
	if !slices.Equal(used.Tokens.IDs, fresh.Tokens.IDs) || !slices.Equal(used.Tokens.Begin, fresh.Tokens.Begin) ||
		!slices.Equal(used.Tokens.Prompt, fresh.Tokens.Prompt) || !slices.Equal(used.Finish, fresh.Finish) {
		t.Errorf("a Rollout that was used before holds %v, a new one %v", used.Tokens, fresh.Tokens)
	}
	expectNear(t, "LogProb of a Rollout that was used before", used.LogProb, fresh.LogProb, s.Tol.Batch)
}

// prefixes returns the checks of draws, for the first n tokens of replies.
func (s generating) prefixes(n int) sampling[[]int32, []int32] {
	return sampling[[]int32, []int32]{
		suite: suite[[]int32, []int32]{Config: Config[[]int32, []int32]{
			X: s.Prompts, Equal: slices.Equal[[]int32], Tol: s.Tol, Draws: s.Draws, Seed: s.Seed,
		}},
		sampler: prefixSampler{s.generator, n},
	}
}

// prefixSampler draws the first n tokens of a generator's replies.
type prefixSampler struct {
	generator policy.Generator
	n         int
}

func (p prefixSampler) LogProbs(context.Context, []float64, [][]int32, [][]int32) error {
	return errors.ErrUnsupported
}

func (p prefixSampler) Sample(ctx context.Context, dst policy.Draws[[]int32], xs [][]int32, ids []uint64, k int, key policy.Key) error {
	var r policy.Rollout
	if err := p.generator.Generate(ctx, &r, xs, ids, k, key); err != nil {
		return err
	}
	for i := range dst.Y {
		lo, hi := r.Tokens.Reply(i)
		hi = lo + min(p.n, hi-lo)
		dst.Y[i] = slices.Clone(r.Tokens.IDs[lo:hi])
		logProb, model := 0.0, 0.0
		for t := lo; t < hi; t++ {
			logProb, model = logProb+r.LogProb[t], model+r.Model[t]
		}
		if dst.LogProb != nil {
			dst.LogProb[i] = logProb
		}
		if dst.Model != nil {
			dst.Model[i] = model
		}
	}
	return nil
}
