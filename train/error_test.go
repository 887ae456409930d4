package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

func TestLoopErrors(t *testing.T) {
	for want, set := range map[string]func(l *loop){
		"train: Loop.Steps = 0, must be positive":                                                             func(l *loop) { l.Steps = 0 },
		"train: Loop.Batch = -1, must be positive":                                                            func(l *loop) { l.Batch = -1 },
		"train: Loop.Micro = -1, must be not negative":                                                        func(l *loop) { l.Micro = -1 },
		"train: Loop.LR = 0, must be positive and finite":                                                     func(l *loop) { l.LR = 0 },
		"train: Loop.LR = NaN, must be positive and finite":                                                   func(l *loop) { l.LR = math.NaN() },
		"train: Loop.LR = +Inf, must be positive and finite":                                                  func(l *loop) { l.LR = math.Inf(1) },
		"train: Loop.MaxNorm = -1, must be not negative":                                                      func(l *loop) { l.MaxNorm = -1 },
		"train: Loop.EvalEvery = -2, must be not negative":                                                    func(l *loop) { l.EvalEvery = -2 },
		"train: Loop.CheckpointEvery = -3, must be not negative":                                              func(l *loop) { l.CheckpointEvery = -3 },
		"train: Loop.Resume without Loop.Checkpoint":                                                          func(l *loop) { l.Resume = true },
		fmt.Sprintf("train: Loop.Steps = %d times Loop.Batch = 8 is more than can be counted", math.MaxInt/2): func(l *loop) { l.Steps = math.MaxInt / 2 },
	} {
		l := newToy(2, 4).loop()
		set(l)
		_, err := l.Run(ctx)
		assert.EqualError(t, err, want)
	}
	l := newToy(2, 4).loop()
	l.Terms = nil
	assert.PanicsWithValue(t, "train: Loop without Terms or Updater, or with a nil Term", func() { _, _ = l.Run(ctx) })
	l = newToy(2, 4).loop()
	l.Updater = nil
	assert.PanicsWithValue(t, "train: Loop without Terms or Updater, or with a nil Term", func() { _, _ = l.Run(ctx) })
}

func TestTermErrors(t *testing.T) {
	toy := newToy(2, 4)
	p, ref := toy.LogLinear, toy.ref
	for want, c := range map[string]struct {
		term term
		data func(d *data)
	}{
		"train: Supervised.TokensPerRow = -1, must be positive and finite, or 0 for 1":   {&sft{Policy: p, TokensPerRow: -1}, nil},
		"train: Supervised.TokensPerRow = NaN, must be positive and finite, or 0 for 1":  {&sft{Policy: p, TokensPerRow: math.NaN()}, nil},
		"train: Supervised.TokensPerRow = +Inf, must be positive and finite, or 0 for 1": {&sft{Policy: p, TokensPerRow: math.Inf(1)}, nil},
		"train: Supervised needs Data.Chosen":                                            {&sft{Policy: p}, func(d *data) { d.Chosen = nil }},
		"train: Offline needs Data.Chosen and Data.Rejected":                             {toy.dpo(), func(d *data) { d.Rejected = nil }},
		"loss: DPO.Beta = -1, must be positive and finite":                               {&offline{Policy: p, Loss: loss.DPO{Beta: -1}}, nil},
		"train: K = 1, a leave-one-out baseline needs at least 2":                        {&penalty{Policy: p, Ref: ref, K: 1, Lambda: 1}, nil},
		"loss: KLPenalty.Lambda = -1, must be finite and not negative":                   {&penalty{Policy: p, Ref: ref, K: 2, Lambda: -1}, nil},
		"rloo: Dual.Budget = 0, must be positive and finite":                             {&budget{Policy: p, Ref: ref, K: 2, Dual: rloo.Dual{Rate: 1}}, nil},
		"loss: RLHF.Beta = NaN, must be finite and not negative":                         {&onlineRL{Policy: p, Ref: ref, Reward: zeroReward, K: 2, Beta: math.NaN()}, nil},
	} {
		l := toy.loop(c.term)
		if c.data != nil {
			c.data(&l.Data)
		}
		_, err := l.Run(ctx)
		assert.EqualError(t, err, "train: step 1: "+want)
	}
}

