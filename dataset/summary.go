package dataset

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Summary counts what [Usable] saw. The zero value is ready. Not safe for concurrent use.
type Summary struct {
	Read      int            // records and lines that should have been one, good or bad
	Malformed int            // of these, skipped because of an error of a malformed kind
	Unusable  int            // of these, skipped because of an error of an unusable kind
	Reasons   map[string]int // the skipped ones by [Error.Reason]; nil if there are none
}

// Skipped returns Malformed + Unusable.
func (s Summary) Skipped() int { return s.Malformed + s.Unusable }

// String returns a line such as "2312 read, 2303 used, 9 skipped (5 prompts differ, 4 blank reply: chosen)", the most
// frequent reason first.
func (s Summary) String() string {
	line := fmt.Sprintf("%d read, %d used, %d skipped", s.Read, s.Read-s.Skipped(), s.Skipped())
	if len(s.Reasons) == 0 {
		return line
	}
	reasons := slices.SortedFunc(maps.Keys(s.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Reasons[b], s.Reasons[a]), cmp.Compare(a, b))
	})
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", s.Reasons[r], r)
	}
	return line + " (" + strings.Join(reasons, ", ") + ")"
}

// MarshalJSON returns {"read":n,"skipped":n,"malformed":n,"unusable":n,"reasons":{…}}.
func (s Summary) MarshalJSON() ([]byte, error) {
	reasons := s.Reasons
	if reasons == nil {
		reasons = map[string]int{}
	}
	return json.Marshal(struct {
		Read      int            `json:"read"`
		Skipped   int            `json:"skipped"`
		Malformed int            `json:"malformed"`
		Unusable  int            `json:"unusable"`
		Reasons   map[string]int `json:"reasons"`
	}{s.Read, s.Skipped(), s.Malformed, s.Unusable, reasons})
}

// skip counts a record with an error that can be passed over.
func (s *Summary) skip(e *Error) {
	if e.Kind.Malformed() {
		s.Malformed++
	} else {
		s.Unusable++
	}
	if s.Reasons == nil {
		s.Reasons = map[string]int{}
	}
	s.Reasons[e.Reason()]++
}

// Usable returns the good records and adds to the summary as they pass:
//   - A record of an unusable kind is skipped and counted.
//   - A malformed line is skipped and counted if skipBad is set; otherwise its error is delivered and ends the sequence.
//   - Any other error is delivered and ends the sequence.
//
// The summary is complete when the range is over; each range adds to it. An error that ends the sequence is the last
// thing delivered, its record not counted as read. Usable panics without records or a summary.
func Usable[T any](records iter.Seq2[T, error], skipBad bool, summary *Summary) iter.Seq2[T, error] {
	if records == nil || summary == nil {
		panic("dataset: Usable without records or Summary")
	}
	return func(yield func(T, error) bool) {
		for record, err := range records {
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || !e.Kind.Unusable() && !(skipBad && e.Kind.Malformed()) {
					yield(record, err)
					return
				}
				summary.Read++
				summary.skip(e)
				continue
			}
			summary.Read++
			if !yield(record, nil) {
				return
			}
		}
	}
}

// Map returns f of every record and passes errors on, so that a step that can fail ([Pair.AsChat], a tokenizer) may
// stand before [Usable] and its failures are counted too. It panics without records or f.
func Map[T, U any](records iter.Seq2[T, error], f func(T) (U, error)) iter.Seq2[U, error] {
	if records == nil || f == nil {
		panic("dataset: Map without records or function")
	}
	return func(yield func(U, error) bool) {
		for record, err := range records {
			var out U
			if err == nil {
				out, err = f(record)
			}
			if !yield(out, err) {
				return
			}
		}
	}
}
