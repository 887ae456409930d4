package lm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/internal/record"
)

const (
	kind    = "lm.Model"
	version = 1 // of the record, and of what the parameters mean: layout, hash, scale
)

// Save writes the configuration and the parameters as one record with a format version
// and a checksum. It must not run while the parameters change.
func (m *Model) Save(w io.Writer) error { return m.save(w) }

// Save writes the same record as the model that f is a copy of.
func (f *Frozen) Save(w io.Writer) error { return f.save(w) }

func (n *net) save(w io.Writer) error {
	c, err := json.Marshal(n.cfg)
	if err != nil {
		return fmt.Errorf("lm: %w", err)
	}
	return record.Write(w, kind, version, c, record.Floats(n.params))
}

// Load reads what Save wrote, to the bit. A record of another kind or version, one cut
// short or damaged, and one whose parameters do not fit its configuration is an error.
func Load(r io.Reader) (*Model, error) {
	sections, err := record.Read(r, kind, version)
	if err != nil {
		return nil, fmt.Errorf("lm: %w", err)
	}
	if len(sections) != 2 {
		return nil, fmt.Errorf("lm: record of %d sections, not 2", len(sections))
	}
	var c Config
	d := json.NewDecoder(bytes.NewReader(sections[0]))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("lm: configuration: %w", err)
	}
	if c, err = c.withDefaults(); err != nil {
		return nil, err
	}
	if size := c.layout().size; len(sections[1]) != 8*size {
		return nil, fmt.Errorf("lm: %d bytes of parameters, the configuration has %d numbers", len(sections[1]), size)
	}
	m := newModel(c)
	if err := record.PutFloats(m.params, sections[1]); err != nil {
		return nil, fmt.Errorf("lm: parameters: %w", err)
	}
	return m, nil
}
