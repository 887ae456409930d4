package coverage

import (
	"bytes"
	"fmt"

	"github.com/prefgrad/prefgrad/internal/record"
)

func encode(kind string, version uint32, sections ...[]byte) ([]byte, error) {
	var b bytes.Buffer
	if err := record.Write(&b, kind, version, sections...); err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	return b.Bytes(), nil
}

// decode reads a record with the given number of sections, the first of which fills head.
func decode(b []byte, kind string, version uint32, sections int, head []uint64) ([][]byte, error) {
	r := bytes.NewReader(b)
	s, err := record.Read(r, kind, version)
	if err == nil && (len(s) != sections || r.Len() > 0) {
		err = fmt.Errorf("%d sections and %d bytes after them, want %d and 0", len(s), r.Len(), sections)
	}
	if err == nil {
		err = record.PutUints(head, s[0])
	}
	if err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	return s, nil
}
