package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/loss"
)

// Objectives that are the same function at some value of a parameter. To the bit where the
// arithmetic is the same, to rounding where it is not.
func TestIdentities(t *testing.T) {
	b := randomPairs(1, manyPairs, 3)
	ones := randomPairs(1, manyPairs, 3)
	for i := range ones.ChosenLen {
		ones.ChosenLen[i], ones.RejectedLen[i] = 1, 1
	}
	dpo := loss.DPO{Beta: 0.2}
	contrast := func(s loss.Score, l loss.Link, beta, gamma float64) loss.Pairwise {
		return loss.Contrast{Score: s, Link: l, Beta: beta, Gamma: gamma}
	}
	for _, c := range []struct {
		name  string
		a, b  loss.Pairwise
		batch loss.Pairs
		rel   float64
	}{
		{"cDPO at ε = 0 is DPO", loss.DPO{Beta: 0.2}, contrast(loss.LogRatio{}, loss.Logistic{}, 0.2, 0), b, 0},
		{"robust DPO without flips is DPO", loss.RobustDPO{Beta: 0.2}, dpo, b, 0},
		{"GPO with the logistic link is DPO", loss.GPO{Beta: 0.2, Link: loss.Logistic{}}, dpo, b, 0},
		{"GPO with the hinge is RSO", loss.GPO{Beta: 0.2, Link: loss.Hinge{}}, loss.RSO{Beta: 0.2}, b, 0},
		{"GPO with a square is IPO", loss.GPO{Beta: 1, Link: loss.Squared{Target: 2.5}}, loss.IPO{Tau: 0.2, LogRatio: loss.Sum}, b, 0},
		{"GPO with the smoothed link is cDPO", loss.GPO{Beta: 0.2, Link: loss.Smoothed{Epsilon: 0.1}}, loss.DPO{Beta: 0.2, LabelSmoothing: 0.1}, b, 0},
		{"ODPO without margins is DPO", loss.ODPO{Beta: 0.2}, dpo, b, 0},
		{"R-DPO at α = 0 is DPO", loss.RDPO{Beta: 0.2}, dpo, b, 0},
		{"DPOP at λ = 0 is DPO", loss.DPOP{Beta: 0.2}, dpo, b, 0},
		{"RPO at α = 0 is DPO", loss.RPO{Beta: 0.2, NLLOver: loss.Sum}, dpo, b, 0},
		{"f-DPO of the reverse KL is DPO", loss.FDPO{Beta: 0.2, Divergence: loss.LogRatio{}}, dpo, b, 0},
		{"α-divergence at α = 0 is DPO", loss.FDPO{Beta: 0.2, Divergence: loss.AlphaDivergence{}}, dpo, b, 0},
		{"α-divergence at α → 0 is DPO", loss.FDPO{Beta: 0.2, Divergence: loss.AlphaDivergence{Alpha: 1e-14}}, dpo, b, 1e-12},
		{"α-divergence at α = 1 is forward KL", loss.FDPO{Beta: 0.2, Divergence: loss.AlphaDivergence{Alpha: 1}}, loss.FDPO{Beta: 0.2, Divergence: loss.ForwardKL{}}, b, 1e-9},
		{"χPO is f-DPO of χ² within its clamp", loss.ChiPO{Beta: 1e-4, MaxReward: 1e4}, loss.FDPO{Beta: 1e-4, Divergence: loss.ChiSquared{}}, b, 0},
		{"length-normalised DPO of one token is DPO", loss.NormDPO{Beta: 0.2}, dpo, ones, 0},
		{"SimPO at γ = 0 of one token is CPO without likelihood", loss.SimPO{Beta: 0.2}, loss.CPO{Beta: 0.2, NLLOver: loss.Sum}, ones, 0},
		{"AlphaPO at α = 0 is SimPO", loss.AlphaPO{Beta: 2, Gamma: 0.3}, loss.SimPO{Beta: 2, Gamma: 0.3}, b, 0},
		{"AlphaPO at α → 0 is SimPO", loss.AlphaPO{Beta: 2, Gamma: 0.3, Alpha: 1e-14}, loss.SimPO{Beta: 2, Gamma: 0.3}, b, 1e-9},
		{"CPO is MPO of a contrast and a likelihood", loss.CPO{Beta: 0.2, Alpha: 0.5, NLLOver: loss.Mean},
			loss.MPO{{1, contrast(loss.LogProb{}, loss.Logistic{}, 0.2, 0)}, {0.5, loss.ChosenNLL{Over: loss.Mean}}}, b, 1e-14},
		{"RPO is MPO of DPO and a likelihood", loss.RPO{Beta: 0.2, Alpha: 0.5, NLLOver: loss.Sum},
			loss.MPO{{1, dpo}, {0.5, loss.ChosenNLL{Over: loss.Sum}}}, b, 1e-14},
		{"ORPO is MPO of a contrast of odds and a likelihood", loss.ORPO{Lambda: 0.3},
			loss.MPO{{0.3, contrast(loss.Odds{}, loss.Logistic{}, 1, 0)}, {1, loss.ChosenNLL{Over: loss.Mean}}}, b, 1e-12},
		{"MPO of one term", loss.MPO{{1, dpo}}, dpo, b, 0},
		{"MPO with a term of weight 0", loss.MPO{{1, dpo}, {0, loss.GPO{Beta: 1e9, Link: loss.Exponential{}}}}, dpo, b, 0},
		{"NCA is a joint link", loss.NCA{Beta: 0.2}, loss.Joint{Score: loss.LogRatio{}, Link: loss.NCALink{}, Beta: 0.2}, b, 0},
		{"Cal-DPO is a joint link", loss.CalDPO{Beta: 0.2}, loss.Joint{Score: loss.LogRatio{}, Link: loss.CalLink{Target: 2.5}, Beta: 1}, b, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, wantTotal := eval(t, c.b, c.batch)
			got, total := eval(t, c.a, c.batch)
			assert.Equal(t, [3]int{wantTotal.Count, wantTotal.Correct, wantTotal.Ties}, [3]int{total.Count, total.Correct, total.Ties})
			within(t, wantTotal.Sum, total.Sum, c.rel+1e-13)
			for i := range want.Loss {
				within(t, want.Loss[i], got.Loss[i], c.rel)
				within(t, want.Chosen[i], got.Chosen[i], c.rel)
				within(t, want.Rejected[i], got.Rejected[i], c.rel)
			}
		})
	}
}

