package policy

import (
	"fmt"
	"io"
	"slices"

	"github.com/prefgrad/prefgrad/internal/record"
)

const (
	logLinearKind = "policy.LogLinear"
	tabularKind   = "policy.Tabular"
	storeVersion  = 1
)

// Save writes θ as one record with a format version and a checksum. It must not run
// while the parameters change.
func (p *LogLinear) Save(w io.Writer) error {
	return record.Write(w, logLinearKind, storeVersion, record.Floats(p.linear.theta))
}

// LoadLogLinear reads what [LogLinear.Save] wrote, to the bit. A record of another
// kind, version or shape, and one cut short or damaged, is an error.
func LoadLogLinear(r io.Reader) (*LogLinear, error) {
	sections, err := readSections(r, logLinearKind, 1)
	if err != nil {
		return nil, err
	}
	p := NewLogLinear(max(1, len(sections[0])/8))
	if err := record.PutFloats(p.linear.theta, sections[0]); err != nil {
		return nil, fmt.Errorf("policy: parameters: %w", err)
	}
	return p, nil
}

// Save writes the base and θ as one record with a format version and a checksum. It
// must not run while the parameters change.
func (p *Tabular) Save(w io.Writer) error {
	t := &p.table
	shape := record.Uints(uint64(len(t.theta)/t.responses), uint64(t.responses))
	return record.Write(w, tabularKind, storeVersion, shape, record.Floats(t.theta), record.Floats(t.base))
}

// LoadTabular reads what [Tabular.Save] wrote, to the bit. A record of another kind,
// version or shape, and one cut short or damaged, is an error.
func LoadTabular(r io.Reader) (*Tabular, error) {
	sections, err := readSections(r, tabularKind, 3)
	if err != nil {
		return nil, err
	}
	var shape [2]uint64
	if err := record.PutUints(shape[:], sections[0]); err != nil {
		return nil, fmt.Errorf("policy: shape: %w", err)
	}
	prompts, responses, size := shape[0], shape[1], uint64(len(sections[1])/8)
	if prompts < 1 || responses < 1 || responses > size || prompts > size/responses {
		return nil, fmt.Errorf("policy: table of %d × %d with %d logits", prompts, responses, size)
	}
	t := table{responses: int(responses), theta: make([]float64, prompts*responses)}
	if err := record.PutFloats(t.theta, sections[1]); err != nil {
		return nil, fmt.Errorf("policy: logits: %w", err)
	}
	if len(sections[2]) > 0 {
		t.base = slices.Clone(t.theta)
		if err := record.PutFloats(t.base, sections[2]); err != nil {
			return nil, fmt.Errorf("policy: base: %w", err)
		}
	}
	return newTabular(t), nil
}

// readSections reads a record of n sections.
func readSections(r io.Reader, kind string, n int) ([][]byte, error) {
	sections, err := record.Read(r, kind, storeVersion)
	if err == nil && len(sections) != n {
		err = fmt.Errorf("%q record of %d sections, not %d", kind, len(sections), n)
	}
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return sections, nil
}
