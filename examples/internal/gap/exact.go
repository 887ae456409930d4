package gap

import (
	"math"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/policy"
)

// Exact holds a policy's exact quantities, averaged over the prompts of a split.
type Exact struct {
	KL      float64 // KL(π‖π_ref), nats
	Reward  float64 // E_π[r*] − E_ref[r*]
	Winrate float64 // probability that a response of π beats one of π_ref, by Bradley–Terry on r*
	Garbage float64 // π's mass on garbage
}

// Evaluator computes Exact for the policies of one split.
type Evaluator struct {
	split *Split
	gain  [][]float64 // r*(x, y) − E_ref[r*]
	win   [][]float64 // E_{y'~π_ref} σ(r*(x, y) − r*(x, y'))
}

// NewEvaluator prepares a split.
func NewEvaluator(s *Split) *Evaluator {
	e := &Evaluator{split: s}
	for i, x := range s.X {
		r := s.Reward[i]
		mean := 0.0
		for y, l := range x.Ref {
			mean += math.Exp(l) * r[y]
		}
		gain, win := make([]float64, Responses), make([]float64, Responses)
		for y := range r {
			gain[y] = r[y] - mean
			for z, l := range x.Ref {
				win[y] += math.Exp(l) * sigmoid(r[y]-r[z])
			}
		}
		e.gain, e.win = append(e.gain, gain), append(e.win, win)
	}
	return e
}

// Exact evaluates a policy by enumeration.
func (e *Evaluator) Exact(p policy.Enumerable[*policy.Candidates]) (Exact, error) {
	var m Exact
	logp := make([]float64, Responses)
	for i, x := range e.split.X {
		if err := p.Distribution(logp, x); err != nil {
			return m, err
		}
		m.KL += coverage.KL(logp, x.Ref)
		for y, l := range logp {
			pi := math.Exp(l)
			m.Reward += pi * e.gain[i][y]
			m.Winrate += pi * e.win[i][y]
			if y >= Good {
				m.Garbage += pi
			}
		}
	}
	n := float64(len(e.split.X))
	return Exact{m.KL / n, m.Reward / n, m.Winrate / n, m.Garbage / n}, nil
}

// RefGarbage returns π_ref's mass on garbage.
func (e *Evaluator) RefGarbage() float64 {
	sum := 0.0
	for _, x := range e.split.X {
		for _, l := range x.Ref[Good:] {
			sum += math.Exp(l)
		}
	}
	return sum / float64(len(e.split.X))
}
