package train_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// tickingRun is a run of constrained HyPO on a folder that calls tick in the middle of all it
// does: draws, passes, updates, evaluations, checkpoints.
func tickingRun(dir string, steps int, tick func()) (*toy, *loop) {
	toy, l := budgetRun(dir, never)
	w := &watched{learner: toy.LogLinear, forward: tick, sample: func([]x, []uint64, int, policy.Key) { tick() }}
	l.Terms = toy.budgeted(w)
	l.Terms[1].(*budget).Dual.Lambda = 0.05 // so that it moves from the beginning
	l.Updater = watchedUpdater{Updater: l.Updater, update: func(float64) { tick() }, save: tick}
	l.Eval = func(ctx context.Context, step int, m *train.Metrics) error {
		tick()
		return toy.evalKL(ctx, step, m)
	}
	l.Steps, l.Micro = steps, 5
	return toy, l
}

// outcome is all that a run leaves behind.
type outcome struct {
	Checkpoint, Metrics string
	History             train.History
}

func outcomeOf(t *testing.T, l *loop, h train.History) outcome {
	return outcome{digest(t, l.Checkpoint), readFile(t, l.MetricsFile), h}
}

// undisturbed returns the outcome of a run that nobody stops, and the number of its ticks.
func undisturbed(t *testing.T, steps int) (o outcome, ticks int) {
	_, l := tickingRun(t.TempDir(), steps, func() { ticks++ })
	h := run(t, l)
	moved := 0
	for _, m := range lines(t, l.MetricsFile) {
		if m["lambda"] > 0 {
			moved++
		}
	}
	require.Greater(t, moved, steps/4, "the state does not matter")
	return outcomeOf(t, l, h), ticks
}

// TestCancel cancels a run at each of its ticks. It leaves a checkpoint of the last complete
// update, and ends in the same bits when it is resumed.
func TestCancel(t *testing.T) {
	const steps = 7
	want, ticks := undisturbed(t, steps)
	require.Greater(t, ticks, 7*steps)
	for at := range ticks {
		dir := t.TempDir()
		stopped, cancel := context.WithCancel(ctx)
		n := 0
		_, l := tickingRun(dir, steps, func() {
			if n == at {
				cancel()
			}
			n++
		})
		l.CheckpointEvery = 0 // it is the cancellation that saves
		h, err := l.Run(stopped)
		if err != nil { // the last ticks are too late
			require.ErrorIs(t, err, context.Canceled)
			_, l = tickingRun(dir, steps, func() {})
			h = run(t, l)
		}
		require.Equal(t, want, outcomeOf(t, l, h), "cancelled at tick %d", at)
	}
	already, cancel := context.WithCancel(ctx)
	cancel()
	_, l := tickingRun(t.TempDir(), steps, func() {})
	_, err := l.Run(already)
	assert.ErrorIs(t, err, context.Canceled)
	assert.FileExists(t, l.Checkpoint)
}

const (
	childFolder = "PREFGRAD_TRAIN_CHILD" // the environment variable that makes the test a child
	killSteps   = 120
)

// TestMain makes the test binary the victim of TestKill if it is told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child runs on the folder and asks at each tick whether to go on: it writes a byte and waits
// for one.
func child(dir string) {
	var b [1]byte
	_, l := tickingRun(dir, killSteps, func() {
		if _, err := os.Stdout.Write(b[:]); err != nil {
			os.Exit(1)
		}
		if _, err := os.Stdin.Read(b[:]); err != nil {
			os.Exit(1) // an orphan
		}
	})
	h, err := l.Run(ctx)
	if err == nil {
		var text []byte
		if text, err = json.Marshal(h); err == nil {
			err = os.WriteFile(filepath.Join(dir, "history.json"), text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestKill kills a run with SIGKILL at ten random moments, resumes it each time, and compares
// what is left in the end, bit by bit. Half of the victims are killed while they wait in the
// middle of something, half while they run on from there.
func TestKill(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("no processes")
	}
	want, ticks := undisturbed(t, killSteps)
	dir, g := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	for n := range 10 {
		live(t, dir, 1+g.IntN(ticks/11), n%2 == 0) // all ten together do not reach the end
	}
	live(t, dir, -1, false)
	var h train.History
	require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "history.json"))), &h))
	_, l := tickingRun(dir, killSteps, func() {})
	assert.Equal(t, want, outcomeOf(t, l, h))
}

// live runs a child for a number of ticks and kills it: at the last one, or right after it
// was told to go on. A child with −1 ticks lives to its end.
func live(t *testing.T, dir string, ticks int, waiting bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	r := bufio.NewReader(out)
	for n := 0; n != ticks; n++ {
		if _, err := r.ReadByte(); err != nil {
			require.NoError(t, cmd.Wait())
			require.Equal(t, -1, ticks, "it ended before it was killed, after %d ticks", n)
			return
		}
		if n+1 < ticks || ticks < 0 || !waiting {
			_, err := in.Write([]byte{0})
			require.NoError(t, err)
		}
	}
	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed")
}
