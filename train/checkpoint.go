package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/prefgrad/prefgrad/internal/record"
)

const checkpointKind = "train.Checkpoint"

// checkpoint is what a record holds besides the updater and the terms' states.
type checkpoint struct {
	Name    string  // Loop.Name
	Config  string  // the numbers that a resumed run must share
	Step    int     // updates done
	Metrics int64   // length of the metrics file
	History History // evaluations so far
}

func (s *run[X, Y]) config() string {
	return fmt.Sprintf("steps=%d batch=%d micro=%d lr=%v schedule=%T%+v maxnorm=%v seed=%d rows=%d terms=%d evalevery=%d",
		s.Steps, s.Batch, s.Micro, s.LR, s.schedule(), s.schedule(), s.MaxNorm, s.Seed, s.Data.Len(), len(s.Terms), s.EvalEvery)
}

// save writes the checkpoint of a run with the given number of updates done. The metrics
// file is made durable first: a checkpoint never refers to lines that are not there.
func (s *run[X, Y]) save(step int) error {
	size, err := s.log.sync()
	if err != nil || s.Checkpoint == "" {
		return err
	}
	head, err := json.Marshal(checkpoint{s.Name, s.config(), step, size, s.history})
	if err != nil {
		return err
	}
	var params bytes.Buffer
	if err := s.Updater.Save(&params); err != nil {
		return fmt.Errorf("train: checkpoint at step %d: %w", step, err)
	}
	sections := [][]byte{head, params.Bytes()}
	for _, t := range s.Terms {
		var state []byte
		if st, ok := t.(Stateful); ok {
			state = st.State()
		}
		sections = append(sections, state)
	}
	err = WriteFile(s.Checkpoint, func(w io.Writer) error {
		return record.Write(w, checkpointKind, version, sections...)
	})
	if err != nil {
		return fmt.Errorf("train: checkpoint at step %d: %w", step, err)
	}
	return nil
}

// open starts a run, from its checkpoint if there is one and it is wanted, and opens the
// metrics file at the place where the run goes on.
func (s *run[X, Y]) open() error {
	var size int64
	if s.Resume && s.Checkpoint != "" {
		var err error
		if size, err = s.restore(); err != nil {
			return fmt.Errorf("train: resuming from %s: %w", s.Checkpoint, err)
		}
	}
	return s.log.open(s.MetricsFile, size)
}

func (s *run[X, Y]) restore() (metricsSize int64, err error) {
	f, err := os.Open(s.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // nothing was saved: the run starts at its beginning
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sections, err := record.Read(bufio.NewReader(f), checkpointKind, version)
	if err != nil {
		return 0, err
	}
	if len(sections) != 2+len(s.Terms) {
		return 0, fmt.Errorf("%d sections for %d terms", len(sections), len(s.Terms))
	}
	var c checkpoint
	if err := json.Unmarshal(sections[0], &c); err != nil {
		return 0, err
	}
	if c.Name != s.Name || c.Config != s.config() {
		return 0, fmt.Errorf("it belongs to another run: %q %s; this one is %q %s", c.Name, c.Config, s.Name, s.config())
	}
	if err := s.Updater.Load(bytes.NewReader(sections[1])); err != nil {
		return 0, err
	}
	for i, t := range s.Terms {
		if st, ok := t.(Stateful); ok {
			if err := st.Restore(sections[2+i]); err != nil {
				return 0, err
			}
		}
	}
	s.step, s.history = c.Step, c.History
	return c.Metrics, nil
}

// WriteFile writes a file so that, whenever the process is killed, the path holds either
// the old contents or the new, whole: write fills a temporary file in the same folder,
// which is made durable and renamed.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil { // the rename itself, where a folder can be synced
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
