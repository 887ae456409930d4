package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestDPOByHand(t *testing.T) {
	b := loss.Pairs{
		Chosen: []float64{-1, -6, -3}, Rejected: []float64{-3, -3, -8},
		RefChosen: []float64{-2, -5, -3}, RefRejected: []float64{-2, -4, -8},
	}
	// Pair 0: ℓ⁺ = −1+2 = 1, ℓ⁻ = −3+2 = −1, z = ½·2 = 1.
	//   −log σ(1) = log(1+e⁻¹) = 0.313261687518, slope −σ(−1) = −1/(1+e) = −0.268941421370
	// Pair 1: ℓ⁺ = −1, ℓ⁻ = 1, z = −1.
	//   −log σ(−1) = log(1+e) = 1.313261687518, slope −σ(1) = −0.731058578630
	// Pair 2: both log-ratios 0, z = 0: log 2 = 0.693147180560, slope −½.
	// Derivatives: ∓½·slope. Implicit rewards: ½ℓ.
	out, total := eval(t, loss.DPO{Beta: 0.5}, b)
	assert.InDeltaSlice(t, []float64{0.313261687518, 1.313261687518, 0.693147180560}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.134470710685, -0.365529289315, -0.25}, out.Chosen, 1e-12)
	assert.InDeltaSlice(t, []float64{0.134470710685, 0.365529289315, 0.25}, out.Rejected, 1e-12)
	assert.Equal(t, []float64{0.5, -0.5, 0}, out.RewardChosen)
	assert.Equal(t, []float64{-0.5, 0.5, 0}, out.RewardRejected)
	assert.InDelta(t, 2.319670555597, total.Sum, 1e-12)
	assert.InDelta(t, 0.773223518532, total.Mean(), 1e-12)
	assert.Equal(t, [3]int{3, 1, 1}, [3]int{total.Count, total.Correct, total.Ties})

	// With ε = 0.1 each loss gains ε·z = 0.1, −0.1, 0 and each slope ε:
	//   −0.168941421370, −0.631058578630, −0.4.
	out, total = eval(t, loss.DPO{Beta: 0.5, LabelSmoothing: 0.1}, b)
	assert.InDeltaSlice(t, []float64{0.413261687518, 1.213261687518, 0.693147180560}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.084470710685, -0.315529289315, -0.2}, out.Chosen, 1e-12)
	assert.InDeltaSlice(t, []float64{0.084470710685, 0.315529289315, 0.2}, out.Rejected, 1e-12)
	assert.Equal(t, [3]int{3, 1, 1}, [3]int{total.Count, total.Correct, total.Ties})
}

func TestDPOAtInitialisation(t *testing.T) {
	b := randomPairs(1, 50, 0)
	for _, beta := range []float64{1e-3, 0.1, 5} {
		for _, eps := range []float64{0, 0.1, 0.49} {
			out, total := eval(t, loss.DPO{Beta: beta, LabelSmoothing: eps}, b)
			for i := range out.Loss {
				assert.InDelta(t, math.Ln2, out.Loss[i], 1e-15)
				assert.InDelta(t, -beta*(0.5-eps), out.Chosen[i], 1e-15)
			}
			assert.Equal(t, 50, total.Ties)
		}
	}
}

// log 2 is also the limit of β → 0.
func TestDPOSmallBeta(t *testing.T) {
	out, _ := eval(t, loss.DPO{Beta: 1e-12}, randomPairs(2, 50, 5))
	for _, v := range out.Loss {
		assert.InDelta(t, math.Ln2, v, 1e-10)
	}
}

// The definition of label smoothing is an average over which label is right:
// (1−ε)·L(y⁺, y⁻) + ε·L(y⁻, y⁺).
func TestDPOSmoothingIsAverageOverFlips(t *testing.T) {
	const beta, eps = 0.3, 0.2
	b := randomPairs(3, 60, 4)
	swapped := b
	swapped.Chosen, swapped.Rejected = b.Rejected, b.Chosen
	swapped.RefChosen, swapped.RefRejected = b.RefRejected, b.RefChosen
	got, _ := eval(t, loss.DPO{Beta: beta, LabelSmoothing: eps}, b)
	right, _ := eval(t, loss.DPO{Beta: beta}, b)
	wrong, _ := eval(t, loss.DPO{Beta: beta}, swapped)
	for i := range got.Loss {
		assert.InDelta(t, (1-eps)*right.Loss[i]+eps*wrong.Loss[i], got.Loss[i], 1e-13)
		assert.InDelta(t, (1-eps)*right.Chosen[i]+eps*wrong.Rejected[i], got.Chosen[i], 1e-13)
		assert.InDelta(t, (1-eps)*right.Rejected[i]+eps*wrong.Chosen[i], got.Rejected[i], 1e-13)
		// And the swap identity of the logistic link, L(z) − L(−z) = −z.
		z := right.RewardChosen[i] - right.RewardRejected[i]
		assert.InDelta(t, -z, right.Loss[i]-wrong.Loss[i], 1e-13)
	}
}

// A smoothed loss has its minimum where the policy's odds are the label's.
func TestDPOSmoothedMinimum(t *testing.T) {
	const beta, eps = 0.5, 0.1
	h := math.Log((1-eps)/eps) / beta
	out, _ := eval(t, loss.DPO{Beta: beta, LabelSmoothing: eps}, onePair(h, 0))
	assert.InDelta(t, 0, out.Chosen[0], 1e-16)
	for _, d := range []float64{-0.1, 0.1} {
		out, _ := eval(t, loss.DPO{Beta: beta, LabelSmoothing: eps}, onePair(h+d, 0))
		assert.Greater(t, out.Chosen[0]*d, 1e-4)
	}
}

