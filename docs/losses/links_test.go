// Package losses draws links.svg, the links of package loss and their slopes over the margin,
// for docs/losses.md:
//
//	go test ./docs/losses -update
//
// Without the flag it is a test that the picture is up to date.
package losses

import (
	"bytes"
	"flag"
	"image/color"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/prefgrad/prefgrad/loss"
)

// links are what is drawn, in the order of the legend.
var links = []struct {
	name string
	loss.Link
	color  color.RGBA
	dashes []vg.Length
}{
	{"Logistic (DPO)", loss.Logistic{}, color.RGBA{R: 0, G: 114, B: 178, A: 255}, nil},
	{"Smoothed, ε = 0.1 (cDPO)", loss.Smoothed{Epsilon: 0.1}, color.RGBA{R: 0, G: 114, B: 178, A: 255}, dashed},
	{"Robust, ε = 0.1", loss.Robust{Epsilon: 0.1}, color.RGBA{R: 0, G: 114, B: 178, A: 255}, dotted},
	{"Squared, target 1 (IPO)", loss.Squared{Target: 1}, color.RGBA{R: 213, G: 94, B: 0, A: 255}, nil},
	{"SquaredHinge", loss.SquaredHinge{}, color.RGBA{R: 0, G: 0, B: 0, A: 255}, dashed},
	{"Hinge (RSO, SLiC)", loss.Hinge{}, color.RGBA{R: 0, G: 158, B: 115, A: 255}, nil},
	{"Exponential", loss.Exponential{}, color.RGBA{R: 204, G: 121, B: 167, A: 255}, nil},
	{"LogRatioModulated, τ = 0.05 (DiscoPOP)", loss.LogRatioModulated{Tau: 0.05}, color.RGBA{R: 204, G: 121, B: 167, A: 255}, dashed},
	{"ReverseKL, ε = 0.1 (EXO)", loss.ReverseKL{Epsilon: 0.1}, color.RGBA{R: 110, G: 110, B: 110, A: 255}, nil},
	{"Sigmoid (KTO, APO)", loss.Sigmoid{}, color.RGBA{R: 110, G: 110, B: 110, A: 255}, dashed},
}

var dashed, dotted = []vg.Length{vg.Points(5), vg.Points(3)}, []vg.Length{vg.Points(1.5), vg.Points(2.5)}

var update = flag.Bool("update", false, "draw links.svg again")

// Other architectures round other last digits.
func TestPictureIsUpToDate(t *testing.T) {
	var got bytes.Buffer
	require.NoError(t, render(&got))
	if *update {
		require.NoError(t, os.WriteFile("links.svg", got.Bytes(), 0o644))
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("drawn on amd64")
	}
	want, err := os.ReadFile("links.svg")
	require.NoError(t, err)
	assert.True(t, bytes.Equal(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")), got.Bytes()), "go test ./docs/losses -update")
}

// render writes two panels over one axis of margins: values above, slopes below.
func render(to io.Writer) error {
	const points = 321
	z, slope, value := make([]float64, points), make([]float64, points), make([]float64, points)
	for i := range z {
		z[i] = -4 + 8*float64(i)/(points-1)
	}
	values, slopes := panel("link(z)", -0.5, 6), panel("link′(z)", -4, 2)
	slopes.X.Label.Text = "margin z"
	for _, l := range links {
		l.Link.Link(value, slope, z)
		if _, err := curve(values, z, value, l.color, l.dashes); err != nil {
			return err
		}
		line, err := curve(slopes, z, slope, l.color, l.dashes)
		if err != nil {
			return err
		}
		slopes.Legend.Add(l.name, line)
	}
	slopes.Legend.TextStyle.Font.Size = vg.Points(9)
	slopes.Legend.Padding, slopes.Legend.ThumbnailWidth = vg.Millimeter, vg.Centimeter
	// Thumbnails to the left of names, so that a reader's font may be wider than the metrics.
	slopes.Legend.Left = true
	slopes.Legend.YOffs, slopes.Legend.XOffs = vg.Millimeter*2, vg.Centimeter*10
	const w, h, margin = 20 * vg.Centimeter, 24 * vg.Centimeter, 4 * vg.Millimeter
	c := vgsvg.New(w, h)
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: 4 * vg.Millimeter, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin}
	panels := [][]*plot.Plot{{values}, {slopes}}
	for i, row := range plot.Align(panels, tiles, draw.New(c)) {
		panels[i][0].Draw(row[0])
	}
	_, err := c.WriteTo(to)
	return err
}

// panel is an empty plot of a quantity over the margin.
func panel(label string, lo, hi float64) *plot.Plot {
	p := plot.New()
	p.Y.Label.Text = label
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -4, 4, lo, hi
	p.Add(plotter.NewGrid())
	return p
}

// curve adds a line, broken where it leaves the panel.
func curve(p *plot.Plot, x, y []float64, c color.Color, dashes []vg.Length) (*plotter.Line, error) {
	var first *plotter.Line
	var part plotter.XYs
	end := func() error {
		if len(part) < 2 {
			part = nil
			return nil
		}
		line, err := plotter.NewLine(part)
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(1.4), Dashes: dashes}
		lo, hi := p.Y.Min, p.Y.Max
		p.Add(line)
		p.Y.Min, p.Y.Max = lo, hi
		if first == nil {
			first = line
		}
		part = nil
		return nil
	}
	for i, v := range y {
		if v < p.Y.Min || v > p.Y.Max {
			if err := end(); err != nil {
				return nil, err
			}
			continue
		}
		part = append(part, plotter.XY{X: x[i], Y: v})
	}
	return first, end()
}
