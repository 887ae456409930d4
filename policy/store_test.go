package policy_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
)

func TestLogLinearSaveLoad(t *testing.T) {
	p := policy.NewLogLinear(4)
	copy(p.Params(), []float64{math.Pi, math.Copysign(0, -1), 5e-324, -math.MaxFloat64})
	var b bytes.Buffer
	require.NoError(t, p.Save(&b))
	q, err := policy.LoadLogLinear(&b)
	require.NoError(t, err)
	for i, v := range p.Params() {
		assert.Equal(t, math.Float64bits(v), math.Float64bits(q.Params()[i]))
	}
	assert.Len(t, q.Grad(), 4)
}

func TestLoadRefusesOtherRecords(t *testing.T) {
	write := func(kind string, version uint32, sections ...[]byte) []byte {
		var b bytes.Buffer
		require.NoError(t, record.Write(&b, kind, version, sections...))
		return b.Bytes()
	}
	loads := map[string]func(b []byte) error{
		"policy.LogLinear": func(b []byte) error { _, err := policy.LoadLogLinear(bytes.NewReader(b)); return err },
		"policy.Tabular":   func(b []byte) error { _, err := policy.LoadTabular(bytes.NewReader(b)); return err },
	}
	shape, six := record.Uints(2, 3), record.Floats(make([]float64, 6))
	assert.NoError(t, loads["policy.Tabular"](write("policy.Tabular", 1, shape, six, nil)))
	for _, c := range []struct {
		name, kind string
		record     []byte
		want       string
	}{
		{"empty", "policy.LogLinear", nil, "unexpected EOF"},
		{"another kind", "policy.LogLinear", write("policy.Tabular", 1, six), `the record is a "policy.Tabular"`},
		{"another version", "policy.LogLinear", write("policy.LogLinear", 2, six), "format version 2, this program reads 1"},
		{"no sections", "policy.LogLinear", write("policy.LogLinear", 1), "of 0 sections, not 1"},
		{"no parameters", "policy.LogLinear", write("policy.LogLinear", 1, nil), "0 bytes for 1 numbers"},
		{"half a number", "policy.LogLinear", write("policy.LogLinear", 1, six[:12]), "12 bytes for 1 numbers"},
		{"cut short", "policy.LogLinear", write("policy.LogLinear", 1, six)[:40], "unexpected EOF"},
		{"half a shape", "policy.Tabular", write("policy.Tabular", 1, shape[:8], six, nil), "shape: 8 bytes for 2 numbers"},
		{"no prompts", "policy.Tabular", write("policy.Tabular", 1, record.Uints(0, 3), six, nil), "table of 0 × 3 with 6 logits"},
		{"few logits", "policy.Tabular", write("policy.Tabular", 1, record.Uints(3, 3), six, nil), "table of 3 × 3 with 6 logits"},
		{"many logits", "policy.Tabular", write("policy.Tabular", 1, record.Uints(1, 3), six, nil), "logits: 48 bytes for 3 numbers"},
		{"a product that overflows", "policy.Tabular", write("policy.Tabular", 1, record.Uints(1<<32, 1<<32), six, nil), "with 6 logits"},
		{"a short base", "policy.Tabular", write("policy.Tabular", 1, shape, six, six[:40]), "base: 40 bytes for 6 numbers"},
	} {
		assert.ErrorContains(t, loads[c.kind](c.record), c.want, c.name)
	}
}
