package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/policy"
)

// Loop is one training run. Data, Terms, Updater, Steps, Batch and LR must be set; the zero
// value of every other field is a sensible choice. Run it once, with terms that no other
// run has used. It is not safe for concurrent use.
type Loop[X, Y any] struct {
	Name    string // of the run, kept in its checkpoint; see Resume
	Data    Data[X, Y]
	Terms   []Term[X, Y]
	Updater policy.Updater

	Steps    int      // number of updates
	Batch    int      // rows per update
	Repeat   int      // updates in a row on each batch of rows, as PPO makes them; 0: 1
	Micro    int      // rows per forward and backward pass; 0: Batch. The gradient is the same
	LR       float64  // learning rate
	Schedule Schedule // factor on it; nil: constant
	MaxNorm  float64  // clip the gradient to this Euclidean norm; 0: do not
	Seed     uint64   // of the order of rows and of all draws

	// Eval, if not nil, is called every EvalEvery updates, before the first and after the
	// last; its metrics become the history.
	Eval      func(ctx context.Context, step int, m *Metrics) error
	EvalEvery int // 0: at the first and the last step only

	// MetricsFile is a JSONL file with one line per step and evaluation; "": none. A new
	// run replaces it. A resumed one cuts it to its length at the checkpoint; it is an
	// error if it is missing or shorter.
	MetricsFile string

	// Checkpoint is a file from which the run can go on; "": none. It is replaced
	// atomically every CheckpointEvery updates, after the last one, and when the context is
	// cancelled, and holds parameters, optimizer, the terms' states, the position in the
	// data, and the history. Writing it takes several times its size of memory. A new run
	// removes an old one.
	//
	// With Repeat, what terms have drawn for a batch is in no checkpoint: one that is due waits
	// for the last update on the batch, and a cancelled run leaves that of the batch's
	// beginning, which is held in memory for this.
	Checkpoint      string
	CheckpointEvery int // 0: only at the end, or when cancelled

	// Resume goes on from Checkpoint, or begins if it is not there. Name, all numbers of the
	// Loop, its terms and its updater (see [Describer]) must be those of the checkpoint. The
	// data must be the same too, but only their number is compared: put a fingerprint of
	// them, and whatever else matters, into Name.
	Resume bool

	Progress *Progress // gets one step per update, and may be shared between runs; nil: none
}

// Run trains, and returns the evaluations. An error names the step (1 is the first, as in the
// metrics file), the row of the training set and the field; the last checkpoint is then
// intact. A cancelled context stops the run after the last complete update, of which a
// checkpoint is left if there is a file for it (see Checkpoint for Repeat); the gradient may
// then hold part of a sum, which the checkpoint does not.
func (l *Loop[X, Y]) Run(ctx context.Context) (History, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	s := newRun(l)
	if err := s.open(); err != nil {
		return nil, err
	}
	l.Progress.Skip(s.step)
	err := s.train(ctx)
	if err == nil {
		err = s.save()
	} else if ctx.Err() != nil && !s.torn {
		err = errors.Join(err, s.save())
	}
	return s.history, cmp.Or(err, s.log.close())
}

func (l *Loop[X, Y]) check() error {
	if len(l.Terms) == 0 || slices.Contains(l.Terms, nil) || l.Updater == nil {
		panic("train: Loop without Terms or Updater, or with a nil Term")
	}
	if err := l.Data.check(); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"Steps", float64(l.Steps), l.Steps > 0, "positive"},
		{"Batch", float64(l.Batch), l.Batch > 0, "positive"},
		{"Micro", float64(l.Micro), l.Micro >= 0, "not negative"},
		{"Repeat", float64(l.Repeat), l.Repeat >= 0, "not negative"},
		{"LR", l.LR, l.LR > 0 && !notFinite(l.LR), "positive and finite"},
		{"MaxNorm", l.MaxNorm, l.MaxNorm >= 0, "not negative"},
		{"EvalEvery", float64(l.EvalEvery), l.EvalEvery >= 0, "not negative"},
		{"CheckpointEvery", float64(l.CheckpointEvery), l.CheckpointEvery >= 0, "not negative"},
	} {
		if !f.ok {
			return fmt.Errorf("train: Loop.%s = %v, must be %s", f.name, f.value, f.want)
		}
	}
	if l.Steps > math.MaxInt/l.Batch {
		return fmt.Errorf("train: Loop.Steps = %d times Loop.Batch = %d is more than can be counted", l.Steps, l.Batch)
	}
	if l.Resume && l.Checkpoint == "" {
		return errors.New("train: Loop.Resume without Loop.Checkpoint")
	}
	return nil
}

// repeat returns the number of updates on each batch.
func (l *Loop[X, Y]) repeat() int { return max(1, l.Repeat) }
