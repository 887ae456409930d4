package train

import (
	"encoding/json"
	"iter"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// Metrics collects named numbers, in the order of their first mention. What is reported
// several times under one name, by the micro-batches of a step or by several terms, is
// combined, so one name must always be reported by the same method. The zero value is ready
// to use. It is not safe for concurrent use.
type Metrics struct {
	entries []metric
}

type metric struct {
	name     string
	sum, n   float64
	sampled  bool // the value is that of estimate, not sum/n
	estimate coverage.KLEstimator
}

func (m *Metrics) find(name string) *metric {
	for i := range m.entries {
		if m.entries[i].name == name {
			return &m.entries[i]
		}
	}
	m.entries = append(m.entries, metric{name: name})
	return &m.entries[len(m.entries)-1]
}

// Mean adds n values with the given sum to the mean called name. The mean of no values is
// NaN.
func (m *Metrics) Mean(name string, sum float64, n int) {
	e := m.find(name)
	e.sum += sum
	e.n += float64(n)
}

// Sum adds v to the sum called name.
func (m *Metrics) Sum(name string, v float64) {
	e := m.find(name)
	e.sum += v
	e.n = 1
}

// Set makes v the value called name.
func (m *Metrics) Set(name string, v float64) {
	e := m.find(name)
	e.sum, e.n = v, 1
}

// Estimate adds the samples of o to the estimate called name, which is reported as two
// values: name, and name with "_se" for its standard error.
func (m *Metrics) Estimate(name string, o coverage.KLEstimator) {
	e := m.find(name)
	e.sampled = true
	e.estimate.Merge(o)
}

// Reset forgets everything.
func (m *Metrics) Reset() { m.entries = m.entries[:0] }

// All returns the names and values in order.
func (m *Metrics) All() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for _, e := range m.entries {
			if !e.sampled {
				if !yield(e.name, e.sum/e.n) {
					return
				}
				continue
			}
			r := e.estimate.Result()
			if !yield(e.name, r.Value) || !yield(e.name+"_se", r.SE) {
				return
			}
		}
	}
}

// Get returns the value called name, and whether there is one.
func (m *Metrics) Get(name string) (float64, bool) {
	for k, v := range m.All() {
		if k == name {
			return v, true
		}
	}
	return 0, false
}

// MarshalJSON writes one object, in order. Numbers that JSON lacks are the strings
// "Infinity", "-Infinity" and "NaN".
func (m *Metrics) MarshalJSON() ([]byte, error) {
	return append(m.appendJSON([]byte{'{'}), '}'), nil
}

// appendJSON appends the members of the object, with commas between them.
func (m *Metrics) appendJSON(b []byte) []byte {
	first := true
	for k, v := range m.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		name, _ := json.Marshal(k) // neither a string nor a Float fails
		value, _ := jsonnum.Float(v).MarshalJSON()
		b = append(append(append(b, name...), ':'), value...)
	}
	return b
}

// Evaluation is what the evaluation hook reported. In JSON it is an object of both fields, in
// which numbers that JSON lacks are the strings "Infinity", "-Infinity" and "NaN".
type Evaluation struct {
	Step   int // number of updates so far
	Values map[string]float64
}

// evaluationJSON is an Evaluation on the way.
type evaluationJSON struct {
	Step   int
	Values map[string]jsonnum.Float
}

// MarshalJSON implements [json.Marshaler].
func (e Evaluation) MarshalJSON() ([]byte, error) {
	j := evaluationJSON{Step: e.Step, Values: make(map[string]jsonnum.Float, len(e.Values))}
	for k, v := range e.Values {
		j.Values[k] = jsonnum.Float(v)
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (e *Evaluation) UnmarshalJSON(b []byte) error {
	var j evaluationJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*e = Evaluation{Step: j.Step, Values: make(map[string]float64, len(j.Values))}
	for k, v := range j.Values {
		e.Values[k] = float64(v)
	}
	return nil
}

// History is the list of a run's evaluations, in order of steps.
type History []Evaluation

// Last returns the value called name of the last evaluation, and whether there is one.
func (h History) Last(name string) (float64, bool) {
	if len(h) == 0 {
		return 0, false
	}
	v, ok := h[len(h)-1].Values[name]
	return v, ok
}
