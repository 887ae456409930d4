package train_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model")
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	only := func(want string) {
		t.Helper()
		assert.Equal(t, want, readFile(t, path))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 1)
	}
	require.NoError(t, train.WriteFile(path, text("one")))
	only("one")
	require.NoError(t, train.WriteFile(path, text("another")))
	only("another")
	info, err := os.Stat(path)
	require.NoError(t, err)
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	require.NoError(t, err)
	defer other.Close()
	usual, err := other.Stat()
	require.NoError(t, err)
	assert.Equal(t, usual.Mode(), info.Mode(), "others may read it as they may any file")

	cause := errors.New("half way")
	require.ErrorIs(t, train.WriteFile(path, func(w io.Writer) error {
		for i := range 10000 { // more than a buffer
			fmt.Fprintln(w, i)
		}
		assert.Equal(t, "another", readFile(t, path), "while it is being written")
		return cause
	}), cause)
	only("another")

	// What a killed process left behind is used again.
	require.NoError(t, os.WriteFile(path+".tmp", []byte("a long story that ends in the middle of"), 0o644))
	require.NoError(t, train.WriteFile(path, text("short")))
	only("short")

	assert.ErrorIs(t, train.WriteFile(filepath.Join(dir, "no", "folder"), text("")), os.ErrNotExist)
	folder := filepath.Join(dir, "folder")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "with a file"), 0o755))
	assert.Error(t, train.WriteFile(folder, text("x")))
	assert.NoFileExists(t, folder+".tmp")
}

// TestCheckpointFails: a checkpoint that cannot be written is an error that names the step,
// and leaves the last one.
func TestCheckpointFails(t *testing.T) {
	dir := t.TempDir()
	toy := newToy(3, 12)
	l := files(toy.loop(), dir)
	l.CheckpointEvery = 3
	saves, cause := 0, errors.New("no space")
	l.Updater = failingSave{l.Updater, func() error {
		if saves++; saves == 2 {
			return cause
		}
		return nil
	}}
	_, err := l.Run(ctx)
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, "train: checkpoint at step 6: no space")
	again := newToy(3, 12)
	l = files(again.loop(), dir)
	l.Updater, l.Resume = failingSave{l.Updater, func() error { return nil }}, true
	run(t, l)
	clean := newToy(3, 12)
	run(t, clean.loop())
	assert.Equal(t, clean.Params(), again.Params())
	assert.Len(t, lines(t, l.MetricsFile), 20)
}

// failingSave is an updater that asks before it saves.
type failingSave struct {
	policy.Updater
	ask func() error
}

func (f failingSave) Save(w io.Writer) error {
	if err := f.ask(); err != nil {
		return err
	}
	return f.Updater.Save(w)
}