func TestDPOExtremes(t *testing.T) {
	for _, c := range []struct {
		name             string
		eps, z           float64
		loss, slope, rel float64
	}{
		{"far right", 0, 1e4, 0, 0, 0},
		{"far wrong", 0, -1e4, 1e4, -1, 0},
		{"e⁻⁷⁰⁰ is a normal number", 0, 700, math.Exp(-700), -math.Exp(-700), 1e-13},
		{"e⁻⁴⁰ is below the resolution of 1", 0, 40, math.Exp(-40), -math.Exp(-40), 1e-14},
		{"far right, smoothed", 0.1, 1e4, 1e3, 0.1, 1e-15},
		{"far wrong, smoothed", 0.1, -1e4, 9e3, -0.9, 1e-15},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := onePair(0, 0)
			b.Chosen[0], b.RefChosen[0] = -1e5+c.z, -1e5
			out, _ := eval(t, loss.DPO{Beta: 1, LabelSmoothing: c.eps}, b)
			within(t, c.loss, out.Loss[0], c.rel)
			within(t, c.slope, out.Chosen[0], c.rel)
			within(t, -c.slope, out.Rejected[0], c.rel)
		})
	}
}

func TestDPOLimits(t *testing.T) {
	for _, c := range []struct {
		name        string
		chosen      [4]float64 // log π and log π_ref of y⁺, then of y⁻
		eps         float64
		loss, slope float64
	}{
		{"chosen impossible", [4]float64{-inf, -1, -1, -1}, 0, inf, -1},
		{"rejected impossible", [4]float64{-1, -1, -inf, -1}, 0, 0, 0},
		{"chosen new", [4]float64{-1, -inf, -1, -1}, 0, 0, 0},
		{"rejected new", [4]float64{-1, -1, -1, -inf}, 0, inf, -1},
		{"chosen impossible, rejected new", [4]float64{-inf, -1, -1, -inf}, 0, inf, -1},
		{"chosen new, rejected impossible", [4]float64{-1, -inf, -inf, -1}, 0, 0, 0},
		{"smoothed, chosen impossible", [4]float64{-inf, -1, -1, -1}, 0.25, inf, -0.75},
		{"smoothed, rejected impossible", [4]float64{-1, -1, -inf, -1}, 0.25, inf, 0.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, total := eval(t, loss.DPO{Beta: 2, LabelSmoothing: c.eps}, loss.Pairs{
				Chosen: c.chosen[:1], RefChosen: c.chosen[1:2], Rejected: c.chosen[2:3], RefRejected: c.chosen[3:],
			})
			assert.Equal(t, c.loss, out.Loss[0])
			assert.Equal(t, c.loss, total.Sum)
			assert.Equal(t, 2*c.slope, out.Chosen[0]+0) // + 0: the sign of zero does not matter
			assert.Equal(t, -2*c.slope, out.Rejected[0]+0)
		})
	}
}

func TestDPOParams(t *testing.T) {
	b := onePair(1, 0)
	for _, v := range []float64{0, -0.1, inf, -inf, math.NaN()} {
		_, err := loss.DPO{Beta: v}.Eval(loss.PairsOut{}, b)
		paramError(t, err, "DPO.Beta", v)
		_, err = loss.DPO{Beta: v, LabelSmoothing: 0.1}.Eval(loss.PairsOut{}, b)
		paramError(t, err, "DPO.Beta", v)
	}
	for _, v := range []float64{-0.1, 0.5, 1, inf, -inf, math.NaN()} {
		_, err := loss.DPO{Beta: 1, LabelSmoothing: v}.Eval(loss.PairsOut{}, b)
		paramError(t, err, "DPO.LabelSmoothing", v)
		_, err = loss.DPO{Beta: 1, LabelSmoothing: v}.Eval(loss.PairsOut{}, loss.Pairs{})
		paramError(t, err, "DPO.LabelSmoothing", v)
	}
	_, err := loss.DPO{}.Eval(loss.PairsOut{}, b)
	require.EqualError(t, err, "loss: DPO.Beta = 0, must be positive and finite")
}

// Finite input never gives NaN, and the derivative pushes the margin up unless a smoothed
// loss is past its minimum.
func FuzzDPO(f *testing.F) {
	f.Add(-1.0, -2.0, -1.0, -2.0, 0.1, 0.0)
	f.Add(-1e5, -2.0, 0.0, -1e5, 10.0, 0.4)
	f.Add(-1e308, 1e308, 1e308, -1e308, 1e300, 0.1)
	f.Fuzz(func(t *testing.T, c, r, rc, rr, beta, eps float64) {
		b := loss.Pairs{Chosen: []float64{c}, Rejected: []float64{r}, RefChosen: []float64{rc}, RefRejected: []float64{rr}}
		out := pairsOut(1)
		total, err := loss.DPO{Beta: beta, LabelSmoothing: eps}.Eval(out, b)
		if err != nil {
			return
		}
		for _, v := range []float64{out.Loss[0], out.Chosen[0], out.Rejected[0], out.RewardChosen[0], out.RewardRejected[0], total.Sum} {
			require.False(t, math.IsNaN(v), "%v", out)
		}
		require.GreaterOrEqual(t, out.Loss[0], 0.0)
		require.Equal(t, out.Chosen[0], -out.Rejected[0])
		if eps == 0 {
			require.LessOrEqual(t, out.Chosen[0], 0.0)
		}
	})
}
