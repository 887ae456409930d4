package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// result is what -json prints.
type result struct {
	Problem string   `json:"problem"`
	Config  *config  `json:"config"`
	Targets []target `json:"targets"`
}

// target is a gradient and what estimates it.
type target struct {
	Name string  `json:"name"`
	Norm float64 `json:"gradient_norm"`
	Rows []entry `json:"estimators"`
}

// entry is an estimator from k samples. Everything is relative to the length of the gradient.
type entry struct {
	Estimator string        `json:"name"`
	K         int           `json:"k"`
	Cosine    jsonnum.Float `json:"cosine"` // between the mean and the gradient; NaN for a mean of 0
	Exact     moments       `json:"exact"`
	Measured  moments       `json:"measured"`
	BiasSE    jsonnum.Float `json:"measured_bias_se"` // root mean square of what sampling adds to a bias of 0
}

type moments struct {
	Bias  jsonnum.Float `json:"bias"`
	SD    jsonnum.Float `json:"sd"`
	Error jsonnum.Float `json:"error"`
}

func figures(bias, trace, scale float64) moments {
	return moments{
		Bias: jsonnum.Float(bias / scale), SD: jsonnum.Float(math.Sqrt(trace) / scale),
		Error: jsonnum.Float(math.Sqrt(bias*bias+trace) / scale),
	}
}

// Table prints a row for each estimator and k.
func (r *result) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, g := range r.Targets {
		fmt.Fprintf(t, "Gradient of the %s, of length %.4f\n\nestimator\tk\tbias\tmeasured\t±\tsd\tmeasured\terror\tcosine\n", g.Name, g.Norm)
		for _, e := range g.Rows {
			fmt.Fprintf(t, "%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n",
				e.Estimator, e.K, e.Exact.Bias, e.Measured.Bias, e.BiasSE, e.Exact.SD, e.Measured.SD, e.Exact.Error, e.Cosine)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// Plots writes bias and standard deviation over k for each gradient.
func (r *result) Plots(dir string) ([]string, error) {
	var paths []string
	for _, g := range r.Targets {
		for _, q := range []struct {
			name, y string
			value   func(e entry) float64
		}{
			{"bias", "‖E ĝ − g‖/‖g‖", func(e entry) float64 { return float64(e.Exact.Bias) }},
			{"sd", "log₁₀ of √tr Cov ĝ/‖g‖", func(e entry) float64 { return math.Log10(float64(e.Exact.SD)) }},
		} {
			var series []report.Series
			for _, e := range g.Rows {
				if n := len(series); n == 0 || series[n-1].Name != e.Estimator {
					series = append(series, report.Series{Name: e.Estimator})
				}
				s := &series[len(series)-1]
				s.X, s.Y = append(s.X, float64(e.K)), append(s.Y, q.value(e))
			}
			path := filepath.Join(dir, strings.ToLower(g.Name)+"-"+q.name+".svg")
			title := fmt.Sprintf("Gradient of the %s: exact %s of its estimators", g.Name, map[string]string{"bias": "bias", "sd": "standard deviation"}[q.name])
			if err := report.PlotLines(path, title, "samples per prompt", q.y, series); err != nil {
				return paths, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}
