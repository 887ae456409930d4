package text

import (
	"context"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/train"
)

type loop = train.Loop[[]int32, []int32]

// run runs a loop with a progress of its own.
func (s *Setup) run(ctx context.Context, l *loop, name string, c methods.Config) (train.History, error) {
	l.Progress = train.NewProgress(s.log, name, c.Steps)
	defer l.Progress.Done("")
	return methods.Run(ctx, l, "text "+s.Size.Name, name, c)
}

// Run trains a policy from the reference with one of the methods and returns it with its
// evaluations.
func (s *Setup) Run(ctx context.Context, method string, ref *lm.Frozen, e *Evaluator, c methods.Config) (*lm.Model, train.History, error) {
	m := ref.Clone()
	pi, pref := s.sequences(m), s.sequences(ref)
	data := s.Train
	if err := data.CacheRef(ctx, pref, c.Batch, nil); err != nil {
		return nil, nil, err
	}
	if err := train.CheckInit(ctx, pi, pref, &data, c.Batch, 1e-9); err != nil {
		return nil, nil, err
	}
	l := &loop{
		Data: data, Terms: methods.Terms(method, pi, pref, s.Reward.reward(s.Tokenizer), c), Updater: train.NewAdamW(m),
		Eval: func(ctx context.Context, _ int, out *train.Metrics) error { return e.trace(ctx, m, out) },
	}
	h, err := s.run(ctx, l, method, c)
	return m, h, err
}
