package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// At β·∂s = ∂z the curvature is the derivative of the derivative: with log-ratios
// ∂²L/∂(log π⁺)² = c·β².
func TestCurvature(t *testing.T) {
	const n = 600 // more than two blocks
	for _, c := range []struct {
		name string
		loss.Curved
		beta float64
	}{
		{"DPO", loss.DPO{Beta: 0.5}, 0.5},
		{"cDPO", loss.DPO{Beta: 0.5, LabelSmoothing: 0.2}, 0.5},
		{"IPO", loss.IPO{Tau: 0.5, LogRatio: loss.Sum}, 1},
		{"robust DPO", loss.RobustDPO{Beta: 0.5, FlipProb: 0.2}, 0.5},
		{"GPO", loss.GPO{Beta: 0.5, Link: loss.Exponential{}}, 0.5},
		{"ODPO", loss.ODPO{Beta: 0.5}, 0.5},
		{"R-DPO", loss.RDPO{Beta: 0.5, Alpha: 0.1}, 0.5},
		{"CPO", loss.CPO{Beta: 0.5, Alpha: 1, NLLOver: loss.Sum}, 0.5},
		{"Contrast", loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 0.5, Gamma: 0.3}, 0.5},
		{"FDPO", loss.FDPO{Beta: 0.5, Divergence: loss.LogRatio{}}, 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := randomPairs(1, n, 3)
			b.Weight = make([]float64, n)
			for i := range b.Weight {
				b.Weight[i] = float64(i%3) / 2
			}
			if c.name == "ODPO" {
				b.Margin = append([]float64(nil), b.Weight...)
			}
			got := make([]float64, n)
			require.NoError(t, c.Curvature(got, b))
			for _, i := range []int{0, 1, 2, 255, 256, 257, 599} {
				slope := func(x []float64) float64 {
					p := part(b, i, i+1)
					p.Weight = b.Weight[i : i+1]
					if b.Margin != nil {
						p.Margin = b.Margin[i : i+1]
					}
					p.Chosen = x
					out, _ := eval(t, c.Curved, p)
					return out.Chosen[0]
				}
				want := gradient(slope, b.Chosen[i:i+1], 1e-2)[0] / (c.beta * c.beta)
				assert.InDelta(t, want, got[i], 1e-7*(1+want), "pair %d", i)
				assert.GreaterOrEqual(t, got[i], 0.0)
			}
		})
	}
}

// With means and other scores the curvature is of the margin.
func TestCurvatureOfTheMargin(t *testing.T) {
	b := randomPairs(2, 50, 3)
	for _, c := range []struct {
		loss.Curved
		gamma float64
	}{
		{loss.SimPO{Beta: 2, Gamma: 0.5}, 0.5},
		{loss.AlphaPO{Beta: 0.5, Gamma: 0.25, Alpha: 0.1}, 0.25},
		{loss.NormDPO{Beta: 3}, 0},
		{loss.FDPO{Beta: 0.5, Divergence: loss.JensenShannon{}}, 0},
	} {
		out, _ := eval(t, c.Curved, b)
		got := make([]float64, 50)
		require.NoError(t, c.Curvature(got, b))
		for i := range got {
			z := out.RewardChosen[i] - out.RewardRejected[i] - c.gamma
			assert.InDelta(t, math.Exp(-math.Abs(z))/math.Pow(1+math.Exp(-math.Abs(z)), 2), got[i], 1e-14)
		}
	}
	got := make([]float64, 50)
	require.NoError(t, loss.IPO{Tau: 1, LogRatio: loss.Mean}.Curvature(got, b))
	assert.Equal(t, 2.0, got[49])
}

