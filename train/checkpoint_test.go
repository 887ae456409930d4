package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// never is a step at which no run stops.
const never = 0

// budgetRun is a run of constrained HyPO with all that can be saved, which fails in the
// given step, before the update. It goes on from what is in the folder.
func budgetRun(dir string, stop uint64) (*toy, *loop) {
	toy := newToy(3, 12)
	l := files(toy.loop(append(toy.budgeted(toy.LogLinear), &stopper{stop})...), dir)
	l.Name, l.Eval, l.EvalEvery, l.CheckpointEvery, l.Resume = "toy", toy.evalKL, 4, 3, true
	l.MaxNorm, l.Schedule, l.Steps = 0.5, train.Linear{Warmup: 2}, 20
	return toy, l
}

var errStop = errors.New("stop")

// stopper is a term that fails in a step.
type stopper struct{ at uint64 }

func (s *stopper) Accumulate(_ context.Context, _ *batch, key policy.Key, _ *train.Metrics) error {
	if key.Step+1 == s.at {
		return errStop
	}
	return nil
}

// interrupted returns the folder of a run that failed in the given step.
func interrupted(t *testing.T, step uint64) (dir string) {
	dir = t.TempDir()
	_, l := budgetRun(dir, step)
	_, err := l.Run(ctx)
	require.ErrorIs(t, err, errStop)
	return dir
}

// TestResume: a run that failed and was resumed ends in the bits of one that did not. A
// checkpoint holds everything, so comparing files is enough; the history is returned too.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	whole, l := budgetRun(dir, never)
	history := run(t, l)
	require.Len(t, history, 6)
	require.Positive(t, l.Terms[1].(*budget).Dual.Lambda, "the state matters")
	want, lines := digest(t, l.Checkpoint), readFile(t, l.MetricsFile)
	for step := range uint64(20) {
		dir := interrupted(t, step+1)
		again, l := budgetRun(dir, never)
		h := run(t, l)
		assert.Equal(t, history, h)
		assert.Equal(t, whole.Params(), again.Params())
		assert.Equal(t, want, digest(t, l.Checkpoint), "stopped in step %d", step+1)
		assert.Equal(t, lines, readFile(t, l.MetricsFile), "stopped in step %d", step+1)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 2, "something was left over")
	}
}

// TestResumeFinished does nothing but return the history.
func TestResumeFinished(t *testing.T) {
	dir := t.TempDir()
	toy, l := budgetRun(dir, never)
	history := run(t, l)
	checkpoint, lines := digest(t, l.Checkpoint), readFile(t, l.MetricsFile)
	again, l := budgetRun(dir, never)
	l.Eval = func(context.Context, int, *train.Metrics) error { return errStop }
	assert.Equal(t, history, run(t, l))
	assert.Equal(t, toy.Params(), again.Params())
	assert.Equal(t, checkpoint, digest(t, l.Checkpoint))
	assert.Equal(t, lines, readFile(t, l.MetricsFile))
}

// TestFreshRun: without Resume a run begins, and removes what is there at its start: it must
// not be resumed later in place of the new one.
func TestFreshRun(t *testing.T) {
	dir := interrupted(t, 10)
	_, l := budgetRun(dir, never)
	old := readFile(t, l.Checkpoint)
	l.Resume = false
	l.Terms[2].(*stopper).at = 1
	_, err := l.Run(ctx)
	require.ErrorIs(t, err, errStop)
	assert.NoFileExists(t, l.Checkpoint)
	assert.Len(t, lines(t, l.MetricsFile), 1)

	require.NoError(t, os.WriteFile(l.MetricsFile, []byte("from another run\n"), 0o644))
	require.NoError(t, os.WriteFile(l.Checkpoint, []byte(old), 0o644))
	fresh, l := budgetRun(dir, never)
	l.Resume = false
	run(t, l)
	clean, m := budgetRun(t.TempDir(), never)
	run(t, m)
	assert.Equal(t, clean.Params(), fresh.Params())
	assert.Equal(t, readFile(t, m.MetricsFile), readFile(t, l.MetricsFile))

	// Without a checkpoint a metrics file is replaced just the same.
	_, l = budgetRun(dir, never)
	l.Resume, l.Checkpoint = false, ""
	run(t, l)
	assert.Equal(t, readFile(t, m.MetricsFile), readFile(t, l.MetricsFile))
}

// TestResumeWithoutMetrics refuses a metrics file that is not the run's.
func TestResumeWithoutMetrics(t *testing.T) {
	dir := interrupted(t, 10)
	file := filepath.Join(dir, "run.jsonl")
	content := readFile(t, file)
	checkpoint := digest(t, filepath.Join(dir, "run.ckpt"))

	fails := func(want string) {
		t.Helper()
		toy, l := budgetRun(dir, never)
		_, err := l.Run(ctx)
		require.ErrorContains(t, err, "train: resuming from "+l.Checkpoint+": ")
		assert.ErrorContains(t, err, want)
		assert.Equal(t, make([]float64, toyDim), toy.Params(), "half loaded")
		assert.Equal(t, checkpoint, digest(t, l.Checkpoint))
	}
	require.NoError(t, os.Truncate(file, 100))
	fails("run.jsonl has 100 bytes, the checkpoint knows of ")
	require.NoError(t, os.Remove(file))
	fails("train: metrics file: open ")
	assert.NoFileExists(t, file)

	// What is too much, a line cut by a kill, say, is cut off.
	require.NoError(t, os.WriteFile(file, []byte(content+`{"step":11,"lo`), 0o644))
	_, l := budgetRun(dir, never)
	run(t, l)
	_, m := budgetRun(t.TempDir(), never)
	run(t, m)
	assert.Equal(t, readFile(t, m.MetricsFile), readFile(t, file))
}

