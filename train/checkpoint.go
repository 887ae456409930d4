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

	"github.com/prefgrad/prefgrad/internal/record"
)

const checkpointKind = "train.Checkpoint"

// checkpoint is what a record holds besides the updater and the terms' states.
type checkpoint struct {
	Settings []setting
	Step     int     // updates done
	Metrics  int64   // length of the metrics file
	History  History // evaluations so far
}

// setting is something that a resumed run must share with the one that it resumes.
type setting struct{ Name, Value string }

// settings lists what decides about the bits of a run.
func (l *Loop[X, Y]) settings() []setting {
	s := []setting{
		{"Name", l.Name},
		{"Steps", fmt.Sprint(l.Steps)},
		{"Batch", fmt.Sprint(l.Batch)},
		{"Micro", fmt.Sprint(l.Micro)},
		{"Repeat", fmt.Sprint(l.repeat())},
		{"LR", fmt.Sprint(l.LR)},
		{"Schedule", fmt.Sprintf("%#v", l.schedule())},
		{"MaxNorm", fmt.Sprint(l.MaxNorm)},
		{"Seed", fmt.Sprint(l.Seed)},
		{"EvalEvery", fmt.Sprint(l.EvalEvery)},
		{"MetricsFile", fmt.Sprint(l.MetricsFile != "")},
		{"number of rows", fmt.Sprint(l.Data.Len())},
		{"Updater", describe(l.Updater)},
	}
	for i, t := range l.Terms {
		s = append(s, setting{fmt.Sprintf("Terms[%d]", i), describe(t)})
	}
	return s
}

// Describer is a [Term] or an updater that says how it is set, but for policies and
// functions: a run with other settings does not resume its checkpoint. The text must be the
// same in every process. Run asks once, before it restores a checkpoint.
type Describer interface{ Describe() string }

// describe returns the type of v and, where it is known, how it is set.
func describe(v any) string {
	text := fmt.Sprintf("%T", v)
	if d, ok := v.(Describer); ok {
		text += " " + d.Describe()
	}
	return text
}

// save writes the checkpoint of the current step, or of the last one at which a batch began,
// if there is a file for it.
func (s *run[X, Y]) save() error {
	if s.Checkpoint == "" {
		return nil
	}
	err := s.hold()
	if err == nil {
		err = s.write()
	}
	if err != nil {
		return fmt.Errorf("train: checkpoint at step %d: %w", s.step, err)
	}
	return nil
}

// hold makes s.held a checkpoint of the current step, unless a run cannot go on from there: in
// the middle of the updates on a batch.
func (s *run[X, Y]) hold() error {
	if s.step%s.repeat() != 0 && s.step != s.Steps {
		return nil
	}
	head, err := json.Marshal(checkpoint{s.settings, s.step, s.log.size, s.history})
	if err != nil {
		return err
	}
	s.params.Reset()
	if err := s.Updater.Save(&s.params); err != nil {
		return err
	}
	s.held = append(s.held[:0], head, s.params.Bytes())
	for _, t := range s.Terms {
		var state []byte
		if st, ok := t.(Stateful); ok {
			state = st.State()
		}
		s.held = append(s.held, state)
	}
	return nil
}

// write replaces the checkpoint by what is held. The metrics file is made durable first: a
// checkpoint never refers to lines that are not there.
func (s *run[X, Y]) write() error {
	if err := s.log.sync(); err != nil {
		return err
	}
	return WriteFile(s.Checkpoint, func(w io.Writer) error {
		return record.Write(w, checkpointKind, version, s.held...)
	})
}

// open begins a run, from its checkpoint if there is one and it is wanted, and opens the
// metrics file at the place where the run goes on.
func (s *run[X, Y]) open() error {
	if !s.Resume {
		if s.Checkpoint != "" {
			// If this run is killed before its first checkpoint, an older one would not
			// fit the new metrics file.
			if err := os.Remove(s.Checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("train: %w", err)
			}
		}
		return s.log.open(s.MetricsFile, 0)
	}
	f, err := os.Open(s.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) { // nothing was saved: the run begins
		return s.log.open(s.MetricsFile, 0)
	}
	if err == nil {
		err = s.restore(bufio.NewReader(f))
		_ = f.Close()
	}
	if err != nil {
		return fmt.Errorf("train: resuming from %s: %w", s.Checkpoint, err)
	}
	return nil
}

// restore loads a checkpoint: all of it, or nothing.
func (s *run[X, Y]) restore(r io.Reader) error {
	sections, err := record.Read(r, checkpointKind, version)
	if err != nil {
		return err
	}
	if len(sections) != 2+len(s.Terms) {
		return fmt.Errorf("it has %d terms, here there are %d", len(sections)-2, len(s.Terms))
	}
	var c checkpoint
	if err := json.Unmarshal(sections[0], &c); err != nil {
		return err
	}
	if err := s.same(c.Settings); err != nil {
		return err
	}
	if c.Step < 0 || c.Step > s.Steps || c.Step%s.repeat() != 0 && c.Step != s.Steps {
		return fmt.Errorf("it is of step %d, at which no batch begins", c.Step)
	}
	if err := s.log.open(s.MetricsFile, c.Metrics); err != nil {
		return err
	}
	if err := s.load(sections[1], sections[2:]); err != nil {
		_ = s.log.close()
		return err
	}
	s.step, s.history = c.Step, c.History
	return nil
}

// same returns an error that names the first setting that is not that of the checkpoint.
func (s *run[X, Y]) same(saved []setting) error {
	for i, want := range s.settings {
		if i == len(saved) || saved[i].Name != want.Name {
			return fmt.Errorf("it has no %s", want.Name)
		}
		if saved[i].Value != want.Value {
			return fmt.Errorf("it belongs to another run: its %s is %s, here it is %s", want.Name, saved[i].Value, want.Value)
		}
	}
	return nil
}

// load restores the terms, then the updater, which loads all or nothing itself. If one
// fails, the terms before it get their states back.
func (s *run[X, Y]) load(params []byte, states [][]byte) (err error) {
	for i, t := range s.Terms {
		st, ok := t.(Stateful)
		if !ok {
			continue
		}
		before := st.State()
		if err := st.Restore(states[i]); err != nil {
			return fmt.Errorf("state of Terms[%d]: %w", i, err)
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, st.Restore(before))
			}
		}()
	}
	return s.Updater.Load(bytes.NewReader(params))
}
