package rloo

import (
	"fmt"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Advantage turns the rewards of groups of samples into advantages, the weights of
// ∇ log π(yᵢ) in an estimate of a gradient.
//
// Eval stores in dst[i] the advantage of the sample with reward[i]; dst may be reward. A
// reward that is NaN or infinite is an error that names index and value: a reward that is
// missing has to be left out by the caller and is never taken for 0. So are rewards so
// large that the sum of their differences overflows, and, with [ErrDependent], draws that
// depend on each other where the type says so. After an error dst is unspecified.
//
// Eval panics if dst and reward differ in length, or if g does not divide them. The
// implementations here are values without state, safe for concurrent use, and allocate
// nothing in steady state.
type Advantage interface {
	Eval(dst, reward []float64, g Groups) (Signal, error)
}

// Signal counts groups by what their rewards can tell.
type Signal struct {
	Groups int // all groups
	Flat   int // of two samples or more, all rewards equal: max = min
	Single int // of one sample
	Empty  int // of no sample
}

// Add adds the counts of another batch.
func (s *Signal) Add(t Signal) {
	s.Groups += t.Groups
	s.Flat += t.Flat
	s.Single += t.Single
	s.Empty += t.Empty
}

// Silent returns the fraction of groups in which no reward differs from another, 0 if there
// are no groups.
func (s Signal) Silent() float64 {
	if s.Groups == 0 {
		return 0
	}
	return float64(s.Flat+s.Single+s.Empty) / float64(s.Groups)
}

// scan counts groups and checks rewards, before anything is written.
func scan(dst, reward []float64, g Groups) (Signal, error) {
	if len(dst) != len(reward) {
		panic(badLength)
	}
	g.check(len(reward))
	s := Signal{Groups: g.Len(len(reward))}
	safe := summable("reward", reward) == nil // for all at once, and so for each group
	for i := range s.Groups {
		lo, hi := g.Group(i)
		r := reward[lo:hi]
		if !safe {
			least, most, err := extent("reward", r, lo)
			if err != nil {
				return Signal{}, err
			}
			if !isFinite((most - least) * float64(hi-lo)) {
				return Signal{}, tooFar("reward", least, most)
			}
		}
		switch {
		case len(r) == 0:
			s.Empty++
		case len(r) == 1:
			s.Single++
		case constant(r):
			s.Flat++
		}
	}
	return s, nil
}

// constant reports whether all numbers are equal.
func constant(r []float64) bool {
	for _, v := range r[1:] {
		if v != r[0] {
			return false
		}
	}
	return true
}

// scanBatch is scanIndependent for baselines from all samples of a batch.
func scanBatch(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	return s, summable("reward", reward)
}

// summable returns an error if differences within v, all finite, have no finite sum.
func summable(field string, v []float64) error {
	least, most, err := extent(field, v, 0)
	if err == nil && !isFinite((most-least)*float64(len(v))) {
		err = tooFar(field, least, most)
	}
	return err
}

func tooFar(field string, least, most float64) error {
	return fmt.Errorf("rloo: %s from %v to %v: the sum of differences overflows", field, least, most)
}

// scanIndependent is scan for baselines from other samples.
func scanIndependent(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scan(dst, reward, g)
	if err == nil && g.Dependent {
		return Signal{}, ErrDependent
	}
	return s, err
}

// extent returns the least and the largest of v, which begins at index at of field: 0 and 0
// if it is empty.
func extent(field string, v []float64, at int) (least, most float64, err error) {
	least, most, finite := elem.Extent(v)
	if finite {
		return least, most, nil
	}
	for i, x := range v {
		if !isFinite(x) {
			return 0, 0, fmt.Errorf("rloo: %s[%d] = %v, must be finite", field, at+i, x)
		}
	}
	return least, most, nil
}
