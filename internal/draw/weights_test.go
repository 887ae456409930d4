package draw_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/internal/draw"
)

func TestWeights(t *testing.T) {
	below1 := math.Nextafter(1, 0)
	for _, c := range []struct {
		name     string
		w        []float64
		total, u float64
		want     int
	}{
		{"first", []float64{1, 2, 1}, 4, 0, 0},
		{"below a boundary", []float64{1, 2, 1}, 4, math.Nextafter(0.25, 0), 0},
		{"at a boundary", []float64{1, 2, 1}, 4, 0.25, 1},
		{"last", []float64{1, 2, 1}, 4, below1, 2},
		{"zero first", []float64{0, 3}, 3, 0, 1},
		{"zero last", []float64{3, 0}, 3, below1, 0},
		{"rounding leaves a sliver", []float64{1, 1, 0}, 2.1, below1, 1},
		{"all zero", []float64{0, 0}, 0, 0.5, -1},
		{"none", nil, 0, 0.5, -1},
	} {
		assert.Equal(t, c.want, draw.Weights(c.w, c.total, c.u), c.name)
	}
}
