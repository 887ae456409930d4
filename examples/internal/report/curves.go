package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Curve is a quantity over training: its statistics over seeds after some numbers of updates,
// or of what else training is measured in. Equal lengths. One without points keeps its color and is not drawn.
type Curve struct {
	Name string
	Step []int
	Stat []*Stat
}

// PlotCurves writes an SVG file with the median of each curve and a band from its minimum to
// its maximum over updates.
func PlotCurves(path, title, y string, seeds int, curves []Curve) error {
	return PlotOver(path, title, "updates", y, seeds, curves)
}

// PlotOver is PlotCurves over something else than updates.
func PlotOver(path, title, x, y string, seeds int, curves []Curve) error {
	p, err := bands(overSeeds(title, seeds), x, y, curves)
	if err != nil {
		return err
	}
	return save(p, path)
}

// Series is a set of points.
type Series struct {
	Name string
	X, Y []float64
}

// PlotAgainst writes an SVG file of what was found against what was expected: points, which
// ought to lie on the diagonal that it draws.
func PlotAgainst(path, title, x, y string, series []Series) error {
	p := newPlot(title, x, y)
	p.Legend.Left = true
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, s := range series {
		var points plotter.XYs
		for j, v := range s.X {
			points = append(points, plotter.XY{X: v, Y: s.Y[j]})
			lo, hi = min(lo, v, s.Y[j]), max(hi, v, s.Y[j])
		}
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.Color, dots.Radius = colors[i%len(colors)], vg.Points(2)
		p.Add(dots)
		p.Legend.Add(s.Name, dots)
	}
	diagonal, err := plotter.NewLine(plotter.XYs{{X: lo, Y: lo}, {X: hi, Y: hi}})
	if err != nil {
		return err
	}
	p.Add(diagonal)
	return save(p, path)
}

// PlotLines writes an SVG file with a line through the points of each series.
func PlotLines(path, title, x, y string, series []Series) error {
	p := newPlot(title, x, y)
	p.Legend.Left, p.Legend.Top = true, false
	for i, s := range series {
		var points plotter.XYs
		for j, v := range s.X {
			points = append(points, plotter.XY{X: v, Y: s.Y[j]})
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, dots.Color = colors[i%len(colors)], colors[i%len(colors)]
		p.Add(line, dots)
		p.Legend.Add(s.Name, line, dots)
	}
	return save(p, path)
}

func overSeeds(title string, seeds int) string {
	if seeds > 1 {
		title += fmt.Sprintf(" (median and range of %d seeds)", seeds)
	}
	return title
}

// bands draws the median of each curve with a band from its minimum to its maximum, and the
// legend to their right, where it covers none.
func bands(title, x, y string, curves []Curve) (*plot.Plot, error) {
	p := newPlot(title, x, y)
	p.Legend.Left = true
	for i, curve := range curves {
		var median, band, back plotter.XYs
		for j, s := range curve.Stat {
			at := float64(curve.Step[j])
			median = append(median, plotter.XY{X: at, Y: float64(s.Median)})
			band = append(band, plotter.XY{X: at, Y: float64(s.Max)})
			back = append(back, plotter.XY{X: at, Y: float64(s.Min)})
		}
		if len(median) == 0 {
			continue
		}
		for j := len(back) - 1; j >= 0; j-- {
			band = append(band, back[j])
		}
		area, err := plotter.NewPolygon(band)
		if err != nil {
			return nil, err
		}
		c := colors[i%len(colors)]
		area.Color = color.NRGBA{R: c.R, G: c.G, B: c.B, A: 50}
		area.LineStyle.Width = 0
		line, err := plotter.NewLine(median)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = c, vg.Points(1.5)
		p.Add(area, line)
		p.Legend.Add(curve.Name, line)
	}
	const inside = 15.2 * vg.Centimeter // between the axis of y and the right edge, about
	var widest vg.Length
	for _, curve := range curves {
		widest = max(widest, p.Legend.TextStyle.Width(curve.Name))
	}
	const gap = 4 * vg.Millimeter
	legend := p.Legend.ThumbnailWidth + widest*5/4 + gap // a reader's font may be wider
	end := p.X.Max
	p.X.Max = p.X.Min + (end-p.X.Min)*float64(inside/(inside-legend-gap))
	p.Legend.XOffs = inside - legend
	p.X.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick { return plot.DefaultTicks{}.Ticks(lo, end) })
	return p, nil
}
