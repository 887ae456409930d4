package main

import (
	"path/filepath"

	"github.com/prefgrad/prefgrad/examples/internal/report"
)

// Plots draws KL and reward against the number of responses drawn, for each signal.
func (s shown) Plots(dir string) (paths []string, err error) {
	for _, signal := range []string{learned, exact} {
		for _, f := range []struct {
			file, title, y string
			stat           func(*report.Trace) *report.Stat
		}{
			{"kl-" + signal + ".svg", "KL(π‖π_ref)", "nats", func(t *report.Trace) *report.Stat { return t.KL }},
			{"reward-" + signal + ".svg", "Reward gained", "reward over π_ref", func(t *report.Trace) *report.Stat { return t.Reward }},
		} {
			path := filepath.Join(dir, f.file)
			curves := s.config.curves(s.Report, signal, f.stat)
			if err := report.PlotOver(path, f.title+" with the "+signal+" reward", "responses drawn", f.y, len(s.Seeds), curves); err != nil {
				return paths, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// curves returns a quantity of the methods that use a signal, and of those that use none.
func (c *config) curves(r *report.Report, signal string, stat func(*report.Trace) *report.Stat) []report.Curve {
	var curves []report.Curve
	for _, m := range r.Methods {
		if m.Signal != "" && m.Signal != signal || len(m.Trace) == 0 {
			continue
		}
		curve := report.Curve{Name: m.Name}
		for i := range m.Trace {
			t := &m.Trace[i]
			at := t.Samples
			if m.Name == "dpo" { // which draws none: where the others are after as many batches
				at = t.Step * c.Batch * c.K
			}
			curve.Step, curve.Stat = append(curve.Step, at), append(curve.Stat, stat(t))
		}
		curves = append(curves, curve)
	}
	return curves
}
