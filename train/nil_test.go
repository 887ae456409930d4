package train_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// TestNilParts: a term without a part that it needs panics and says so; without any other part it
// does not panic.
func TestNilParts(t *testing.T) {
	toy := newToy(2, 4)
	p, ref, s := toy.LogLinear, toy.ref, newSpeaker(t)
	pairs := train.Batch[x, int]{
		Data: train.Data[x, int]{
			X: toy.prompts[:1], Chosen: []int{0}, Rejected: []int{1},
			RefChosen: []float64{-1}, RefRejected: []float64{-2}, ChosenLen: []int{1}, RejectedLen: []int{1},
		},
		ID: []uint64{5}, Row: []int{0}, Rows: 1,
	}
	dpo, length := loss.DPO{Beta: 0.1}, func(int) int { return 1 }
	reinforce := loss.Reinforce{By: loss.SumTokens}
	for _, c := range []struct {
		term any
		need string
	}{
		{&train.BestOfN[x, int]{Policy: p, From: ref, Reward: worthOf, N: 2}, "Policy, From or Reward"},
		{&penalty{Policy: p, Ref: ref, K: 2, Lambda: 1}, "Policy or Ref"},
		{&budget{Policy: p, Ref: ref, K: 2, Dual: rloo.Dual{Budget: 1, Rate: 1}}, "Policy or Ref"},
		{&train.MovingRef[x, int]{Policy: p, Ref: policy.NewLogLinear(toyDim), Alpha: 1, Every: 1}, "Policy or Ref"},
		{&train.NashMD[x, int]{Policy: p, Ref: ref, Opponent: ref, Judge: taste, K: 2}, "Policy, Ref, Opponent or Judge"},
		{&offline{Policy: p, Loss: dpo}, "Policy or Loss"},
		{&onlineRL{Policy: p, Ref: ref, Reward: worthOf, K: 2}, "Policy, Ref or Reward"},
		{&train.OnlinePairs[x, int]{Policy: p, Loss: loss.SimPO{Beta: 1}, K: 2, Judge: taste, Len: length}, "Policy or Loss"},
		{&train.PolicyGradient[x, int]{Policy: p, Ref: ref, Reward: worthOf, K: 2, Advantage: rloo.RLOO{}, Beta: 1, Loss: reinforce}, "Policy, Reward or Loss"},
		{&train.REBEL[x, int]{Policy: p, Ref: ref, Reward: worthOf, K: 2, Eta: 1, Beta: 1}, "Policy or Reward"},
		{&train.SPPO[x, int]{Policy: p, Judge: taste, K: 2, Beta: 1}, "Policy or Judge"},
		{&sft{Policy: p}, "Policy"},
		{&train.XPO[x, int]{Policy: p, Ref: ref, Judge: taste, Loss: dpo, K: 1}, "Policy, Ref, Judge or Loss"},
		{s.term(reciter{s: s, replies: []int{0, 1}, logp: s.tokenProbs(t, s.Model)}), "Policy, Generator, Reward or Loss"},
	} {
		v := reflect.ValueOf(c.term).Elem()
		name, _, _ := strings.Cut(v.Type().Name(), "[")
		accumulate := func() { _ = c.term.(term).Accumulate(ctx, &pairs, policy.Key{}, &train.Metrics{}) }
		if token, ok := c.term.(*train.TokenPolicyGradient); ok {
			accumulate = func() { _ = token.Accumulate(ctx, s.one(), policy.Key{}, &train.Metrics{}) }
		}
		need := strings.FieldsFunc(strings.ReplaceAll(c.need, " or ", ", "), func(r rune) bool { return r == ',' || r == ' ' })
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Type.Kind() != reflect.Interface && f.Type.Kind() != reflect.Func {
				continue
			}
			was := reflect.ValueOf(v.Field(i).Interface())
			v.Field(i).SetZero()
			if slices.Contains(need, f.Name) {
				assert.PanicsWithValue(t, "train: "+name+" without "+c.need, accumulate, f.Name)
			} else if f.Name != "Len" { // SimPO panics, as it has to
				assert.NotPanics(t, accumulate, "%s.%s", name, f.Name)
			}
			if was.IsValid() {
				v.Field(i).Set(was)
			}
		}
		assert.NotPanics(t, accumulate, name)
	}
}

func TestNilArguments(t *testing.T) {
	toy := newToy(2, 4)
	moving := train.MovingRef[x, int]{}
	path := filepath.Join(t.TempDir(), "file")
	for want, call := range map[string]func(){
		"train: NewAdamW of a nil Host":                            func() { train.NewAdamW(nil) },
		"train: NewSGD of a nil Host":                              func() { train.NewSGD(nil, 0) },
		"train: CheckInit without policy, reference or data":       func() { _ = train.CheckInit(ctx, nil, toy.ref, &toy.data, 1, 0) },
		"train: CacheRef without a reference":                      func() { _ = toy.data.CacheRef(ctx, nil, 1, nil) },
		"train: WriteFile without a function that writes":          func() { _ = train.WriteFile(path, nil) },
		"train: MovingRef without Policy or Ref":                   func() { moving.State() },
		"train: Loop without Terms or Updater, or with a nil Term": func() { _, _ = toy.loop(nil).Run(ctx) },
	} {
		assert.PanicsWithValue(t, want, call)
	}
	assert.NoFileExists(t, path+".tmp")
	assert.PanicsWithValue(t, "train: MovingRef without Policy or Ref", func() { _ = moving.Restore(nil) })
	assert.PanicsWithValue(t, "train: CheckInit without policy, reference or data", func() { _ = train.CheckInit(ctx, toy, nil, &toy.data, 1, 0) })
	assert.PanicsWithValue(t, "train: CheckInit without policy, reference or data", func() { _ = train.CheckInit[x, int](ctx, toy, toy.ref, nil, 1, 0) })
}
