package train_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// TestDamagedCheckpoints refuses whatever is not what was written, and loads nothing of it.
func TestDamagedCheckpoints(t *testing.T) {
	dir := interrupted(t, 10)
	path := filepath.Join(dir, "run.ckpt")
	whole := []byte(readFile(t, path))
	lines := readFile(t, filepath.Join(dir, "run.jsonl"))
	refuse := func(b []byte) error {
		t.Helper()
		require.NoError(t, os.WriteFile(path, b, 0o644))
		toy, l := budgetRun(dir, never)
		_, err := l.Run(ctx)
		require.ErrorContains(t, err, "train: resuming from "+path+": ")
		assert.Equal(t, make([]float64, toyDim), toy.Params())
		assert.Zero(t, l.Terms[1].(*budget).Dual.Lambda)
		assert.Equal(t, lines, readFile(t, l.MetricsFile))
		assert.Equal(t, string(b), readFile(t, path), "the evidence is gone")
		return err
	}
	for n := 0; n < len(whole); n += 41 {
		refuse(whole[:n])
	}
	refuse(whole[:len(whole)-1])
	for i := 0; i < len(whole); i += 29 {
		b := bytes.Clone(whole)
		b[i] ^= 0x40
		refuse(b)
	}
	b := bytes.Clone(whole)
	b[len(b)/2] ^= 1
	assert.ErrorContains(t, refuse(b), "checksum does not match")

	// A version of the future, with the right checksum.
	b = bytes.Clone(whole)
	at := 4 + 2 + len("train.Checkpoint")
	require.Equal(t, uint32(1), binary.LittleEndian.Uint32(b[at:]))
	b[at] = 2
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], crc32.MakeTable(crc32.Castagnoli)))
	assert.ErrorContains(t, refuse(b), "format version 2, this program reads 1")

	// A record of something else.
	var other bytes.Buffer
	require.NoError(t, newToy(1, 1).loop().Updater.Save(&other))
	assert.ErrorContains(t, refuse(other.Bytes()), `the record is a "train.AdamW"`)

	require.NoError(t, os.WriteFile(path, whole, 0o644))
	_, l := budgetRun(dir, never)
	run(t, l)
}

// stateful is a term with a state that may be refused.
type stateful struct {
	state  byte
	refuse error
}

func (s *stateful) EndStep(*train.Metrics) error { s.state++; return nil }
func (s *stateful) State() []byte                { return []byte{s.state} }
func (s *stateful) Restore(b []byte) error {
	if s.refuse != nil {
		return s.refuse
	}
	s.state = b[0]
	return nil
}

// statefulTerm adds a state to a term.
type statefulTerm struct {
	term
	*stateful
}

// brokenLoad is an updater that loads nothing.
type brokenLoad struct{ policy.Updater }

var errLoad = errors.New("no device")

func (brokenLoad) Load(io.Reader) error { return errLoad }

// TestNothingHalfLoaded: when the updater or a term refuses its part of a checkpoint, terms
// restored before get their states back.
func TestNothingHalfLoaded(t *testing.T) {
	dir := t.TempDir()
	build := func() (*toy, *loop, []*stateful) {
		toy := newToy(3, 12)
		states := []*stateful{{state: 100}, {state: 200}}
		l := files(toy.loop(statefulTerm{toy.dpo(), states[0]}, statefulTerm{toy.dpo(), states[1]}), dir)
		l.Resume, l.Steps = true, 5
		l.Updater = watchedUpdater{Updater: l.Updater}
		return toy, l, states
	}
	trained, l, states := build()
	run(t, l)
	assert.Equal(t, byte(105), states[0].state)

	toy, l, states := build()
	states[1].refuse = errors.New("state of the art")
	_, err := l.Run(ctx)
	require.ErrorIs(t, err, states[1].refuse)
	assert.ErrorContains(t, err, "state of Terms[1]: ")
	assert.Equal(t, byte(100), states[0].state)
	assert.Equal(t, make([]float64, toyDim), toy.Params())

	_, l, states = build()
	l.Updater = watchedUpdater{Updater: brokenLoad{l.Updater}}
	_, err = l.Run(ctx)
	require.ErrorIs(t, err, errLoad)
	assert.Equal(t, []byte{100, 200}, []byte{states[0].state, states[1].state})

	toy, l, states = build()
	run(t, l)
	assert.Equal(t, []byte{105, 205}, []byte{states[0].state, states[1].state})
	assert.Equal(t, trained.Params(), toy.Params())
}

// ending is a state that calls a hook when a step ends.
type ending struct {
	stateful
	end func() error
}

func (e *ending) EndStep(*train.Metrics) error { return e.end() }

// TestEndStepError: between an update and the end of its step there is nothing to save, even
// if the context is cancelled there.
func TestEndStepError(t *testing.T) {
	toy := newToy(3, 12)
	cancelled, cancel := context.WithCancel(ctx)
	l := files(toy.loop(endingTerm{toy.dpo(), &ending{end: func() error { cancel(); return errStop }}}), t.TempDir())
	_, err := l.Run(cancelled)
	require.ErrorIs(t, err, errStop)
	assert.NoFileExists(t, l.Checkpoint)
}

// endingTerm adds such a state to a term.
type endingTerm struct {
	term
	*ending
}

func TestKLBudgetState(t *testing.T) {
	_, l := budgetRun(t.TempDir(), never)
	run(t, l)
	b := l.Terms[1].(*budget)
	require.Positive(t, b.Dual.Lambda)
	other := &budget{Dual: b.Dual}
	other.Dual.Lambda = 5
	require.NoError(t, other.Restore(b.State()))
	assert.Equal(t, b.Dual, other.Dual)
	for want, state := range map[string][]byte{
		"train: state of KLBudget has 7 bytes, not 8":              make([]byte, 7),
		"rloo: Dual.Lambda = NaN, must be finite and not negative": {1, 0, 0, 0, 0, 0, 0xf8, 0x7f},
		"rloo: Dual.Lambda = -2, must be finite and not negative":  {0, 0, 0, 0, 0, 0, 0, 0xc0},
	} {
		assert.EqualError(t, other.Restore(state), want)
		assert.Equal(t, b.Dual, other.Dual)
	}

	// Restoring forgets the samples of a step that did not end.
	toy := newToy(1, 2)
	b = &budget{Policy: toy.LogLinear, Ref: toy.ref, K: 2, Dual: b.Dual}
	step := &batch{Data: toy.data, ID: []uint64{0, 1}, Row: []int{0, 1}, Rows: 2}
	require.NoError(t, b.Accumulate(ctx, step, policy.Key{}, &train.Metrics{}))
	require.NoError(t, b.Restore(b.State()))
	assert.ErrorContains(t, b.EndStep(nil), "kl = NaN", "no samples")
	require.NoError(t, b.Accumulate(ctx, step, policy.Key{}, &train.Metrics{}))
	require.NoError(t, b.EndStep(nil))
}
