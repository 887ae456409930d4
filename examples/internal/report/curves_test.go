package report_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/report"
)

// TestOtherPlots draws what is no comparison of methods, and names the series that it shows.
func TestOtherPlots(t *testing.T) {
	curve := report.Curve{Name: "rising curve", Step: []int{0, 10, 20}}
	for _, v := range []float64{0, 1, 3} {
		curve.Stat = append(curve.Stat, report.NewStat([]float64{v, v + 1}, nil))
	}
	empty := report.Curve{Name: "nothing to show"}
	points := []report.Series{{Name: "first series", X: []float64{1, 2}, Y: []float64{-1, 5}}, {Name: "second series", X: []float64{3}, Y: []float64{0}}}
	for name, draw := range map[string]func(path string) error{
		"curves": func(path string) error {
			return report.PlotCurves(path, "a title", "y", 2, []report.Curve{empty, curve})
		},
		"against": func(path string) error { return report.PlotAgainst(path, "a title", "x", "y", points) },
		"lines":   func(path string) error { return report.PlotLines(path, "a title", "x", "y", points) },
	} {
		path := filepath.Join(t.TempDir(), "plot.svg")
		require.NoError(t, draw(path), name)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		svg := string(b)
		assert.Contains(t, svg, "a title", name)
		if name == "curves" {
			assert.Contains(t, svg, "median and range of 2 seeds")
			assert.Contains(t, svg, "rising curve")
			assert.NotContains(t, svg, "nothing to show")
		} else {
			assert.Contains(t, svg, "first series", name)
			assert.Contains(t, svg, "second series", name)
		}
		assert.Error(t, draw(filepath.Join(path, "no folder", "plot.svg")), name)
	}
}