// In Triple Preference Optimization a gold reply that is the chosen one makes it CPO, and in
// SLiC a λ of 0 the hinge on log-probabilities.
func TestTripleIdentities(t *testing.T) {
	b := randomPairs(2, manyPairs, 3)
	triples := loss.Triples{Pairs: b, Gold: b.Chosen, GoldLen: b.ChosenLen}
	out := loss.TriplesOut{PairsOut: pairsOut(manyPairs), Gold: make([]float64, manyPairs)}
	_, err := loss.TPO{Beta: 0.2, Alpha: 0.5, NLLOver: loss.Mean, LabelSmoothing: 0.1}.Eval(out, triples)
	assert.NoError(t, err)
	want, _ := eval(t, loss.CPO{Beta: 0.2, Alpha: 0.5, NLLOver: loss.Mean, LabelSmoothing: 0.1}, b)
	bits(t, want.Loss, out.Loss)
	for i := range want.Chosen {
		within(t, want.Chosen[i], out.Chosen[i]+out.Gold[i], 1e-14)
	}
	_, err = loss.TPOL{Beta: 2, Gamma: 0.5, NLLOver: loss.Mean}.Eval(out, triples)
	assert.NoError(t, err)
	want, _ = eval(t, loss.SimPO{Beta: 2, Gamma: 0.5}, b)
	bits(t, want.Loss, out.Loss)
	assert.Equal(t, make([]float64, manyPairs), out.Gold)
	_, err = loss.SLiC{Delta: 1, Over: loss.Sum}.Eval(out, triples)
	assert.NoError(t, err)
	want, _ = eval(t, loss.Contrast{Score: loss.LogProb{}, Link: loss.Hinge{}, Beta: 1}, b)
	bits(t, want.Loss, out.Loss)
	bits(t, want.Chosen, out.Chosen)
}

