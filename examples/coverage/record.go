package main

import (
	"math"
	"strconv"

	"github.com/prefgrad/prefgrad/coverage"
)

// reply is what a line says about one reply.
type reply struct {
	logp, ref float64   // NaN: not given
	length    int       // −1: not given
	features  []float64 // nil: not given
}

func (r *reply) reset() { *r = reply{logp: math.NaN(), ref: math.NaN(), length: -1} }

// field reads a field of a reply, called name in the file. It reports false for a field that
// no reply has, and reads nothing then.
func (r *reply) field(d *fields, field, name string) (known bool, err error) {
	set := false
	switch field {
	case "logp":
		set = !math.IsNaN(r.logp)
		r.logp, err = d.logProb(name)
	case "ref_logp":
		set = !math.IsNaN(r.ref)
		r.ref, err = d.logProb(name)
	case "length":
		set = r.length >= 0
		r.length, err = d.length(name)
	case "features":
		set = r.features != nil
		r.features, err = d.numbers(name)
	default:
		return false, nil
	}
	if err == nil && set {
		err = bad(name, "given twice")
	}
	return true, err
}

func (d *fields) length(field string) (int, error) {
	x, err := d.number(field)
	if err != nil || math.IsNaN(x) {
		return -1, err
	}
	if x < 0 || x > 1<<30 || x != math.Trunc(x) {
		return 0, bad(field, "must be a number of tokens, is %v", x)
	}
	return int(x), nil
}

// check refuses what a sample of the source cannot have. prefix is that of the fields.
func (r *reply) check(from coverage.Source, prefix string) error {
	for _, f := range []struct {
		name string
		v    float64
		own  coverage.Source
	}{{"logp", r.logp, coverage.FromPolicy}, {"ref_logp", r.ref, coverage.FromRef}} {
		switch {
		case math.IsNaN(f.v):
			return bad(prefix+f.name, "missing")
		case math.IsInf(f.v, -1) && from == f.own:
			return bad(prefix+f.name, "-Infinity, of a sample from the %v itself", from)
		}
	}
	return nil
}

// sample is a line of -in. Its slices are valid until the next line, but for features.
type sample struct {
	prompt []byte // as spelled in the file
	from   coverage.Source
	reply
}

func (s *sample) read(d *fields, line []byte) error {
	s.prompt, s.from = s.prompt[:0], -1
	s.reply.reset()
	err := d.line(line, func(name string) (err error) {
		switch name {
		case "prompt":
			s.prompt, err = d.id(s.prompt)
		case "from":
			s.from, err = d.source()
		default:
			var known bool
			if known, err = s.field(d, name, name); !known {
				_, err = d.value()
			}
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(s.prompt) == 0:
		return bad("prompt", "missing")
	case s.from < 0:
		return bad("from", "missing")
	}
	return s.check(s.from, "")
}

func (d *fields) source() (coverage.Source, error) {
	v, err := d.value()
	if err != nil {
		return 0, err
	}
	for _, s := range []coverage.Source{coverage.FromPolicy, coverage.FromRef} {
		if string(v) == strconv.Quote(s.String()) {
			return s, nil
		}
	}
	return 0, bad("from", `want "policy" or "ref", have %.40s`, v)
}

// pair is a line of -pairs. Its slices are valid until the next line, but for features.
type pair struct {
	prompt           []byte
	from             coverage.Source // where both replies were drawn
	chosen, rejected reply
}

// flat says which field of which reply the names of preference files are.
var flat = map[string]struct {
	rejected bool
	field    string
}{
	"chosen_logps": {false, "logp"}, "ref_chosen_logps": {false, "ref_logp"}, "chosen_length": {false, "length"}, "chosen_features": {false, "features"},
	"rejected_logps": {true, "logp"}, "ref_rejected_logps": {true, "ref_logp"}, "rejected_length": {true, "length"}, "rejected_features": {true, "features"},
}

func (p *pair) read(d *fields, line []byte, from coverage.Source) error {
	p.prompt, p.from = p.prompt[:0], from
	p.chosen.reset()
	p.rejected.reset()
	err := d.line(line, func(name string) (err error) {
		switch name {
		case "prompt":
			p.prompt, err = d.id(p.prompt)
		case "from":
			p.from, err = d.source()
		case "chosen":
			err = p.chosen.nested(d, name)
		case "rejected":
			err = p.rejected.nested(d, name)
		default:
			f, known := flat[name]
			if !known {
				_, err = d.value()
				break
			}
			r := &p.chosen
			if f.rejected {
				r = &p.rejected
			}
			_, err = r.field(d, f.field, name)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(p.prompt) == 0:
		return bad("prompt", "missing")
	}
	if err := p.chosen.check(p.from, "chosen."); err != nil {
		return err
	}
	return p.rejected.check(p.from, "rejected.")
}

// nested reads an object with the fields of a reply. Anything else is its text.
func (r *reply) nested(d *fields, name string) error {
	if d.dec.PeekKind() != '{' {
		_, err := d.value()
		return err
	}
	return d.object(func(field string) error {
		known, err := r.field(d, field, name+"."+field)
		if !known {
			_, err = d.value()
		}
		return err
	})
}
