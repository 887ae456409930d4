package report

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Band is a curve of estimates with an interval around each.
type Band struct {
	Name   string
	Points []BandPoint
}

// BandPoint is one point of a Band.
type BandPoint struct{ X, Y, Lo, Hi float64 }

// PlotBands writes an SVG file with the curves and their bands over a logarithmic axis of x.
func PlotBands(path, title, x, y string, bands []Band) error {
	p := newPlot(title, x, y)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min = 0
	for i, b := range bands {
		var curve, area, back plotter.XYs
		for _, v := range b.Points {
			curve = append(curve, plotter.XY{X: v.X, Y: v.Y})
			area = append(area, plotter.XY{X: v.X, Y: v.Hi})
			back = append(back, plotter.XY{X: v.X, Y: v.Lo})
		}
		for j := len(back) - 1; j >= 0; j-- {
			area = append(area, back[j])
		}
		shade, err := plotter.NewPolygon(area)
		if err != nil {
			return err
		}
		c := colors[(i+1)%len(colors)]
		shade.Color = color.NRGBA{R: c.R, G: c.G, B: c.B, A: 50}
		shade.LineStyle.Width = 0
		line, err := plotter.NewLine(curve)
		if err != nil {
			return err
		}
		line.Color, line.Width = c, vg.Points(1.5)
		p.Add(shade, line)
		p.Legend.Add(b.Name, line)
	}
	if p.X.Min == p.X.Max { // an axis that begins at 0 has no logarithms
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
	return save(p, path)
}