// TestPromptsAlone: an online objective needs no replies.
func TestPromptsAlone(t *testing.T) {
	toy := newToy(3, 12)
	l := toy.loop(&onlineRL{Policy: toy.LogLinear, Ref: toy.ref, Reward: zeroReward, K: 2, Beta: 0.1})
	l.Data = data{X: toy.data.X}
	run(t, l)
}

// broken is a policy that goes wrong at one response to one prompt, and at one draw.
type broken struct {
	learner
	x       x
	y       int
	value   float64 // the log-probability there, if not 0
	err     error   // or else the reason of an ItemError
	noDraws bool    // and the prompt cannot be drawn from
}

func (p *broken) spoil(dst []float64, xs []x, ys []int) error {
	for i := range dst {
		if xs[i] != p.x || ys[i] != p.y {
			continue
		}
		if p.err != nil {
			dst[i] = math.NaN()
			return &policy.ItemError{Index: i, Err: p.err}
		}
		if p.value != 0 {
			dst[i] = p.value
		}
	}
	return nil
}

func (p *broken) LogProbs(ctx context.Context, dst []float64, xs []x, ys []int) error {
	return errors.Join(p.learner.LogProbs(ctx, dst, xs, ys), p.spoil(dst, xs, ys))
}

func (p *broken) Sample(ctx context.Context, dst policy.Draws[int], xs []x, ids []uint64, k int, key policy.Key) error {
	err := p.learner.Sample(ctx, dst, xs, ids, k, key)
	if i := slices.Index(xs, p.x); i >= 0 && p.noDraws {
		return &policy.ItemError{Index: i, Err: policy.ErrPrompt}
	}
	return err
}

func (p *broken) NewPass() policy.Pass[x, int] { return &brokenPass{p.learner.NewPass(), p} }

type brokenPass struct {
	policy.Pass[x, int]
	p *broken
}

func (b *brokenPass) Forward(ctx context.Context, dst []float64, xs []x, ys []int) error {
	return errors.Join(b.Pass.Forward(ctx, dst, xs, ys), b.p.spoil(dst, xs, ys))
}

