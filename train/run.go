package train

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// run is the state of a Loop in progress.
type run[X, Y any] struct {
	*Loop[X, Y]
	settings []setting
	order    *order
	rows     []int
	batch    Batch[X, Y]
	step     int  // updates done
	torn     bool // an update is done but for what follows it: not a state to save
	metrics  Metrics
	summary  func() string
	history  History
	log      metricsFile
	params   bytes.Buffer
	held     [][]byte // sections of a checkpoint
}

func newRun[X, Y any](l *Loop[X, Y]) *run[X, Y] {
	s := &run[X, Y]{Loop: l, settings: l.settings(), order: newOrder(l.Seed, l.Data.Len()), rows: make([]int, l.Batch)}
	s.summary = func() string { return summary(&s.metrics) }
	return s
}

// train goes on from the current step to the last.
func (s *run[X, Y]) train(ctx context.Context) error {
	for {
		if err := s.evaluate(ctx); err != nil {
			return fmt.Errorf("train: evaluation at step %d: %w", s.step, err)
		}
		if s.step == s.Steps {
			return nil
		}
		if err := s.update(ctx); err != nil {
			return fmt.Errorf("train: step %d: %w", s.step+1, err)
		}
		if s.checkpointDue() {
			if err := s.save(); err != nil {
				return err
			}
		}
	}
}

// checkpointDue reports whether a batch has ended in whose updates a checkpoint fell due.
func (s *run[X, Y]) checkpointDue() bool {
	every, batch := s.CheckpointEvery, s.repeat()
	return every > 0 && s.step < s.Steps && s.step%batch == 0 && s.step/every > (s.step-batch)/every
}

// update makes one step: all terms on all micro-batches, then the optimizer.
func (s *run[X, Y]) update(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Checkpoint != "" && s.repeat() > 1 && s.step%s.repeat() == 0 {
		if err := s.hold(); err != nil {
			return err
		}
	}
	m := &s.metrics
	m.Reset()
	if err := s.accumulate(ctx, m); err != nil {
		return err
	}
	if v, ok := m.Get("loss"); ok && notFinite(v) {
		return fmt.Errorf("loss = %v", v)
	}
	factor := s.schedule().Factor(s.step, s.Steps)
	if !(factor >= 0) || notFinite(factor) {
		return fmt.Errorf("factor %v of %#v, must be finite and not negative", factor, s.schedule())
	}
	maxNorm := s.MaxNorm
	if maxNorm == 0 {
		maxNorm = math.Inf(1)
	}
	norm, err := s.Updater.Update(ctx, s.LR*factor, 1, maxNorm)
	if err != nil {
		return err
	}
	s.torn = true
	m.Set("grad_norm", norm)
	m.Set("learning_rate", s.LR*factor)
	m.Set("epoch", float64((s.step/s.repeat()+1)*s.Batch)/float64(s.Data.Len()))
	for _, t := range s.Terms {
		if st, ok := t.(Stateful); ok {
			if err := st.EndStep(m); err != nil {
				return err
			}
		}
	}
	if err := s.log.write(s.step+1, m); err != nil {
		return err
	}
	s.step, s.torn = s.step+1, false
	s.Progress.Add(1, s.summary)
	return nil
}

// accumulate adds up the gradient of a step.
func (s *run[X, Y]) accumulate(ctx context.Context, m *Metrics) error {
	first := s.step / s.repeat() * s.Batch
	s.order.rows(s.rows, first)
	s.batch.Rows, s.batch.Repeat = s.Batch, s.step%s.repeat()
	micro := s.Micro
	if micro == 0 {
		micro = s.Batch
	}
	for lo := 0; lo < s.Batch; lo += micro {
		s.batch.First = lo
		s.batch.gather(&s.Data, s.rows[lo:min(lo+micro, s.Batch)], uint64(first+lo))
		for i, t := range s.Terms {
			if err := t.Accumulate(ctx, &s.batch, s.key(i), m); err != nil {
				return err
			}
		}
	}
	return nil
}

// key names the draws of a term at the current step. The terms of a run have different
// seeds, and those of runs with neighbouring seeds too.
func (s *run[X, Y]) key(term int) policy.Key {
	return policy.Key{Seed: s.Seed + uint64(term)<<32, Step: uint64(s.step)}
}

func (l *Loop[X, Y]) schedule() Schedule {
	if l.Schedule == nil {
		return Constant{}
	}
	return l.Schedule
}

// evaluate calls the hook if it is due and the history does not have the evaluation, as
// that of a run that was resumed at its end does.
func (s *run[X, Y]) evaluate(ctx context.Context) error {
	due := s.step == 0 || s.step == s.Steps || s.EvalEvery > 0 && s.step%s.EvalEvery == 0
	n := len(s.history)
	if s.Eval == nil || !due || n > 0 && s.history[n-1].Step == s.step {
		return nil
	}
	var m Metrics
	if err := s.Eval(ctx, s.step, &m); err != nil {
		return err
	}
	e := Evaluation{Step: s.step, Values: map[string]float64{}}
	for k, v := range m.All() {
		e.Values[k] = v
	}
	if err := s.log.write(s.step, &m); err != nil {
		return err
	}
	s.history = append(s.history, e)
	return nil
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
