package gomlx

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"

	"github.com/prefgrad/prefgrad/policy/gomlx/internal/safetensors"
)

const (
	configFile  = "config.json"
	weightsFile = "model.safetensors"
	indexFile   = "model.safetensors.index.json"
)

// Load reads a model in Hugging Face's form from a folder: config.json, and the weights
// in model.safetensors, or in the files that model.safetensors.index.json lists. Weights
// in float16, bfloat16 and float64 are converted to float32. An architecture other than
// Llama's, and an option of it that this package does not have, is an error that names
// the field.
func Load(b compute.Backend, dir string) (*Model, error) {
	text, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, err
	}
	files, err := openShards(dir)
	if err != nil {
		return nil, err
	}
	defer files.close()
	specs := c.specs()
	return newModel(b, c, func(i int) ([]float32, error) { return files.read(specs[i]) })
}

// NewFrom returns a model with the given weights: value returns those of the parameter
// with this name, in Hugging Face's naming, and this shape, row by row. It is for
// checkpoints in other forms.
func NewFrom(b compute.Backend, c Config, value func(name string, shape []int) ([]float32, error)) (*Model, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	specs := c.specs()
	return newModel(b, c, func(i int) ([]float32, error) { return value(specs[i].name, specs[i].dims) })
}

// shards are the open files of a checkpoint.
type shards struct {
	files map[string]*safetensors.File
	where map[string]*safetensors.File // of each tensor
}

func openShards(dir string) (*shards, error) {
	s := &shards{map[string]*safetensors.File{}, map[string]*safetensors.File{}}
	names := []string{weightsFile}
	var index struct {
		Weights map[string]string `json:"weight_map"`
	}
	text, err := os.ReadFile(filepath.Join(dir, indexFile))
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &index); err != nil {
			return nil, fmt.Errorf("gomlx: %s: %w", indexFile, err)
		}
		names = nil
		for _, name := range index.Weights {
			if name != filepath.Base(name) {
				return nil, fmt.Errorf("gomlx: %s: %q is not a file of the same folder", indexFile, name)
			}
			names = append(names, name)
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	for _, name := range names {
		if s.files[name] != nil {
			continue
		}
		f, err := safetensors.Open(filepath.Join(dir, name))
		if err != nil {
			s.close()
			return nil, fmt.Errorf("gomlx: %w", err)
		}
		s.files[name] = f
		for _, tensor := range f.Names() {
			s.where[tensor] = f
		}
	}
	return s, nil
}

func (s *shards) read(p spec) ([]float32, error) {
	f := s.where[p.name]
	if f == nil {
		return nil, fmt.Errorf("gomlx: the checkpoint has no tensor %q", p.name)
	}
	v, err := f.Read(p.name, p.dims)
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	return v, nil
}

func (s *shards) close() {
	for _, f := range s.files {
		_ = f.Close() // read only
	}
}

// Save writes the model in Hugging Face's form to a folder, which it makes where it is
// not there: config.json and model.safetensors, in float32. With an adapter it writes
// the base; see [Model.SaveLoRA] and [Model.Merge].
func (s *scorer) Save(dir string) error {
	s.changing.RLock()
	defer s.changing.RUnlock()
	if err := writeJSON(dir, configFile, s.cfg.hfConfig()); err != nil {
		return err
	}
	return s.base.save(filepath.Join(dir, weightsFile))
}

// save writes weights as safetensors.
func (w *weights) save(path string) error {
	var ts []safetensors.Tensor
	for i, s := range w.specs {
		ts = append(ts, safetensors.Tensor{Name: s.name, Shape: s.dims, Value: func() ([]float32, error) { return w.read(i) }})
	}
	if err := safetensors.WriteFile(path, ts); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	return nil
}

func writeJSON(dir, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	return nil
}
