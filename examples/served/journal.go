package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// sample is a reply with what was found out about it.
type sample struct {
	From    string        `json:"from"` // "policy" or "ref"
	Text    string        `json:"text"`
	Ended   bool          `json:"ended"` // by the end-of-sequence token, not by -max-tokens
	LogP    jsonnum.Float `json:"logp"`
	RefLogP jsonnum.Float `json:"ref_logp"`
	Length  int           `json:"length"` // tokens
	Score   jsonnum.Float `json:"score"`
}

// entry is a finished prompt.
type entry struct {
	Row     int      `json:"row"` // its place in the prompt file
	Samples []sample `json:"samples"`
}

// journal is a file of finished prompts behind a line that says what run they belong to.
type journal struct {
	f    *os.File
	mu   sync.Mutex
	done map[int][]sample // by row
}

// openJournal makes the directory and the file, or goes on with the file that is there if
// it belongs to the same run.
func openJournal(dir string, header any, resume bool) (*journal, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "work.jsonl")
	want, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	j := &journal{done: map[int][]sample{}}
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !resume:
		return nil, fmt.Errorf("%s is there already: -resume to go on with it, or another -out", path)
	default:
		if old, err = j.load(path, old, want); err != nil {
			return nil, err
		}
	}
	if j.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	// a line that was cut in the middle of being written goes
	if err = j.f.Truncate(int64(len(old))); err == nil {
		_, err = j.f.Seek(int64(len(old)), 0)
	}
	if err == nil && len(old) == 0 {
		_, err = j.f.Write(append(want, '\n'))
	}
	return j, err
}

// load reads a journal and returns its whole lines.
func (j *journal) load(path string, data, want []byte) ([]byte, error) {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<30)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if !bytes.Equal(lines.Bytes(), want) {
				return nil, fmt.Errorf("%s is from another run:\n  there %s\n  here  %s", path, lines.Bytes(), want)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		j.done[e.Row] = e.Samples
	}
	return data, lines.Err()
}

// add writes a finished prompt.
func (j *journal) add(e entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.f.Write(append(b, '\n')); err != nil {
		return err
	}
	j.done[e.Row] = e.Samples
	return nil
}

func (j *journal) close() { _ = j.f.Close() }