// TestResumeOther refuses the checkpoint of a run with any other setting, by name, and has
// loaded nothing.
func TestResumeOther(t *testing.T) {
	dir := interrupted(t, 10)
	before := digest(t, filepath.Join(dir, "run.ckpt"))
	for want, set := range map[string]func(toy *toy, l *loop){
		`its Name is toy, here it is other`:                                           func(_ *toy, l *loop) { l.Name = "other" },
		`its Steps is 20, here it is 21`:                                              func(_ *toy, l *loop) { l.Steps = 21 },
		`its Batch is 8, here it is 9`:                                                func(_ *toy, l *loop) { l.Batch = 9 },
		`its Micro is 0, here it is 2`:                                                func(_ *toy, l *loop) { l.Micro = 2 },
		`its LR is 0.05, here it is 0.06`:                                             func(_ *toy, l *loop) { l.LR = 0.06 },
		`its Seed is 7, here it is 8`:                                                 func(_ *toy, l *loop) { l.Seed = 8 },
		`its MaxNorm is 0.5, here it is 0`:                                            func(_ *toy, l *loop) { l.MaxNorm = 0 },
		`its EvalEvery is 4, here it is 5`:                                            func(_ *toy, l *loop) { l.EvalEvery = 5 },
		`its MetricsFile is true, here it is `:                                        func(_ *toy, l *loop) { l.MetricsFile = "" },
		`its number of rows is 12, here it is 11`:                                     func(_ *toy, l *loop) { l.Data = newToy(3, 11).data },
		`its Schedule is train.Linear{Warmup:2}, here it is train.Constant{Warmup:2}`: func(_ *toy, l *loop) { l.Schedule = train.Constant{Warmup: 2} },
		`its Schedule is train.Linear{Warmup:2}, here it is train.Linear{Warmup:3}`:   func(_ *toy, l *loop) { l.Schedule = train.Linear{Warmup: 3} },
		`its Updater is *train.AdamW Beta1=0.9 Beta2=0.999 Epsilon=1e-08 WeightDecay=0, here it is *train.AdamW Beta1=0.9 Beta2=0.99 Epsilon=1e-08 WeightDecay=0`: func(_ *toy, l *loop) {
			l.Updater.(*train.AdamW).Beta2 = 0.99
		},
		`its Updater is *train.AdamW `:                                          func(toy *toy, l *loop) { l.Updater = train.NewSGD(toy, 0) },
		`int] loss.DPO{Beta:0.1, LabelSmoothing:0}, here it is *train.Offline[`: func(toy *toy, l *loop) { l.Terms[0] = &offline{Policy: toy.LogLinear, Loss: loss.DPO{Beta: 0.2}} },
		`int] loss.IPO{Tau:1, LogRatio:0x1}`: func(toy *toy, l *loop) {
			l.Terms[0] = &offline{Policy: toy.LogLinear, Loss: loss.IPO{Tau: 1, LogRatio: loss.Sum}}
		},
		`here it is *train.Supervised[`: func(toy *toy, l *loop) { l.Terms[0] = &sft{Policy: toy.LogLinear, TokensPerRow: 3} },
		`int] K=2 Dual={Budget:0.02 Rate:0.5 Lambda:0}, here it is *train.KLPenalty[`: func(toy *toy, l *loop) {
			l.Terms[1] = &penalty{Policy: toy.LogLinear, Ref: toy.ref, K: 2, Lambda: 1}
		},
		`Dual={Budget:0.02 Rate:0.5 Lambda:0.1}`:                                              func(_ *toy, l *loop) { l.Terms[1].(*budget).Dual.Lambda = 0.1 },
		`Dual={Budget:0.03 Rate:0.5 Lambda:0}`:                                                func(_ *toy, l *loop) { l.Terms[1].(*budget).Dual.Budget = 0.03 },
		`Dual={Budget:0.02 Rate:1 Lambda:0}`:                                                  func(_ *toy, l *loop) { l.Terms[1].(*budget).Dual.Rate = 1 },
		`here it is *train.KLBudget[*github.com/prefgrad/prefgrad/policy.Candidates,int] K=3`: func(_ *toy, l *loop) { l.Terms[1].(*budget).K = 3 },
		`it has 3 terms, here there are 2`:                                                    func(_ *toy, l *loop) { l.Terms = l.Terms[:2] },
	} {
		toy, l := budgetRun(dir, never)
		set(toy, l)
		_, err := l.Run(ctx)
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "train: resuming from ")
		assert.Equal(t, make([]float64, len(toy.Params())), toy.Params(), want)
		assert.Equal(t, before, digest(t, l.Checkpoint))
	}
	_, l := budgetRun(dir, never) // what does not matter may change
	l.CheckpointEvery = 7
	run(t, l)
}
