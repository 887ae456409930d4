package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Log-probabilities of replies are float64 even where logits are float32: of replies at −2000 nats, by a policy that
// has moved by 10⁻⁴, rounding to float32 leaves DPO's derivatives nearly right, and little of its margins.
func TestFloat32LogProbsLoseMargins(t *testing.T) {
	const n, beta = 4096, 0.1
	rng := rand.New(rand.NewPCG(32, 1))
	p := loss.Pairs{}
	for _, s := range []*[]float64{&p.Chosen, &p.Rejected, &p.RefChosen, &p.RefRejected} {
		*s = make([]float64, n)
	}
	moved := func(ref float64) float64 { return ref + math.Round(1e-4*rng.NormFloat64()*0x1p35)/0x1p35 } // exact sums
	for i := range n {
		p.RefChosen[i], p.RefRejected[i] = -2000-rng.Float64(), -2000-rng.Float64()
		p.Chosen[i], p.Rejected[i] = moved(p.RefChosen[i]), moved(p.RefRejected[i])
	}
	round := func(v []float64) []float64 {
		r := make([]float64, n)
		for i, x := range v {
			r[i] = float64(float32(x))
		}
		return r
	}
	exact, rounded := pairsOut(n), pairsOut(n)
	_, err := loss.DPO{Beta: beta}.Eval(exact, p)
	require.NoError(t, err)
	_, err = loss.DPO{Beta: beta}.Eval(rounded, loss.Pairs{Chosen: round(p.Chosen), Rejected: round(p.Rejected),
		RefChosen: round(p.RefChosen), RefRejected: round(p.RefRejected)})
	require.NoError(t, err)

	margin := func(o loss.PairsOut, i int) float64 { return (o.RewardChosen[i] - o.RewardRejected[i]) / beta }
	var gradient, size, lost float64
	misordered := 0
	for i := range n {
		gradient = max(gradient, math.Abs(rounded.Chosen[i]/exact.Chosen[i]-1))
		size += math.Abs(margin(exact, i)) / n
		lost += math.Abs(margin(rounded, i)-margin(exact, i)) / n
		if (margin(rounded, i) > 0) != (margin(exact, i) > 0) {
			misordered++
		}
		d := (p.Chosen[i] - p.RefChosen[i]) - (p.Rejected[i] - p.RefRejected[i])
		require.InDelta(t, d, margin(exact, i), 1e-15)
	}
	t.Logf("gradient %.1e, margin %.1e of %.1e, misordered %d of %d", gradient, lost, size, misordered, n)
	assert.Less(t, gradient, 2e-5)
	assert.Greater(t, gradient, 2e-6)
	assert.Greater(t, lost, 0.3*size)
	assert.Greater(t, misordered, n/10)
}
