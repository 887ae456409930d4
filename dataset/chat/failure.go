package chat

import (
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/dataset"
)

// failure is the first error of a record.
type failure struct {
	at  dataset.Position
	err error
}

// bad notes what is wrong with the record.
func (f *failure) bad(kind dataset.Kind, field, detail string) {
	if f.err == nil {
		f.err = &dataset.Error{File: f.at.File, Line: f.at.Line, Field: field, Kind: kind, Err: errors.New(detail)}
	}
}

// stop notes an error that says nothing about the record: no kind, so that dataset.Usable never passes over it.
func (f *failure) stop(field string, err error) {
	if f.err != nil {
		return
	}
	f.err = fmt.Errorf("%s: %w", field, err)
	if at := f.at.String(); at != "" {
		f.err = fmt.Errorf("%s: %w", at, f.err)
	}
}
