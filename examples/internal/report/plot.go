package report

import (
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colors tells the methods apart, by their place in the report.
var colors = []color.RGBA{
	{R: 110, G: 110, B: 110, A: 255},
	{R: 213, G: 94, B: 0, A: 255},
	{R: 0, G: 114, B: 178, A: 255},
	{R: 0, G: 158, B: 115, A: 255},
	{R: 204, G: 121, B: 167, A: 255},
	{R: 230, G: 159, B: 0, A: 255},
	{R: 86, G: 180, B: 233, A: 255},
	{R: 140, G: 86, B: 75, A: 255},
	{R: 0, G: 0, B: 0, A: 255},
	{R: 148, G: 103, B: 189, A: 255},
	{R: 128, G: 128, B: 0, A: 255},
}

// Plots writes the report's plots as SVG files into dir: KL, win rate and reward over
// training, and the reward–KL frontier where there is one. It returns their paths.
func (r *Report) Plots(dir string) ([]string, error) {
	var paths []string
	for _, f := range []struct {
		file, title, y string
		stat           func(*Trace) *Stat
	}{
		{"kl.svg", "KL(π‖π_ref) over training", "nats", func(t *Trace) *Stat { return t.KL }},
		{"winrate.svg", "Win rate against π_ref over training", "win rate", func(t *Trace) *Stat { return t.Winrate }},
		{"reward.svg", "Reward gained over π_ref", "reward", func(t *Trace) *Stat { return t.Reward }},
	} {
		p, err := r.overTraining(f.title, f.y, f.stat)
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, f.file)
		if err := save(p, path); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	if len(r.Frontier) == 0 {
		return paths, nil
	}
	path := filepath.Join(dir, "frontier.svg")
	return append(paths, path), r.frontier(path)
}

// newPlot returns an empty plot with a grid, a legend at the top, and room for the labels.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding, p.X.Label.Padding, p.Y.Label.Padding = vg.Millimeter*3, vg.Millimeter, vg.Millimeter*2
	p.Legend.Top = true
	p.Legend.Padding = vg.Millimeter
	p.Add(plotter.NewGrid())
	return p
}

// save writes a plot with a margin, so that no label at an edge is cut.
func save(p *plot.Plot, path string) error {
	const w, h, margin = 18 * vg.Centimeter, 11 * vg.Centimeter, 4 * vg.Millimeter
	c := vgsvg.New(w, h)
	p.Draw(draw.Crop(draw.New(c), margin, -margin, margin, -margin))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// overTraining draws a quantity of each method.
func (r *Report) overTraining(title, y string, stat func(*Trace) *Stat) (*plot.Plot, error) {
	var curves []Curve
	for i := range r.Methods {
		m := &r.Methods[i]
		c := Curve{Name: label(m.Name, m.Size)}
		for j := range m.Trace {
			if s := stat(&m.Trace[j]); s != nil {
				c.Step, c.Stat = append(c.Step, m.Trace[j].Step), append(c.Stat, s)
			}
		}
		curves = append(curves, c)
	}
	return bands(overSeeds(title, len(r.Seeds)), "updates", y, curves)
}

func label(name, size string) string {
	if size == "" {
		return name
	}
	return name + ", " + size
}

// frontier draws final reward against final KL, a line per method through its settings.
func (r *Report) frontier(path string) error {
	p := newPlot("Reward against KL: one point per β or λ, medians over seeds", "KL(π‖π_ref), nats", "reward gained over π_ref")
	points := map[string]plotter.XYs{}
	var names []string
	for _, f := range r.Frontier {
		if points[f.Name] == nil {
			names = append(names, f.Name)
		}
		points[f.Name] = append(points[f.Name], plotter.XY{X: float64(f.KL.Median), Y: float64(f.Reward.Median)})
	}
	for i, name := range names {
		line, dots, err := plotter.NewLinePoints(points[name])
		if err != nil {
			return err
		}
		line.Color, dots.Color = colors[(i+1)%len(colors)], colors[(i+1)%len(colors)]
		p.Add(line, dots)
		p.Legend.Add(name, line, dots)
	}
	return save(p, path)
}
