package dataset

import (
	"errors"
	"strconv"
	"strings"
)

// Kind says what is wrong with a record. Every kind is an error value for [errors.Is]:
//
//	if errors.Is(err, dataset.BlankReply) { … }
type Kind uint8

// Malformed: the line is not a record. Programs stop here unless told to skip, see [Usable].
const (
	InvalidJSON    Kind = iota + 1 // not one JSON object, or a lone surrogate in a string
	InvalidUTF8                    // bytes that are not UTF-8
	MissingField                   // a field that the record needs is absent or null
	EmptyField                     // "", [], or a prompt whose messages are all empty
	WrongType                      // a field, or the line itself, holds another JSON type than it must, or texts differ in form
	DuplicateField                 // a field that is read stands twice in an object
	BadNumber                      // NaN, +Infinity or out of range for a log-probability; not finite for a margin
	LineTooLong                    // more than [Reader.MaxLine] bytes
	Truncated                      // the stream, gzip as a rule, ends early; the records before the cut were delivered
	Corrupt                        // the gzip stream, or the Parquet file, is damaged

	// Unusable: a well-formed record that no loss can use. Programs skip and count it.

	BlankReply       // a reply of white space, or a dialogue that ends with the user's turn
	PromptsDiffer    // chosen and rejected answer different prompts
	IdenticalReplies // chosen and rejected are the same, byte for byte
	NotTurns         // text that does not consist of turns, where turns are asked for, see [ParseTurns]
	NoBoundary       // prompt and reply cannot be told apart, once rendered or in tokens; see package chat beneath this one

	// Neither: always stops.

	FingerprintMismatch // reference log-probabilities of something else, see [Pair.CheckRef]
	ReadFailed          // the file cannot be opened or read
	lastKind            = ReadFailed
)

var kindNames = [...]string{
	InvalidJSON: "invalid JSON", InvalidUTF8: "invalid UTF-8", MissingField: "missing field", EmptyField: "empty field",
	WrongType: "wrong type", DuplicateField: "duplicate field", BadNumber: "bad number", LineTooLong: "line too long",
	Truncated: "truncated", Corrupt: "corrupt",
	BlankReply: "blank reply", PromptsDiffer: "prompts differ", IdenticalReplies: "identical replies", NotTurns: "not in turns",
	NoBoundary:          "no boundary",
	FingerprintMismatch: "fingerprint mismatch", ReadFailed: "read failed",
}

// String returns the name that messages and [Summary.Reasons] use.
func (k Kind) String() string {
	if k == 0 || k > lastKind {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// Error makes a kind a target for [errors.Is].
func (k Kind) Error() string { return "dataset: " + k.String() }

// Malformed reports whether a line with such an error is no record at all.
func (k Kind) Malformed() bool { return InvalidJSON <= k && k <= Corrupt }

// Unusable reports whether the record is well-formed but of no use.
func (k Kind) Unusable() bool { return BlankReply <= k && k <= NoBoundary }

// Error is the error of this package: what is wrong, and where.
type Error struct {
	File  string // "" for a record that was not read
	Line  int    // counts from 1; the row of a Parquet file
	Field string // such as "chosen" or "prompt[2].role"; "" where no single field is to blame
	Kind  Kind
	Err   error // the cause or a detail; may be nil
}

// Error returns "file:line: field: kind: detail".
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, s := range []string{Position{e.File, e.Line}.String(), e.Field, e.Kind.String()} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Is reports whether target is the error's [Kind].
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns the kind and, where there is one, the field of the record without indices, such as
// "blank reply: chosen". [Summary.Reasons] counts by it.
func (e *Error) Reason() string {
	if e.Field == "" {
		return e.Kind.String()
	}
	field := e.Field
	if i := strings.IndexByte(field, '['); i >= 0 {
		field = field[:i]
	}
	return e.Kind.String() + ": " + field
}

// at adds the position.
func (e *Error) at(p Position) *Error {
	e.File, e.Line = p.File, p.Line
	return e
}

// fail makes an error without a position; whoever knows the position adds it.
func fail(kind Kind, field, detail string) *Error {
	e := &Error{Kind: kind, Field: field}
	if detail != "" {
		e.Err = errors.New(detail)
	}
	return e
}