func TestJointCurvature(t *testing.T) {
	const n = 600
	for _, c := range []struct {
		name string
		loss.JointCurved
		beta float64
	}{
		{"NCA", loss.NCA{Beta: 0.5}, 0.5},
		{"BCO", loss.BCOPair{Beta: 0.5, Delta: 0.3}, 0.5},
		{"SPPO", loss.SPPO{Beta: 0.5}, 1},
		{"Cal-DPO", loss.CalDPO{Beta: 0.5}, 1},
		{"Joint", loss.Joint{Score: loss.LogRatio{}, Link: loss.CalLink{Target: 1}, Beta: 0.5}, 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := randomPairs(3, n, 2)
			b.Weight = make([]float64, n)
			for i := range b.Weight {
				b.Weight[i] = float64(i%3) / 2
			}
			got := loss.JointCurvature{Chosen: make([]float64, n), Rejected: make([]float64, n), Mixed: make([]float64, n)}
			require.NoError(t, c.Curvature(got, b))
			for _, i := range []int{0, 1, 2, 255, 256, 599} {
				slope := func(side int) func(x []float64) float64 {
					return func(x []float64) float64 {
						p := part(b, i, i+1)
						p.Weight = b.Weight[i : i+1]
						p.Chosen, p.Rejected = x[:1], x[1:]
						out, _ := eval(t, c.JointCurved, p)
						return []float64{out.Chosen[0], out.Rejected[0]}[side] / (c.beta * c.beta)
					}
				}
				x := []float64{b.Chosen[i], b.Rejected[i]}
				assert.InDeltaSlice(t, gradient(slope(0), x, 1e-2), []float64{got.Chosen[i], got.Mixed[i]}, 1e-7)
				assert.InDeltaSlice(t, gradient(slope(1), x, 1e-2), []float64{got.Mixed[i], got.Rejected[i]}, 1e-7)
				assert.GreaterOrEqual(t, got.Chosen[i]*got.Rejected[i], got.Mixed[i]*got.Mixed[i])
			}
		})
	}
}

func TestCurvatureErrors(t *testing.T) {
	b := randomPairs(4, 300, 1)
	dst := make([]float64, 300)
	joint := loss.JointCurvature{Chosen: dst, Rejected: make([]float64, 300), Mixed: make([]float64, 300)}
	paramError(t, loss.DPO{}.Curvature(dst, b), "DPO.Beta", 0)
	paramError(t, loss.NCA{}.Curvature(joint, b), "NCA.Beta", 0)
	paramError(t, loss.SPPO{}.Curvature(joint, b), "SPPO.Beta", 0)
	for _, f := range []func() error{
		func() error { return loss.DPO{Beta: 1}.Curvature(dst, b) },
		func() error { return loss.NCA{Beta: 1}.Curvature(joint, b) },
		func() error { return loss.SPPO{Beta: 1}.Curvature(joint, b) },
	} {
		require.NoError(t, f())
		allocatesNothing(t, func() { f() })
		b.RefRejected[280] = math.NaN()
		inputError(t, f(), "RefRejected", 280, math.NaN())
		b.RefRejected[280] = -1
	}
	b.RefChosen[7], b.RefRejected[7] = -inf, -inf
	inputError(t, loss.DPO{Beta: 1}.Curvature(dst, b), "RefChosen", 7, -inf)
	for _, f := range []func(){
		func() { loss.DPO{Beta: 1}.Curvature(dst[:3], b) },
		func() { loss.DPO{Beta: 1}.Curvature(nil, b) },
		func() { loss.NCA{Beta: 1}.Curvature(loss.JointCurvature{Chosen: dst, Rejected: dst}, b) },
		func() {
			loss.SPPO{Beta: 1}.Curvature(loss.JointCurvature{Chosen: dst[:1], Rejected: dst, Mixed: dst}, b)
		},
	} {
		assert.PanicsWithValue(t, "loss: slices of different lengths", f)
	}
}

// Which objectives promise a convex, smooth function, and which do not.
func TestWhoIsCurved(t *testing.T) {
	for _, l := range []loss.Pairwise{
		loss.RSO{}, loss.EXO{}, loss.DiscoPOP{}, loss.ChiPO{}, loss.DPOP{}, loss.APOZero{}, loss.APODown{}, loss.ORPO{}, loss.MPO{},
	} {
		_, one := l.(loss.Curved)
		_, two := l.(loss.JointCurved)
		assert.False(t, one || two, "%T", l)
	}
}