// TestRowErrors: an error names step, row and field. The row of the spoilt prompt is 2, the
// third of the prompts; the order of rows and the micro-batches hide it well.
func TestRowErrors(t *testing.T) {
	const chosen, rejected = 1, 3
	nan, inf := math.NaN(), math.Inf(-1)
	dpo := func(p, _ learner) term { return &offline{Policy: p, Loss: loss.DPO{Beta: 0.1}} }
	supervised := func(p, _ learner) term { return &sft{Policy: p} }
	hypo := func(p, ref learner) term { return &penalty{Policy: p, Ref: ref, K: 64, Lambda: 1} }
	rlhf := func(reward float64, err error) func(p, ref learner) term {
		return func(p, ref learner) term {
			return &onlineRL{Policy: p, Ref: ref, K: 64, Beta: 0.1, Reward: func(_ context.Context, dst []float64, xs []x, ys []int) error {
				clear(dst)
				return (&broken{x: xs[slices.IndexFunc(xs, func(c x) bool { return c.Ref[0] == 2 })], y: 4, value: reward, err: err}).spoil(dst, xs, ys)
			}}
		}
	}
	fresh := func(name string) func(p, ref learner) term {
		return func(p, ref learner) term {
			highest := func(_ context.Context, dst []float64, _ []x, ys []int) error {
				for i, y := range ys {
					dst[i] = float64(y)
				}
				return nil
			}
			judge := sampler.Scored[x, int]{Scorer: sampler.ScorerFunc[x, int](highest)}
			switch name {
			case "online DPO":
				return &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: loss.DPO{Beta: 1}, Judge: judge, K: 64}
			case "CPO":
				return &train.OnlinePairs[x, int]{Policy: p, Loss: loss.CPO{Beta: 1, NLLOver: loss.Sum}, Reward: highest, K: 64}
			case "XPO":
				return &train.XPO[x, int]{Policy: p, Ref: ref, Loss: loss.DPO{Beta: 1}, Judge: judge, K: 64}
			case "REBEL":
				return &train.REBEL[x, int]{Policy: p, Ref: ref, Reward: highest, K: 64, Eta: 1, Beta: 1}
			case "SPPO":
				return &train.SPPO[x, int]{Policy: p, Judge: judge, K: 16, Beta: 1}
			case "Nash-MD":
				return &train.NashMD[x, int]{Policy: p, Ref: ref, Opponent: ref, Judge: judge, K: 64, Beta: 1}
			case "best of n":
				return &train.BestOfN[x, int]{Policy: p, From: ref, Reward: highest, N: 64}
			}
			return &train.PolicyGradient[x, int]{Policy: p, Ref: ref, Reward: highest, K: 64, Advantage: rloo.RLOO{}, Beta: 1, Loss: loss.Reinforce{By: loss.SumTokens}}
		}
	}
	for _, c := range []struct {
		name     string
		pi, ref  broken
		term     func(p, ref learner) term
		data     func(d *data)
		contains []string
	}{
		{"item, chosen", broken{y: chosen, err: policy.ErrResponse}, broken{}, dpo, nil, []string{"row 2, Chosen: ", "no such response"}},
		{"item, rejected", broken{y: rejected, err: policy.ErrResponse}, broken{}, dpo, nil, []string{"row 2, Rejected: "}},
		{"NaN, rejected", broken{y: rejected, value: nan}, broken{}, dpo, nil, []string{"row 2: loss: Rejected[", "] = NaN: not a log-probability"}},
		{"−Inf, chosen", broken{y: chosen, value: inf}, broken{}, dpo, nil, []string{"row 2: loss: Chosen[", "] = -Inf: the pair's loss is +Inf"}},
		{"−Inf, reference", broken{}, broken{}, dpo, func(d *data) { d.RefRejected[2] = inf }, []string{"row 2: loss: RefRejected[", "] = -Inf: the pair's loss is +Inf"}},
		{"NaN, reference", broken{}, broken{}, dpo, func(d *data) { d.RefChosen[2] = nan }, []string{"row 2: loss: RefChosen[", "] = NaN"}},
		{"overflow", broken{y: chosen, value: -1e200}, broken{}, func(p, _ learner) term { return &offline{Policy: p, Loss: loss.IPO{Tau: 1, LogRatio: loss.Sum}} }, nil,
			[]string{"row 2: loss: Loss[", "] = +Inf: not finite"}},
		{"supervised, item", broken{y: chosen, err: policy.ErrResponse}, broken{}, supervised, nil, []string{"row 2: ", "no such response"}},
		{"supervised, −Inf", broken{y: chosen, value: inf}, broken{}, supervised, nil, []string{"row 2: loss: Chosen[", "] = -Inf: not finite"}},
		{"supervised, NaN", broken{y: chosen, value: nan}, broken{}, supervised, nil, []string{"row 2: loss: Chosen[", "] = NaN: not finite"}},
		{"draws", broken{noDraws: true}, broken{}, hypo, nil, []string{"row 2: ", "no such prompt"}},
		{"samples, item", broken{y: 4, err: policy.ErrResponse}, broken{}, hypo, nil, []string{"row 2, sample ", "no such response"}},
		{"samples, NaN", broken{y: 4, value: nan}, broken{}, hypo, nil, []string{"row 2, sample ", ": loss: LogProb[", "] = NaN: not finite"}},
		{"samples, reference −Inf", broken{}, broken{y: 4, value: inf}, hypo, nil, []string{"row 2, sample ", ": loss: Ref[", "] = -Inf: not finite"}},
		{"samples, reference item", broken{}, broken{y: 4, err: policy.ErrResponse}, hypo, nil, []string{"reference: row 2, sample "}},
		{"reward, NaN", broken{}, broken{}, rlhf(nan, nil), nil, []string{"row 2, sample ", ": loss: Reward[", "] = NaN: not finite"}},
		{"reward, item", broken{}, broken{}, rlhf(0, policy.ErrResponse), nil, []string{"reward: row 2, sample "}},
		{"online DPO, draws", broken{noDraws: true}, broken{}, fresh("online DPO"), nil, []string{"row 2: ", "no such prompt"}},
		{"online DPO, item", broken{y: 4, err: policy.ErrResponse}, broken{}, fresh("online DPO"), nil, []string{"row 2, sample ", "no such response"}},
		{"online DPO, reference", broken{}, broken{y: 4, err: policy.ErrResponse}, fresh("online DPO"), nil, []string{"reference: row 2, sample "}},
		{"online DPO, −Inf", broken{}, broken{y: 4, value: inf}, fresh("online DPO"), nil, []string{"row 2, sample ", ": loss: Ref[", "] = -Inf: not finite"}},
		{"CPO, NaN", broken{y: 4, value: nan}, broken{}, fresh("CPO"), nil, []string{"row 2: loss: Chosen[", "] = NaN"}},
		{"XPO, opponent", broken{}, broken{noDraws: true}, fresh("XPO"), nil, []string{"opponent: row 2: "}},
		{"XPO, NaN", broken{y: 4, value: nan}, broken{}, fresh("XPO"), nil, []string{"row 2, sample ", ": loss: LogProb[", "] = NaN"}},
		{"REBEL, −Inf", broken{}, broken{y: 4, value: inf}, fresh("REBEL"), nil, []string{"row 2, sample ", ": loss: Ref["}},
		{"REBEL, item", broken{y: 4, err: policy.ErrResponse}, broken{}, fresh("REBEL"), nil, []string{"row 2, sample "}},
		{"SPPO, draws", broken{noDraws: true}, broken{}, fresh("SPPO"), nil, []string{"row 2: "}},
		{"SPPO, item", broken{y: 4, err: policy.ErrResponse}, broken{}, fresh("SPPO"), nil, []string{"row 2, sample ", "no such response"}},
		{"SPPO, −Inf", broken{y: 4, value: inf}, broken{}, fresh("SPPO"), nil, []string{"row 2, sample ", ": loss: LogProb["}},
		{"Nash-MD, opponent", broken{}, broken{noDraws: true}, fresh("Nash-MD"), nil, []string{"opponent: row 2: "}},
		{"Nash-MD, −Inf", broken{}, broken{y: 4, value: inf}, fresh("Nash-MD"), nil, []string{"row 2: loss: Ref["}},
		{"best of n, draws", broken{}, broken{noDraws: true}, fresh("best of n"), nil, []string{"row 2: "}},
		{"best of n, item", broken{y: 4, err: policy.ErrResponse}, broken{}, fresh("best of n"), nil, []string{"row 2: ", "no such response"}},
		{"best of n, −Inf", broken{y: 4, value: inf}, broken{}, fresh("best of n"), nil, []string{"row 2: loss: Chosen["}},
		{"RLOO, draws", broken{noDraws: true}, broken{}, fresh("RLOO"), nil, []string{"row 2: ", "no such prompt"}},
		{"RLOO, item", broken{y: 4, err: policy.ErrResponse}, broken{}, fresh("RLOO"), nil, []string{"row 2, sample "}},
		{"RLOO, NaN", broken{y: 4, value: nan}, broken{}, fresh("RLOO"), nil, []string{"row 2, sample ", ": loss: LogProb["}},
		{"RLOO, −Inf", broken{}, broken{y: 4, value: inf}, fresh("RLOO"), nil, []string{"row 2, sample ", ": loss: Ref["}},
	} {
		t.Run(c.name, func(t *testing.T) {
			toy := newToy(5, 5)
			toy.data.Chosen, toy.data.Rejected = slices.Repeat([]int{chosen}, 5), slices.Repeat([]int{rejected}, 5)
			toy.prompts[2].Ref = []float64{2, 2, 2, 2, 2} // every response is drawn
			require.NoError(t, toy.data.CacheRef(ctx, toy.ref, 5, nil))
			c.pi.learner, c.pi.x = toy.LogLinear, toy.prompts[2]
			c.ref.learner, c.ref.x = policy.NewLogLinear(toyDim), toy.prompts[2]
			l := toy.loop(c.term(&c.pi, &c.ref))
			l.Batch, l.Micro = 5, 2
			if c.data != nil {
				c.data(&l.Data)
			}
			_, err := l.Run(ctx)
			require.ErrorContains(t, err, "train: step 1: ")
			for _, s := range c.contains {
				assert.ErrorContains(t, err, s)
			}
			assert.Equal(t, make([]float64, toyDim), toy.Params(), "the policy was changed")
			if c.pi.err != nil {
				assert.ErrorIs(t, err, c.pi.err)
			}
		})
	}
}

