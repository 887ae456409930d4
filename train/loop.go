package train

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/policy"
)

// Loop is one training run. Data, Terms, Updater, Steps, Batch and LR must be set; the zero
// value of every other field is a sensible choice. Run it once. It is not safe for
// concurrent use.
type Loop[X, Y any] struct {
	Name    string // what a checkpoint must match, besides the numbers below
	Data    Data[X, Y]
	Terms   []Term[X, Y]
	Updater policy.Updater

	Steps    int      // number of updates
	Batch    int      // rows per update
	Micro    int      // rows per forward and backward pass; 0: Batch. The gradient is the same
	LR       float64  // learning rate
	Schedule Schedule // factor on it; nil: constant
	MaxNorm  float64  // clip the gradient to this Euclidean norm; 0: do not
	Seed     uint64   // of the order of rows and of all draws

	// Eval, if not nil, is called every EvalEvery updates, before the first and after the
	// last; its metrics become the history.
	Eval      func(ctx context.Context, step int, m *Metrics) error
	EvalEvery int // 0: at the first and the last step only

	MetricsFile     string // JSONL, one line per step and evaluation; "": none
	Checkpoint      string // file; "": none
	CheckpointEvery int    // updates between checkpoints; 0: only at the end
	Resume          bool   // go on from Checkpoint if it is there

	Progress *Progress // gets one step per update, and may be shared between runs; nil: none
}

// Run trains, and returns the evaluations. An error names the step, the row of the training
// set and the field; the last checkpoint is then intact, and so it is if the context is
// cancelled or the process killed.
func (l *Loop[X, Y]) Run(ctx context.Context) (History, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	s := &run[X, Y]{Loop: l, order: newOrder(l.Seed, l.Data.Len()), rows: make([]int, l.Batch)}
	err := s.open()
	if err != nil {
		return nil, err
	}
	defer s.log.close()
	l.Progress.Skip(s.step)
	for ; s.step < l.Steps; s.step++ {
		if l.EvalEvery > 0 && s.step%l.EvalEvery == 0 || s.step == 0 {
			if err := s.evaluate(ctx); err != nil {
				return s.history, err
			}
		}
		if err := s.update(ctx); err != nil {
			return s.history, fmt.Errorf("train: step %d: %w", s.step, err)
		}
		if l.CheckpointEvery > 0 && (s.step+1)%l.CheckpointEvery == 0 && s.step+1 < l.Steps {
			if err := s.save(s.step + 1); err != nil {
				return s.history, err
			}
		}
	}
	if !s.done() {
		if err := s.evaluate(ctx); err != nil {
			return s.history, err
		}
	}
	if err := s.save(l.Steps); err != nil {
		return s.history, err
	}
	return s.history, s.log.close()
}

func (l *Loop[X, Y]) check() error {
	if err := l.Data.check(); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		value float64
		ok    bool
	}{
		{"Steps", float64(l.Steps), l.Steps > 0},
		{"Batch", float64(l.Batch), l.Batch > 0},
		{"Micro", float64(l.Micro), l.Micro >= 0},
		{"LR", l.LR, l.LR > 0 && !math.IsInf(l.LR, 0)},
		{"MaxNorm", l.MaxNorm, l.MaxNorm >= 0},
		{"EvalEvery", float64(l.EvalEvery), l.EvalEvery >= 0},
		{"CheckpointEvery", float64(l.CheckpointEvery), l.CheckpointEvery >= 0},
	} {
		if !f.ok {
			return fmt.Errorf("train: Loop.%s = %v", f.name, f.value)
		}
	}
	if len(l.Terms) == 0 || l.Updater == nil {
		panic("train: Loop without Terms or Updater")
	}
	return nil
}

// run is the state of a Loop in progress.
type run[X, Y any] struct {
	*Loop[X, Y]
	order   *order
	rows    []int
	batch   Batch[X, Y]
	step    int // updates done
	metrics Metrics
	history History
	log     metricsFile
}

// update makes one step: all terms on all micro-batches, then the optimizer.
func (s *run[X, Y]) update(ctx context.Context) error {
	m := &s.metrics
	m.Reset()
	first := s.step * s.Batch
	s.order.rows(s.rows, first)
	s.batch.Rows = s.Batch
	micro := s.Micro
	if micro == 0 {
		micro = s.Batch
	}
	for lo := 0; lo < s.Batch; lo += micro {
		s.batch.gather(&s.Data, s.rows[lo:min(lo+micro, s.Batch)], uint64(first+lo))
		for i, t := range s.Terms {
			// A seed of its own keeps the draws of two terms independent.
			key := policy.Key{Seed: s.Seed + uint64(i)<<32, Step: uint64(s.step)}
			if err := t.Accumulate(ctx, &s.batch, key, m); err != nil {
				return err
			}
		}
	}
	if v, ok := m.Get("loss"); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return fmt.Errorf("loss = %v", v)
	}
	lr := s.LR * s.schedule().Factor(s.step, s.Steps)
	maxNorm := s.MaxNorm
	if maxNorm == 0 {
		maxNorm = math.Inf(1)
	}
	norm, err := s.Updater.Update(ctx, lr, 1, maxNorm)
	if err != nil {
		return err
	}
	m.Set("grad_norm", norm)
	m.Set("learning_rate", lr)
	m.Set("epoch", float64(first+s.Batch)/float64(s.Data.Len()))
	for _, t := range s.Terms {
		if st, ok := t.(Stateful); ok {
			if err := st.EndStep(m); err != nil {
				return err
			}
		}
	}
	s.Progress.Add(1, func() string { return summary(m) })
	return s.log.write(s.step+1, m)
}

func (l *Loop[X, Y]) schedule() Schedule {
	if l.Schedule == nil {
		return Constant{}
	}
	return l.Schedule
}

// done reports whether the evaluation of the current step is already in the history.
func (s *run[X, Y]) done() bool {
	return s.Eval == nil || len(s.history) > 0 && s.history[len(s.history)-1].Step == s.step
}

func (s *run[X, Y]) evaluate(ctx context.Context) error {
	if s.done() {
		return nil
	}
	var m Metrics
	if err := s.Eval(ctx, s.step, &m); err != nil {
		return fmt.Errorf("train: evaluation at step %d: %w", s.step, err)
	}
	e := Evaluation{Step: s.step, Values: map[string]jsonnum.Float{}}
	for k, v := range m.All() {
		e.Values[k] = jsonnum.Float(v)
	}
	s.history = append(s.history, e)
	return s.log.write(s.step, &m)
}

// summary picks what a progress line has room for.
func summary(m *Metrics) string {
	out := ""
	for _, k := range []string{"loss", "rewards/accuracies", "objective/kl", "objective/scores"} {
		if v, ok := m.Get(k); ok {
			out += fmt.Sprintf("  %s %.3g", k, v)
		}
	}
	return out
}
