package main

import (
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// draw plots the time of a call over the number of its items, both on logarithmic axes.
func draw(all []measurement, path string) error {
	p := plot.New()
	p.Title.Text = "Time as the work grows, one core"
	p.X.Label.Text, p.Y.Label.Text = "items", "seconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	var lines []any
	for _, kind := range kinds(all) {
		var points plotter.XYs
		for _, m := range all {
			if m.Scaling && kindOf(m.Name) == kind {
				points = append(points, plotter.XY{X: m.N, Y: m.N * m.NsPerItem * 1e-9})
			}
		}
		lines = append(lines, kind, points)
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, path)
}

// kindOf is a name without its sizes.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "=")
	return kind[:strings.LastIndex(kind, "/")]
}

func kinds(all []measurement) []string {
	var list []string
	seen := map[string]bool{}
	for _, name := range names(all, func(m measurement) bool { return m.Scaling }) {
		if k := kindOf(name); !seen[k] {
			seen[k] = true
			list = append(list, k)
		}
	}
	return list
}
