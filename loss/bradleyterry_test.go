package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func evalRewards(t *testing.T, l loss.BradleyTerry, b loss.Rewards) (loss.PairsOut, loss.Total) {
	t.Helper()
	out := pairsOut(len(b.Chosen))
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}

func TestBradleyTerryByHand(t *testing.T) {
	b := loss.Rewards{Chosen: []float64{2, 1, 3}, Rejected: []float64{1, 2, 3}}
	// Differences 1, −1, 0: −log σ = 0.313261687518, 1.313261687518, 0.693147180560 with
	// slopes −0.268941421370, −0.731058578630, −½.
	out, total := evalRewards(t, loss.BradleyTerry{}, b)
	assert.InDeltaSlice(t, []float64{0.313261687518, 1.313261687518, 0.693147180560}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.268941421370, -0.731058578630, -0.5}, out.Chosen, 1e-12)
	assert.InDeltaSlice(t, []float64{0.268941421370, 0.731058578630, 0.5}, out.Rejected, 1e-12)
	assert.Equal(t, b.Chosen, out.RewardChosen)
	assert.Equal(t, b.Rejected, out.RewardRejected)
	assert.Equal(t, [3]int{3, 1, 1}, [3]int{total.Count, total.Correct, total.Ties})

	// Margins 2, −2, 0 turn the differences into −1, 1, 0; which reply wins is as before.
	b.Margin = []float64{2, -2, 0}
	out, total = evalRewards(t, loss.BradleyTerry{}, b)
	assert.InDeltaSlice(t, []float64{1.313261687518, 0.313261687518, 0.693147180560}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.731058578630, -0.268941421370, -0.5}, out.Chosen, 1e-12)
	assert.Equal(t, [3]int{3, 1, 1}, [3]int{total.Count, total.Correct, total.Ties})

	// Center 0.1 adds 0.1·3² = 0.9, 0.9, 0.1·6² = 3.6 and to both derivatives 0.2·3 = 0.6,
	// 0.6, 1.2.
	out, total = evalRewards(t, loss.BradleyTerry{Center: 0.1}, b)
	assert.InDeltaSlice(t, []float64{2.213261687518, 1.213261687518, 4.293147180560}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.131058578630, 0.331058578630, 0.7}, out.Chosen, 1e-12)
	assert.InDeltaSlice(t, []float64{1.331058578630, 0.868941421370, 1.7}, out.Rejected, 1e-12)
	assert.InDelta(t, 7.719670555597, total.Sum, 1e-12)
}

func TestBradleyTerryGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	points := [][2]float64{{0, 0}, {1e4, -1e4}, {-1e4, 1e4}, {1e-9, 0}}
	for range 30 {
		points = append(points, [2]float64{4 * rng.NormFloat64(), 4 * rng.NormFloat64()})
	}
	for _, l := range []loss.BradleyTerry{{}, {Center: 0.05}} {
		for _, margin := range [][]float64{nil, {1.5}} {
			for _, p := range points {
				value := func(x []float64) float64 {
					_, total := evalRewards(t, l, loss.Rewards{Chosen: x[:1], Rejected: x[1:], Margin: margin})
					return total.Sum
				}
				out, _ := evalRewards(t, l, loss.Rewards{Chosen: p[:1], Rejected: p[1:], Margin: margin})
				want := gradient(value, p[:], 1e-4)
				assert.InDeltaSlice(t, want, []float64{out.Chosen[0], out.Rejected[0]}, 1e-7, "%v at %v", l, p)
			}
		}
	}
}

// Preferences leave the sum of rewards free, Center does not.
func TestBradleyTerryCenter(t *testing.T) {
	shifted := loss.Rewards{Chosen: []float64{101}, Rejected: []float64{100}}
	free, total := evalRewards(t, loss.BradleyTerry{}, shifted)
	assert.Equal(t, 1, total.Correct)
	assert.Zero(t, free.Chosen[0]+free.Rejected[0])
	held, _ := evalRewards(t, loss.BradleyTerry{Center: 0.01}, shifted)
	assert.InDelta(t, 2*2*0.01*201, held.Chosen[0]+held.Rejected[0], 1e-12)
}

// Equal rewards cost log 2 however large they are: without Center their sum plays no part.
func TestBradleyTerryLargeRewards(t *testing.T) {
	out, total := evalRewards(t, loss.BradleyTerry{}, loss.Rewards{Chosen: []float64{1e308}, Rejected: []float64{1e308}})
	assert.Equal(t, []float64{math.Ln2, -0.5, 0.5}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]})
	assert.Equal(t, 1, total.Ties)
	out, _ = evalRewards(t, loss.BradleyTerry{Center: 1}, loss.Rewards{Chosen: []float64{1e308}, Rejected: []float64{1e308}})
	assert.Equal(t, []float64{inf, inf, inf}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]})
}

func TestBradleyTerryErrors(t *testing.T) {
	for _, v := range []float64{math.NaN(), inf, -inf} {
		for _, field := range []string{"Chosen", "Rejected", "Margin"} {
			b := loss.Rewards{Chosen: make([]float64, 3), Rejected: make([]float64, 3), Margin: make([]float64, 3)}
			map[string][]float64{"Chosen": b.Chosen, "Rejected": b.Rejected, "Margin": b.Margin}[field][2] = v
			_, err := loss.BradleyTerry{}.Eval(loss.PairsOut{}, b)
			inputError(t, err, field, 2, v)
		}
		if v != -inf {
			_, err := loss.BradleyTerry{Center: v}.Eval(loss.PairsOut{}, loss.Rewards{})
			paramError(t, err, "BradleyTerry.Center", v)
		}
	}
	_, err := loss.BradleyTerry{Center: -1}.Eval(loss.PairsOut{}, loss.Rewards{})
	paramError(t, err, "BradleyTerry.Center", -1)
}

func TestBradleyTerryPanics(t *testing.T) {
	three, two := make([]float64, 3), make([]float64, 2)
	for name, f := range map[string]func(){
		"short rejected": func() { loss.BradleyTerry{}.Eval(loss.PairsOut{}, loss.Rewards{Chosen: three, Rejected: two}) },
		"no rejected":    func() { loss.BradleyTerry{}.Eval(loss.PairsOut{}, loss.Rewards{Chosen: three}) },
		"short margin": func() {
			loss.BradleyTerry{}.Eval(loss.PairsOut{}, loss.Rewards{Chosen: three, Rejected: three, Margin: two})
		},
		"short loss": func() {
			loss.BradleyTerry{}.Eval(loss.PairsOut{Loss: two}, loss.Rewards{Chosen: three, Rejected: three})
		},
	} {
		assert.PanicsWithValue(t, "loss: slices of different lengths", f, name)
	}
}