// TestForeignErrors: an error that is not about an item, or about one that does not exist,
// is passed on.
func TestForeignErrors(t *testing.T) {
	for _, cause := range []error{errors.New("disk on fire"), &policy.ItemError{Index: 99, Err: policy.ErrPrompt}, &policy.ItemError{Index: -1, Err: policy.ErrPrompt}} {
		toy := newToy(2, 4)
		w := &failing{toy.LogLinear, cause}
		_, err := toy.loop(&offline{Policy: w, Loss: loss.DPO{Beta: 1}}).Run(ctx)
		require.ErrorIs(t, err, cause)
		assert.EqualError(t, err, "train: step 1: "+cause.Error())
	}
}

// failing is a learner whose forward pass fails.
type failing struct {
	learner
	err error
}

func (f *failing) NewPass() policy.Pass[x, int] { return failingPass{f.learner.NewPass(), f.err} }

type failingPass struct {
	policy.Pass[x, int]
	err error
}

func (p failingPass) Forward(context.Context, []float64, []x, []int) error { return p.err }

// TestLossNotFinite stops a run whose terms report a loss that is none.
func TestLossNotFinite(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		toy, step := newToy(2, 4), 0
		l := toy.loop(toy.dpo(), probe{func(_ *batch, _ policy.Key, m *train.Metrics) error {
			if step++; step == 3 {
				m.Sum("loss", v)
			}
			return nil
		}})
		_, err := l.Run(ctx)
		assert.ErrorContains(t, err, "train: step 3: loss = ")
	}
}

// TestGradientNotFinite stops a run at a gradient that is none, and leaves the parameters.
func TestGradientNotFinite(t *testing.T) {
	toy, step := newToy(2, 4), 0
	var before []float64
	l := toy.loop(toy.dpo(), probe{func(*batch, policy.Key, *train.Metrics) error {
		if step++; step == 3 {
			toy.Grad()[1] = math.NaN()
			before = slices.Clone(toy.Params())
		}
		return nil
	}})
	_, err := l.Run(ctx)
	assert.EqualError(t, err, "train: step 3: train: gradient[1] = NaN")
	assert.Equal(t, before, toy.Params())
}

// TestEvalError names the step, and keeps the evaluations before it.
func TestEvalError(t *testing.T) {
	toy := newToy(2, 4)
	l := toy.loop()
	cause := errors.New("no judge")
	l.EvalEvery = 2
	l.Eval = func(_ context.Context, step int, m *train.Metrics) error {
		m.Set("a", float64(step))
		if step == 4 {
			return cause
		}
		return nil
	}
	h, err := l.Run(ctx)
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, "train: evaluation at step 4: no judge")
	require.Len(t, h, 2)
	assert.Equal(t, 2, h[1].Step)
}
