package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// stat is a quantity over seeds, as all programs print it.
type stat struct {
	Values []jsonnum.Float `json:"values"`
	Median jsonnum.Float   `json:"median"`
	Min    jsonnum.Float   `json:"min"`
	Max    jsonnum.Float   `json:"max"`
	SE     *jsonnum.Float  `json:"se"`
}

// String is "median [min, max]", or "value ± standard error" of one seed.
func (s *stat) String() string {
	switch {
	case s == nil:
		return ""
	case len(s.Values) > 1:
		return fmt.Sprintf("%s [%s, %s]", number(s.Median), number(s.Min), number(s.Max))
	case s.SE != nil:
		return fmt.Sprintf("%s ± %s", number(s.Median), number(*s.SE))
	}
	return number(s.Median)
}

// number prints three decimals, fewer of large numbers.
func number(x jsonnum.Float) string {
	digits := 3
	switch a := math.Abs(float64(x)); {
	case math.IsInf(a, 0):
		return strings.NewReplacer("-", "−", "+", "", "Inf", "∞").Replace(fmt.Sprint(float64(x)))
	case a >= 100:
		digits = 0
	case a >= 10:
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, float64(x))
	if strings.Trim(text, "-0.") == "" {
		return "0"
	}
	return strings.Replace(text, "-", "−", 1)
}

// size prints the order of a small number.
func size(x *jsonnum.Float) string {
	switch {
	case x == nil:
		return "–"
	case *x == 0:
		return "0"
	}
	return fmt.Sprintf("%.0e", float64(*x))
}

// table is a table of Markdown.
type table struct{ strings.Builder }

func (t *table) row(cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(t, "| %v ", c)
	}
	t.WriteString("|\n")
}

func newTable(head ...any) *table {
	t := &table{}
	t.row(head...)
	t.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	return t
}

type linear struct {
	Method                 string
	Best, Chosen, Rejected *stat
	CurveError             *jsonnum.Float `json:"curve_error"`
	FlowError              *jsonnum.Float `json:"flow_error"`
	LimitError             *stat          `json:"limit_error"`
}

type offline struct {
	Gradient jsonnum.Float
	KL, J    jsonnum.Float
}

// extrapolationBlocks makes the tables of examples/extrapolation.
func extrapolationBlocks(output []byte) (map[string]string, error) {
	r, err := decode[struct {
		Linear, Random []linear
		Tabular        []struct {
			Reference  string
			LogOdds    *stat `json:"log_odds"`
			ClosedForm *stat `json:"closed_form"`
			Rose, Fell int
			Error      jsonnum.Float
		}
		Counterexample []struct {
			Delta    jsonnum.Float
			BestJ    jsonnum.Float `json:"best_j"`
			DPO, IPO offline
			HyPO     *struct{ KL, J *stat }
			Minimum  *jsonnum.Float `json:"hypo_kl"`
		}
	}](output)
	if err != nil {
		return nil, err
	}
	blocks := map[string]string{}
	lines := newTable("", "method", "best, in no pair", "chosen", "rejected", "distance from the curve", "from the flow", "from the limit")
	for _, part := range []struct {
		name string
		rows []linear
	}{{"three responses", r.Linear}, {"random features", r.Random}} {
		for _, m := range part.rows {
			limit := "–"
			if m.LimitError != nil {
				limit = size(&m.LimitError.Max)
			}
			lines.row(part.name, m.Method, m.Best, m.Chosen, m.Rejected, size(m.CurveError), size(m.FlowError), limit)
		}
	}
	blocks["linear"] = lines.String()
	odds := newTable("π_ref on covered responses", "change of log-odds", "closed form", "rose", "fell", "largest distance")
	for _, m := range r.Tabular {
		odds.row(m.Reference, m.LogOdds, m.ClosedForm, m.Rose, m.Fell, size(&m.Error))
	}
	blocks["tabular"] = odds.String()
	sweep := newTable("δ", "J(π\\*)", "DPO: gradient", "KL", "J", "IPO: gradient", "KL", "J", "HyPO from there: KL", "at its minimum", "J")
	for _, v := range r.Counterexample {
		kl, least, j := "∞ at the start", "", ""
		if v.HyPO != nil {
			kl, least, j = v.HyPO.KL.String(), number(*v.Minimum), v.HyPO.J.String()
		}
		sweep.row(size(&v.Delta), number(v.BestJ), size(&v.DPO.Gradient), number(v.DPO.KL), number(v.DPO.J),
			size(&v.IPO.Gradient), number(v.IPO.KL), number(v.IPO.J), kl, least, j)
	}
	blocks["counterexample"] = sweep.String()
	return blocks, nil
}
