package sampler

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/internal/num"
)

// token draws from softmax(z/T) with one uniform number of g, by inversion. room is as
// long as z.
func token(z []float32, temperature float64, g *rand.PCG, room []float64) (pick, error) {
	top, err := maximum(z)
	if err != nil {
		return pick{}, err
	}
	inv := 1 / temperature
	total := weights(room, z, top, inv)
	i := draw.Weights(room, total, draw.Uniform(g))
	shift := float64(z[i]) - top
	d := pick{id: int32(i), logp: shift*inv - math.Log(total)}
	d.model = d.logp
	if temperature != 1 {
		d.model = shift - math.Log(weights(room, z, top, 1))
	}
	return d, nil
}

// weights stores exp((z_v − top)·inv) in dst and returns the sum.
func weights(dst []float64, z []float32, top, inv float64) float64 {
	for i, x := range z {
		dst[i] = (float64(x) - top) * inv
	}
	num.ExpNonPositive(dst, dst)
	total := 0.0
	for _, x := range dst {
		total += x
	}
	return total
}

// maximum returns the largest logit, or an error if the logits are no distribution.
func maximum(z []float32) (float64, error) {
	top := math.Inf(-1)
	for i, x := range z {
		if v := float64(x); v > top {
			if math.IsInf(v, 1) {
				return 0, fmt.Errorf("logit %d is +Inf", i)
			}
			top = v
		} else if v != v {
			return 0, fmt.Errorf("logit %d is NaN", i)
		}
	}
	if math.IsInf(top, -1) {
		return 0, errors.New("all logits are -Inf")
	}
	return top, nil
}