// Robust DPO's expectation over flips is DPO: loss and derivatives.
func TestRobustDPOIsUnbiased(t *testing.T) {
	const eps = 0.3
	b := randomPairs(3, 100, 4)
	flipped := loss.Pairs{Chosen: b.Rejected, Rejected: b.Chosen, RefChosen: b.RefRejected, RefRejected: b.RefChosen}
	l := loss.RobustDPO{Beta: 0.3, FlipProb: eps}
	right, _ := eval(t, l, b)
	wrong, _ := eval(t, l, flipped)
	want, _ := eval(t, loss.DPO{Beta: 0.3}, b)
	for i := range want.Loss {
		assert.InDelta(t, want.Loss[i], (1-eps)*right.Loss[i]+eps*wrong.Loss[i], 1e-13)
		assert.InDelta(t, want.Chosen[i], (1-eps)*right.Chosen[i]+eps*wrong.Rejected[i], 1e-13)
	}
}

// β → 0: margins vanish, and what is left is the value of the link at 0.
func TestSmallBeta(t *testing.T) {
	b := randomPairs(4, 50, 3)
	for _, c := range []struct {
		name string
		loss.Pairwise
		want float64
	}{
		{"robust DPO", loss.RobustDPO{Beta: 1e-14, FlipProb: 0.2}, math.Ln2},
		{"f-DPO", loss.FDPO{Beta: 1e-18, Divergence: loss.ForwardKL{}}, math.Ln2},
		{"SimPO", loss.SimPO{Beta: 1e-14}, math.Ln2},
		{"RSO", loss.RSO{Beta: 1e-14}, 1},
		{"exponential", loss.GPO{Beta: 1e-14, Link: loss.Exponential{}}, 1},
		{"DiscoPOP", loss.DiscoPOP{Beta: 1e-14, Tau: 0.05}, (1 + math.Ln2) / 2},
		{"EXO", loss.EXO{Beta: 1e-14, LabelSmoothing: 0.1}, -math.Ln2 - math.Log(0.09)/2},
		{"NCA", loss.NCA{Beta: 1e-14}, 2 * math.Ln2},
		{"BCO", loss.BCOPair{Beta: 1e-14}, 2 * math.Ln2},
		{"APO zero", loss.APOZero{Beta: 1e-14}, 1},
		{"APO down", loss.APODown{Beta: 1e-14}, 1},
	} {
		out, _ := eval(t, c.Pairwise, b)
		for _, v := range out.Loss {
			assert.InDelta(t, c.want, v, 1e-10, c.name)
		}
	}
}

// An MPO is coupled if one of its terms is, and evaluates terms whose scratch is longer or
// shorter than that of the last batch.
func TestMPO(t *testing.T) {
	plain := loss.MPO{{1, loss.DPO{Beta: 1}}, {1, loss.ChosenNLL{Over: loss.Sum}}}
	assert.False(t, loss.IsCoupled(plain))
	assert.True(t, loss.IsCoupled(append(plain, loss.Weighted{Weight: 1, Loss: whole{}})))
	for _, n := range []int{5, 700, 3} {
		b := randomPairs(5, n, 2)
		dpo, a := eval(t, loss.DPO{Beta: 0.5}, b)
		bco, c := eval(t, loss.BCOPair{Beta: 0.5}, b)
		got, total := eval(t, loss.MPO{{2, loss.DPO{Beta: 0.5}}, {3, loss.BCOPair{Beta: 0.5}}}, b)
		within(t, 2*a.Sum+3*c.Sum, total.Sum, 1e-14)
		for i := range got.Loss {
			within(t, 2*dpo.Loss[i]+3*bco.Loss[i], got.Loss[i], 1e-14)
			within(t, 2*dpo.Chosen[i]+3*bco.Chosen[i], got.Chosen[i], 1e-13)
		}
		bits(t, dpo.RewardChosen, got.RewardChosen)
	}
}

// whole stands for an objective that looks at the whole batch.
type whole struct{ loss.DPO }

func (whole) Coupled() bool { return true }
