package dataset

import (
	"fmt"
	"math"
	"strconv"
)

// field is a field that some record has; everything else on a line is ignored.
type field uint8

const (
	promptField field = iota
	chosenField
	rejectedField
	completionField
	marginField
	refChosenField
	refRejectedField
	labelField
	fingerprintField
	noField

	texts   = completionField + 1
	numbers = labelField - texts
)

var fieldNames = [noField]string{
	promptField: "prompt", chosenField: "chosen", rejectedField: "rejected", completionField: "completion",
	marginField: "margin", refChosenField: "ref_chosen_logps", refRejectedField: "ref_rejected_logps",
	labelField: "label", fingerprintField: "ref_fingerprint",
}

func (f field) String() string { return fieldNames[f] }

// fieldSet is a set of fields, a bit for each.
type fieldSet uint16

func setOf(fs ...field) (s fieldSet) {
	for _, f := range fs {
		s |= 1 << f
	}
	return s
}

func (s fieldSet) has(f field) bool { return s>>f&1 != 0 }

// values holds the fields of one line that were asked for.
type values struct {
	want, seen fieldSet // seen: the key stood on the line
	set        fieldSet // and its value was not null
	text       [texts]Text
	number     [numbers]float64
	label      bool
	print      string
}

func (f *values) reset(want fieldSet) { *f = values{want: want} }

// lookup returns the wanted field of this name, or noField.
func (f *values) lookup(name []byte) field {
	for i := range noField {
		if fieldNames[i] == string(name) && f.want.has(i) {
			return i
		}
	}
	return noField
}

// begin notes that the key of a field was read; it reports false for the second one.
func (f *values) begin(i field) bool {
	if f.seen.has(i) {
		return false
	}
	f.seen |= 1 << i
	return true
}

// setString stores a JSON string, which is a text, a fingerprint or a non-finite number.
func (f *values) setString(i field, s string) *Error {
	switch {
	case i < texts:
		if s == "" {
			return fail(EmptyField, i.String(), "")
		}
		f.text[i].Plain = s
	case i == fingerprintField:
		f.print = s
	case i == labelField:
		return wrongType(i.String(), "true or false", "a string")
	default:
		switch s {
		case "Infinity":
			f.number[i-texts] = math.Inf(1)
		case "-Infinity":
			f.number[i-texts] = math.Inf(-1)
		case "NaN":
			f.number[i-texts] = math.NaN()
		default:
			return fail(WrongType, i.String(), fmt.Sprintf(`want a number, "Infinity", "-Infinity" or "NaN", have the string %.40q`, s))
		}
	}
	f.set |= 1 << i
	return nil
}

// setMessages stores a conversation.
func (f *values) setMessages(i field, messages []Message) {
	f.text[i].Messages = messages
	f.set |= 1 << i
}

// setNumber stores a JSON number.
func (f *values) setNumber(i field, literal string) *Error {
	if i < texts || i == labelField || i == fingerprintField {
		return wrongType(i.String(), i.wantedType(), "a number")
	}
	x, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return fail(BadNumber, i.String(), "out of range: "+literal)
	}
	f.number[i-texts] = x
	f.set |= 1 << i
	return nil
}

// setBool stores true or false.
func (f *values) setBool(i field, b bool) *Error {
	if i != labelField {
		return wrongType(i.String(), i.wantedType(), strconv.FormatBool(b))
	}
	f.label = b
	f.set |= 1 << i
	return nil
}

func (i field) wantedType() string {
	switch {
	case i < texts:
		return "a string or a list of messages"
	case i == labelField:
		return "true or false"
	case i == fingerprintField:
		return "a string"
	}
	return "a number"
}

func wrongType(field, want, have string) *Error {
	return fail(WrongType, field, "want "+want+", have "+have)
}

// source is what every record type implements to be read.
type source interface {
	wanted() fieldSet
	load(f *values, at Position) *Error
}

func (p *Pair) wanted() fieldSet {
	return setOf(promptField, chosenField, rejectedField, marginField, refChosenField, refRejectedField, fingerprintField)
}

func (p *Pair) load(f *values, at Position) *Error {
	*p = Pair{Prompt: f.text[promptField], Chosen: f.text[chosenField], Rejected: f.text[rejectedField], At: at}
	if f.set.has(marginField) {
		margin := f.number[marginField-texts]
		p.Margin = &margin
	}
	if f.set&setOf(refChosenField, refRejectedField, fingerprintField) != 0 {
		for _, i := range []field{refChosenField, refRejectedField} {
			if !f.set.has(i) {
				return fail(MissingField, i.String(), "")
			}
		}
		p.Ref = &Ref{f.number[refChosenField-texts], f.number[refRejectedField-texts], Fingerprint(f.print)}
	}
	return p.resolve()
}

func (u *Unpaired) wanted() fieldSet { return setOf(promptField, completionField, labelField) }

func (u *Unpaired) load(f *values, at Position) *Error {
	*u = Unpaired{Prompt: f.text[promptField], Completion: f.text[completionField], Label: f.label, At: at}
	if !f.set.has(labelField) {
		return fail(MissingField, labelField.String(), "")
	}
	return u.resolve()
}

func (p *PromptOnly) wanted() fieldSet { return setOf(promptField) }

func (p *PromptOnly) load(f *values, at Position) *Error {
	*p = PromptOnly{Prompt: f.text[promptField], At: at}
	return checkPrompt(p.Prompt)
}
