package text

import (
	"context"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/train"
)

type loop = train.Loop[[]int32, []int32]

// initTolerance is how far the log-probabilities of a copy may be from its original's, in nats:
// a model in float32 may sum in another order.
const initTolerance = 1e-3

// run runs a loop with a progress of its own.
func (s *Setup) run(ctx context.Context, l *loop, name string, c methods.Config) (train.History, error) {
	l.Progress = train.NewProgress(s.log, name, c.Steps)
	defer l.Progress.Done("")
	return methods.Run(ctx, l, "text "+s.Size.Name, name, c)
}

// initRows is the number of rows on which a copy is held against its original.
const initRows = 32

// Run trains a copy of the reference with one of the methods and returns its evaluations.
func (s *Setup) Run(ctx context.Context, method string, t *Trainee, e *Evaluator, c methods.Config) (train.History, error) {
	pi, ref := s.sequences(t.Model), s.sequences(e.ref)
	n := min(initRows, s.Train.Len())
	first := Tokens{X: s.Train.X[:n], Chosen: s.Train.Chosen[:n], Rejected: s.Train.Rejected[:n]}
	if err := train.CheckInit(ctx, pi, ref, &first, n, initTolerance); err != nil {
		return nil, err
	}
	return s.run(ctx, &loop{
		Data: e.pairs, Terms: methods.Terms(method, pi, ref, s.Reward.reward(s.Tokenizer), c), Updater: t.Updater,
		Eval: func(ctx context.Context, _ int, out *train.Metrics) error { return e.trace(ctx, t, out) },
	}, method, c)
}

// score returns the training pairs with their log-probabilities under the reference.
func (s *Setup) score(ctx context.Context, ref Model) (Tokens, error) {
	data := s.Train
	p := train.NewProgress(s.log, "scoring pairs under the reference", data.Len())
	defer p.Done("")
	done := 0
	err := data.CacheRef(ctx, s.sequences(ref), initRows, func(n int) { p.Add(n-done, nil); done = n })
	return data, err
}
