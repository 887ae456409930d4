package main

import (
	"fmt"
	"math"
	"slices"
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
	p.X.Label.Text, p.Y.Label.Text = "items", "time of a call"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{""}, decades{"s"}
	p.X.Padding = vg.Points(10)
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

// decades are ticks at powers of ten, those below 1 with the prefix of their unit.
type decades struct{ unit string }

// Ticks implements [plot.Ticker].
func (d decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := int(math.Floor(math.Log10(low))); e <= int(math.Ceil(math.Log10(high))); e++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow10(e), Label: d.label(e)})
		for m := 2.0; m < 10; m++ {
			ticks = append(ticks, plot.Tick{Value: m * math.Pow10(e)})
		}
	}
	return slices.DeleteFunc(ticks, func(t plot.Tick) bool { return t.Value < low || t.Value > high })
}

func (d decades) label(e int) string {
	if d.unit == "" {
		return fmt.Sprintf("10^%d", e)
	}
	k := int(math.Floor(float64(e) / 3))
	return fmt.Sprintf("%g %s%s", math.Pow10(e-3*k), map[int]string{0: "", -1: "m", -2: "µ", -3: "n"}[k], d.unit)
}
