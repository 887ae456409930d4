package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"text/tabwriter"

	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// Table prints everything but the traces. Stats are as in all reports of these examples:
// median [min, max]  mean ± standard deviation.
func (r *result) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, part := range []struct {
		head string
		rows []linear
	}{
		{"Three responses with linear features: change of log π over training", r.Linear},
		{"Random linear features: change of the mean log π over training", r.Random},
	} {
		fmt.Fprintf(t, "%s\n\nmethod\tbest, in no pair\tchosen\trejected\terror of curve\tof flow\tof limit\n", part.head)
		for _, m := range part.rows {
			fmt.Fprintf(t, "%s\t%v\t%v\t%v\t%s\t%s\t", m.Method, m.Best, m.Chosen, m.Rejected, small(m.CurveError), small(m.FlowError))
			if m.LimitError != nil {
				fmt.Fprint(t, small(&m.LimitError.Max))
			}
			fmt.Fprintln(t)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprint(t, "No features, DPO: change of the log-odds of what no pair contains\n\n",
		"reference\tlog-odds\tclosed form\trose\tfell\terror\terror during training\n")
	for _, m := range r.Tabular {
		fmt.Fprintf(t, "%s\t%v\t%v\t%d\t%d\t%s\t%s\n", m.Reference, m.LogOdds, m.ClosedForm, m.Rose, m.Fell, small(&m.Error), small(&m.PathError))
	}
	fmt.Fprint(t, "\nA policy that satisfies all pairs, with half its mass where π_ref has δ\n\n",
		"δ\tJ(π*)\tDPO: gradient\tKL\tJ\tIPO: gradient\tKL\tJ\tHyPO from there: KL\tat its minimum\tJ\n")
	for _, v := range r.Counterexample {
		fmt.Fprintf(t, "%.0e\t%.3f\t%s\t%.1f\t%.1f\t%s\t%.1f\t%.1f\t", v.Delta, v.BestJ,
			small(&v.DPO.Gradient), v.DPO.KL, v.DPO.J, small(&v.IPO.Gradient), v.IPO.KL, v.IPO.J)
		if v.HyPO != nil {
			fmt.Fprintf(t, "%v\t%.4f\t%v", v.HyPO.KL, *v.Minimum, v.HyPO.J)
		} else {
			fmt.Fprint(t, "infinite at the start\t\t")
		}
		fmt.Fprintln(t)
	}
	if len(r.Seeds) > 1 {
		fmt.Fprintf(t, "\nOver %d seeds: median [min, max]  mean ± standard deviation; errors are the largest.\n", len(r.Seeds))
	}
	return t.Flush()
}

// small prints an error.
func small(x *jsonnum.Float) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%.1e", *x)
}

// Plots writes all figures into dir.
func (r *result) Plots(dir string) ([]string, error) {
	var paths []string
	path := func(name string) string {
		paths = append(paths, filepath.Join(dir, name))
		return paths[len(paths)-1]
	}
	for _, part := range []struct {
		name, what string
		rows       []linear
	}{{"linear", "three responses", r.Linear}, {"random", "random features", r.Random}} {
		for _, m := range part.rows {
			err := report.PlotCurves(path("extrapolation-"+part.name+"-"+m.Method+".svg"), m.Method+", "+part.what, "log π, mean", len(r.Seeds), m.curves())
			if err != nil {
				return paths, err
			}
		}
	}
	var mass []report.Curve
	var odds []report.Series
	for _, m := range r.Tabular {
		c, s := report.Curve{Name: m.Reference}, report.Series{Name: m.Reference}
		for _, p := range m.Trace {
			c.Step, c.Stat = append(c.Step, p.Step), append(c.Stat, p.LogOdds)
		}
		for i, v := range m.ClosedForm.Values {
			s.X, s.Y = append(s.X, float64(v)), append(s.Y, float64(m.LogOdds.Values[i]))
		}
		mass, odds = append(mass, c), append(odds, s)
	}
	if err := report.PlotCurves(path("extrapolation-tabular.svg"), "DPO, responses in no pair", "change of log-odds", len(r.Seeds), mass); err != nil {
		return paths, err
	}
	if err := report.PlotAgainst(path("extrapolation-odds.svg"), "Log-odds of what no pair contains: change, per seed", "closed form", "after training", odds); err != nil {
		return paths, err
	}
	best, dpo, ipo, hypo := report.Series{Name: "π*"}, report.Series{Name: "DPO stays"}, report.Series{Name: "IPO stays"}, report.Series{Name: "HyPO leaves (median)"}
	for _, v := range r.Counterexample {
		if v.HyPO == nil { // δ = 0
			continue
		}
		for _, s := range []struct {
			to *report.Series
			y  jsonnum.Float
		}{{&best, v.BestJ}, {&dpo, v.DPO.J}, {&ipo, v.IPO.J}, {&hypo, v.HyPO.J.Median}} {
			s.to.X, s.to.Y = append(s.to.X, -math.Log10(float64(v.Delta))), append(s.to.Y, float64(s.y))
		}
	}
	return paths, report.PlotLines(path("extrapolation-counterexample.svg"), "All pairs are satisfied, and J → −∞", "−log₁₀ δ, δ = π_ref of the response that no pair contains", "J", []report.Series{best, dpo, hypo, ipo})
}

// curves are the three log-probabilities over training.
func (m *linear) curves() []report.Curve {
	best, chosen, rejected := report.Curve{Name: "best, in no pair"}, report.Curve{Name: "chosen"}, report.Curve{Name: "rejected"}
	for _, p := range m.Trace {
		for _, c := range []struct {
			to   *report.Curve
			stat *report.Stat
		}{{&best, p.Best}, {&chosen, p.Chosen}, {&rejected, p.Rejected}} {
			c.to.Step, c.to.Stat = append(c.to.Step, p.Step), append(c.to.Stat, c.stat)
		}
	}
	return []report.Curve{best, chosen, rejected}
}
