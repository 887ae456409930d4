package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// −Inf in any log-probabilities of a pair: the limit, if all ways to get there agree on value
// and derivatives, else an error.
func TestPairwiseLimitsAreThoseOfAllPaths(t *testing.T) {
	names := [4]string{"Chosen", "Rejected", "RefChosen", "RefRejected"}
	paths := [][4]float64{ // how fast each goes there; so far out that e^{−…} is 0 and 1/… almost
		{-1e13, -1e13, -1e13, -1e13}, {-1e15, -1e13, -1e17, -1e19}, {-1e19, -1e17, -1e13, -1e15}, {-1e13, -1e19, -1e15, -1e17},
		{-1e17, -1e15, -1e19, -1e13}, {-1e13, -1e13 - 4, -1e13 - 8, -1e13 - 16}, {-1e13 - 16, -1e13 - 8, -1e13 - 4, -1e13},
	}
	results := func(l loss.Pairwise, x [4]float64) ([]float64, error) {
		b := onePair(0, 0)
		b.Chosen[0], b.Rejected[0], b.RefChosen[0], b.RefRejected[0] = x[0], x[1], x[2], x[3]
		out := pairsOut(1)
		_, err := l.Eval(out, b)
		return []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]}, err
	}
	const large = 1e10 // towards infinity
	agree := func(limit, near float64) bool {
		if math.Abs(limit) > large || math.Abs(near) > large {
			return min(math.Abs(limit), math.Abs(near)) > large && math.Signbit(limit) == math.Signbit(near)
		}
		return math.Abs(limit-near) <= 1e-9*(1+math.Abs(limit))
	}
	for _, l := range pairwise {
		for mask := 1; mask < 16; mask++ {
			if l.is(free) && mask > 3 {
				continue
			}
			name := l.name + ":"
			at := [4]float64{-1.5, -2.25, -1.75, -2}
			for f := range 4 {
				if mask>>f&1 == 1 {
					at[f] = -inf
					name += fmt.Sprint(" ", names[f])
				}
			}
			got, err := results(l, at)
			unique := true
			var first []float64
			for _, p := range paths {
				x := at
				for f := range 4 {
					if mask>>f&1 == 1 {
						x[f] = p[f]
					}
				}
				near, nearErr := results(l, x)
				require.NoError(t, nearErr, name)
				if first == nil {
					first = near
				}
				for k := range near {
					unique = unique && agree(first[k], near[k])
					if err == nil {
						assert.True(t, agree(got[k], near[k]), "%s: %v, near it %v", name, got, near)
					}
				}
			}
			assert.Equal(t, unique, err == nil, "%s: %v, near it %v", name, err, first)
		}
	}
}
