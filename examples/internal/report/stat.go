// Package report turns the results of an experiment into what people read: a table, plots,
// and one JSON object.
package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// Stat summarises one quantity over seeds.
type Stat struct {
	Values []jsonnum.Float `json:"values"` // in the order of seeds
	Median jsonnum.Float   `json:"median"`
	Min    jsonnum.Float   `json:"min"`
	Max    jsonnum.Float   `json:"max"`
	Mean   jsonnum.Float   `json:"mean"`
	Std    *jsonnum.Float  `json:"std"`          // sample standard deviation (n−1); null for one seed
	SE     *jsonnum.Float  `json:"se,omitempty"` // standard error of Mean from sampling within seeds, where sampled
}

// NewStat summarises values; se, if not nil, are the standard errors of the values
// themselves.
func NewStat(values, se []float64) *Stat {
	s := &Stat{}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	sum := 0.0
	for _, v := range values {
		s.Values = append(s.Values, jsonnum.Float(v))
		sum += v
	}
	mean := sum / float64(n)
	s.Min, s.Max, s.Mean = jsonnum.Float(sorted[0]), jsonnum.Float(sorted[n-1]), jsonnum.Float(mean)
	s.Median = jsonnum.Float((sorted[(n-1)/2] + sorted[n/2]) / 2)
	if n > 1 {
		sq := 0.0
		for _, v := range values {
			sq += (v - mean) * (v - mean)
		}
		std := jsonnum.Float(math.Sqrt(sq / float64(n-1)))
		s.Std = &std
	}
	if se != nil {
		sq := 0.0
		for _, v := range se {
			sq += v * v
		}
		e := jsonnum.Float(math.Sqrt(sq) / float64(n))
		s.SE = &e
	}
	return s
}

// String formats a Stat for a table: median [min, max], mean ± std over seeds; for one
// seed, its value ± the standard error where there is one.
func (s *Stat) String() string {
	if s == nil {
		return ""
	}
	if s.Std == nil {
		if s.SE != nil {
			return fmt.Sprintf("%s ± %s", num(s.Median), num(*s.SE))
		}
		return num(s.Median)
	}
	c := fmt.Sprintf("%s [%s, %s]  %s ± %s", num(s.Median), num(s.Min), num(s.Max), num(s.Mean), num(*s.Std))
	if s.SE != nil {
		c += fmt.Sprintf(" (se %s)", num(*s.SE))
	}
	return c
}

// num prints three decimals, or fewer for large numbers.
func num(x jsonnum.Float) string {
	switch a := math.Abs(float64(x)); {
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.3f", x)
	}
}
