package num_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/internal/num"
)

func TestExpNonPositive(t *testing.T) {
	g := rand.New(rand.NewPCG(8, 0))
	d := []float64{0, math.Copysign(0, -1), -1e-300, -1e-17, -1e-8, -math.Ln2 / 128, -math.Ln2, -1, -707.9, -708, -709, -750, -1e9, math.Inf(-1)}
	for range 20000 {
		d = append(d, -g.Float64(), -50*g.Float64(), -708*g.Float64())
	}
	e := make([]float64, len(d))
	num.ExpNonPositive(e, d)
	for i, x := range d {
		if x < -708 {
			assert.Zero(t, e[i], "exp(%v)", x)
		} else if want := math.Exp(x); math.Abs(e[i]-want) > 4e-16*want {
			t.Errorf("exp(%v) = %v, want %v", x, e[i], want)
		}
	}
	assert.Equal(t, 1.0, e[0])
}
