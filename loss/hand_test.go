package loss_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/loss"
)

// Every objective on one pair, worked out by hand. Unless the entry says otherwise
// log-ratios are ℓ⁺ = 1 and ℓ⁻ = −1, from log π = −1 and −3, π_ref = −2 both, and lengths
// are 2 and 4. Numbers used again and again:
//
//	−log σ(1) = 0.313261687518    σ(1) = 0.731058578630    σ(−1) = 0.268941421370
//	−log σ(½) = 0.474076984180    σ(½) = 0.622459331202    σ(−½) = 0.377540668798
//	−log σ(2) = 0.126928011043    σ(2) = 0.880797077978    σ(−2) = 0.119202922022
//	−log σ(−1) = 1.313261687518   −log σ(−½) = 0.974076984180
func TestPairwiseByHand(t *testing.T) {
	two := loss.Pairs{
		Chosen: []float64{-1}, Rejected: []float64{-3}, RefChosen: []float64{-2}, RefRejected: []float64{-2},
		ChosenLen: []int{2}, RejectedLen: []int{4},
	}
	with := func(change func(b *loss.Pairs)) loss.Pairs {
		b := two
		change(&b)
		return b
	}
	for _, c := range []struct {
		name string
		loss.Pairwise
		batch                  loss.Pairs
		loss, chosen, rejected float64
		rewards                [2]float64
	}{
		// z = 0.4·2: 1 − 0.8 = 0.2 with slope −1; z = 1.2 is beyond the kink, z = 1 on it.
		{"RSO", loss.RSO{Beta: 0.4}, two, 0.2, -0.4, 0.4, [2]float64{0.4, -0.4}},
		{"RSO beyond the kink", loss.RSO{Beta: 0.6}, two, 0, 0, 0, [2]float64{0.6, -0.6}},
		{"RSO at the kink", loss.RSO{Beta: 0.5}, two, 0, 0, 0, [2]float64{0.5, -0.5}},
		// (1 − 0.8)² = 0.04, slope −2·0.2 = −0.4, times β = 0.4.
		{"truncated quadratic", loss.GPO{Beta: 0.4, Link: loss.SquaredHinge{}}, two, 0.04, -0.16, 0.16, [2]float64{0.4, -0.4}},
		// e⁻¹ = 0.367879441171, times β = ½.
		{"exponential", loss.GPO{Beta: 0.5, Link: loss.Exponential{}}, two, 0.367879441171, -0.183939720586, 0.183939720586, [2]float64{0.5, -0.5}},
		// ε = ¼: [¾·0.313261687518 − ¼·1.313261687518]/½ = −0.186738312482; slope
		// −0.268941421370 − ½, times ½.
		{"robust", loss.RobustDPO{Beta: 0.5, FlipProb: 0.25}, two, -0.186738312482, -0.384470710685, 0.384470710685, [2]float64{0.5, -0.5}},
		// τ = 1: m = σ(1); 0.268941421370·0.313261687518 + 0.731058578630·0.367879441171 =
		// 0.084249043502 + 0.268941421370 = 0.353190464872. Slope −σ(−1)² − m(1−m)·0.313261687518
		// + m·e⁻¹·(σ(−1) − 1) = −0.072329488129 − 0.061590985993 − 0.196611933241 = −0.330532407363.
		{"DiscoPOP", loss.DiscoPOP{Beta: 0.5, Tau: 1}, two, 0.353190464872, -0.165266203682, 0.165266203682, [2]float64{0.5, -0.5}},
		// ε = ¼: q = σ(1): q·log(q/¾) + (1−q)·log((1−q)/¼) = 0.731058578630·(−0.025579615066)
		// + 0.268941421370·0.073032673602; slope q(1−q)(1 − log 3) = 0.196611933241·(−0.098612288668).
		{"EXO", loss.EXO{Beta: 0.5, LabelSmoothing: 0.25}, two, 0.000941314013, -0.009694176358, 0.009694176358, [2]float64{0.5, -0.5}},
		// Means ½ and −¼: z = (4/3)·¾ = 1; slopes·β/|y|: −0.268941421370·(4/3)/2 and /4.
		{"NormDPO", loss.NormDPO{Beta: 4.0 / 3}, two, 0.313261687518, -0.179294280913, 0.089647140457, [2]float64{2.0 / 3, -1.0 / 3}},
		// z = ½·2 + ¼·(2 − 4) = ½. Rewards ½ + ¼·2 and −½ + ¼·4.
		{"R-DPO", loss.RDPO{Beta: 0.5, Alpha: 0.25}, two, 0.474076984180, -0.188770334399, 0.188770334399, [2]float64{1, 0.5}},
		// z = ½·2 − ½ = ½.
		{"ODPO", loss.ODPO{Beta: 0.5}, with(func(b *loss.Pairs) { b.Margin = []float64{0.5} }), 0.474076984180, -0.188770334399, 0.188770334399, [2]float64{0.5, -0.5}},
		// ℓ⁺ = −1 is charged 2·1: s⁺ = −3, s⁻ = −4 from log π⁻ = −6: z = ½·(−3 + 4) = ½; the
		// chosen derivative has the factor 1 + λ = 3.
		{"DPOP", loss.DPOP{Beta: 0.5, Lambda: 2}, with(func(b *loss.Pairs) { b.Chosen, b.Rejected = []float64{-3}, []float64{-6} }),
			0.474076984180, -0.566311003197, 0.188770334399, [2]float64{-1.5, -2}},
		// λ = ½: s⁺ = −1.5, z = ½·(−1.5 + 4) = 1.25, factor 1.5.
		{"DPOP, λ = ½", loss.DPOP{Beta: 0.5, Lambda: 0.5}, with(func(b *loss.Pairs) { b.Chosen, b.Rejected = []float64{-3}, []float64{-6} }),
			0.251929081345, -0.167025104119, 0.111350069413, [2]float64{-0.75, -2}},
		{"DPOP without charge", loss.DPOP{Beta: 0.5, Lambda: 2}, two, 0.313261687518, -0.134470710685, 0.134470710685, [2]float64{0.5, -0.5}},
		// −e⁻¹ + e = 2.350402387287; z = 1 with β = 1/2.350402387287 = 0.425459064120; chosen
		// slope·β·e⁻¹, rejected slope·β·e.
		{"forward KL", loss.FDPO{Beta: 0.425459064120, Divergence: loss.ForwardKL{}}, two, 0.313261687518, -0.042094077311, 0.311035498681, [2]float64{-0.156517642750, -1.156517642749}},
		// log σ(1) − log σ(−1) = 1: z = ½·1; −σ(−½)·½·σ(−1) and σ(−½)·½·σ(1).
		{"Jensen–Shannon", loss.FDPO{Beta: 0.5, Divergence: loss.JensenShannon{}}, two, 0.474076984180, -0.050768162046, 0.138002172353, [2]float64{-0.156630843759, -0.656630843759}},
		// α = −1: s = e^ℓ − 1; e − e⁻¹ = 2.350402387287, z = 1.
		{"α = −1", loss.FDPO{Beta: 0.425459064120, Divergence: loss.AlphaDivergence{Alpha: -1}}, two, 0.313261687518, -0.311035498681, 0.042094077311, [2]float64{0.731058578630, -0.268941421370}},
		// φ = e + 1 and e⁻¹ − 1: 4.350402387287; z = 1; ∂φ = e + 1 and e⁻¹ + 1.
		{"χPO", loss.ChiPO{Beta: 1 / 4.350402387287, MaxReward: 2}, two, 0.313261687518, -0.229863794421, 0.084562164237, [2]float64{0.854698369816, -0.145301630184}},
		// Clamped at 2R = ½.
		{"χPO clamped", loss.ChiPO{Beta: 1, MaxReward: 0.25}, two, 0.474076984180, 0, 0, [2]float64{3.718281828459, -0.632120558829}},
		// Means −½ and −¾: z = 4·¼ − ½ = ½; −σ(−½)·4/2 and /4.
		{"SimPO", loss.SimPO{Beta: 4, Gamma: 0.5}, two, 0.474076984180, -0.755081337597, 0.377540668798, [2]float64{-2, -3}},
		// α = −2, s = (p̄² − 1)/2 with p̄ = e^{−½} and e^{−¾}: (e⁻¹ − e^{−1.5})/2 =
		// 0.072374640512; β = 1/0.072374640512 = 13.816994363392 and z = 1; ∂s = e⁻¹/2 and e^{−1.5}/4.
		{"AlphaPO", loss.AlphaPO{Beta: 13.816994363392, Alpha: -2}, two, 0.313261687518, -0.683513030961, 0.207285804795, [2]float64{-4.367003099159, -5.367003099159}},
		// z = ½·2 = 1; the NLL adds 2·1 and −2.
		{"CPO", loss.CPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Sum}, two, 2.313261687518, -2.134470710685, 0.134470710685, [2]float64{-0.5, -1.5}},
		// per token: 2·½ and −2/2.
		{"CPO per token", loss.CPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Mean}, two, 1.313261687518, -1.134470710685, 0.134470710685, [2]float64{-0.5, -1.5}},
		{"RPO", loss.RPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Sum}, two, 2.313261687518, -2.134470710685, 0.134470710685, [2]float64{0.5, -0.5}},
		// p̄ = ½ and ¼: odds 1 and ⅓, ratio 3: −log(3/4) = 0.287682072452, times 2, + log 2.
		// Slope −¼: chosen 2·(−¼)/(½)/2 − 1/2 = −1, rejected 2·¼/(¾)/4 = 1/6.
		{"ORPO", loss.ORPO{Lambda: 2}, with(func(b *loss.Pairs) {
			b.Chosen, b.Rejected = []float64{-2 * 0.693147180559945}, []float64{-8 * 0.693147180559945}
		}), 1.268511325464, -1, 1.0 / 6, [2]float64{0, -1.098612288668}},
		// c = 1, r = −1 with β = 1: 0.313261687518 + ½·1.313261687518 + ½·0.313261687518; ½σ(1) −
		// σ(−1) and ½σ(−1).
		{"NCA", loss.NCA{Beta: 1}, two, 1.126523375036, 0.096587867945, 0.134470710685, [2]float64{1, -1}},
		// δ = ½: −log σ(½) − log σ(1½) = 0.474076984180 + 0.201413277983; −σ(−½), σ(−1½).
		{"BCO", loss.BCOPair{Beta: 1, Delta: 0.5}, two, 0.675490262162, -0.377540668798, 0.182425523807, [2]float64{1, -1}},
		// Target ½/¼ = 2: (1−2)² + (−1+2)².
		{"SPPO", loss.SPPO{Beta: 0.25}, two, 2, -2, 2, [2]float64{1, -1}},
		// P = ¾: target ¼/¼ = 1: both met.
		{"SPPO soft", loss.SPPO{Beta: 0.25}, with(func(b *loss.Pairs) { b.Win = []float64{0.75} }), 0, 0, 0, [2]float64{1, -1}},
		// −log σ(2) + ½ + ½; (1 − 2) − σ(−2) and (−1 + 2) + σ(−2).
		{"Cal-DPO", loss.CalDPO{Beta: 0.25}, two, 1.126928011043, -1.119202922022, 1.119202922022, [2]float64{1, -1}},
		// 2·σ(−1); σ′(1) = 0.196611933241.
		{"APO zero", loss.APOZero{Beta: 1}, two, 0.537882842740, -0.196611933241, 0.196611933241, [2]float64{1, -1}},
		// σ(1) + σ(−2); σ′(1) − σ′(2) and σ′(2) = 0.104993585404.
		{"APO down", loss.APODown{Beta: 1}, two, 0.850261500652, 0.091618347838, 0.104993585404, [2]float64{1, -1}},
		// 2·DPO(z = 1) + 3·NLL(1).
		{"MPO", loss.MPO{{2, loss.DPO{Beta: 0.5}}, {3, loss.ChosenNLL{Over: loss.Sum}}}, two, 3.626523375036, -3.268941421370, 0.268941421370, [2]float64{0.5, -0.5}},
		{"chosen NLL", loss.ChosenNLL{Over: loss.Mean}, two, 0.5, -0.5, 0, [2]float64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, total := eval(t, c.Pairwise, c.batch)
			assert.InDelta(t, c.loss, out.Loss[0], 2e-11, "loss")
			assert.InDelta(t, c.loss, total.Sum, 2e-11, "sum")
			assert.InDelta(t, c.chosen, out.Chosen[0], 2e-11, "∂chosen")
			assert.InDelta(t, c.rejected, out.Rejected[0], 2e-11, "∂rejected")
			assert.InDelta(t, c.rewards[0], out.RewardChosen[0], 2e-11, "reward of the chosen")
			assert.InDelta(t, c.rewards[1], out.RewardRejected[0], 2e-11, "reward of the rejected")
		})
	}
}

func TestTriplesByHand(t *testing.T) {
	b := loss.Triples{
		Pairs: loss.Pairs{Chosen: []float64{-1}, Rejected: []float64{-3}, ChosenLen: []int{2}, RejectedLen: []int{4}},
		Gold:  []float64{-5}, GoldLen: []int{10},
	}
	for _, c := range []struct {
		name string
		eval func(dst loss.TriplesOut, b loss.Triples) (loss.Total, error)
		want [4]float64 // loss, ∂chosen, ∂rejected, ∂gold
	}{
		// z = ½·2 = 1; 2·5 = 10 for the gold reply, or per token 2·½ = 1 with derivative −2/10.
		{"TPO", loss.TPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Sum}.Eval, [4]float64{10.313261687518, -0.134470710685, 0.134470710685, -2}},
		{"TPO per token", loss.TPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Mean}.Eval, [4]float64{1.313261687518, -0.134470710685, 0.134470710685, -0.2}},
		{"TPO smoothed", loss.TPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Mean, LabelSmoothing: 0.1}.Eval, [4]float64{1.413261687518, -0.084470710685, 0.084470710685, -0.2}},
		// z = 4·(−½ + ¾) − ½ = ½.
		{"TPO-L", loss.TPOL{Beta: 4, Gamma: 0.5, Alpha: 2, NLLOver: loss.Mean}.Eval, [4]float64{1.474076984180, -0.755081337597, 0.377540668798, -0.2}},
		// max(0, 3 − 2) + 2·5; beyond the kink 2·5; per token max(0, 3 − ¼) + 2·½.
		{"SLiC", loss.SLiC{Delta: 3, Lambda: 2, Over: loss.Sum}.Eval, [4]float64{11, -1, 1, -2}},
		{"SLiC beyond the kink", loss.SLiC{Delta: 1, Lambda: 2, Over: loss.Sum}.Eval, [4]float64{10, 0, 0, -2}},
		{"SLiC per token", loss.SLiC{Delta: 3, Lambda: 2, Over: loss.Mean}.Eval, [4]float64{3.75, -0.5, 0.25, -0.2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := loss.TriplesOut{PairsOut: pairsOut(1), Gold: make([]float64, 1)}
			total, err := c.eval(out, b)
			assert.NoError(t, err)
			assert.InDeltaSlice(t, c.want[:], []float64{out.Loss[0], out.Chosen[0], out.Rejected[0], out.Gold[0]}, 1e-11)
			assert.InDelta(t, c.want[0], total.Sum, 1e-11)
			assert.Equal(t, 1, total.Correct)
		})
	}
}

func TestBonusesByHand(t *testing.T) {
	logp, ref := []float64{-3, -5}, []float64{-4, -3}
	value, grad := make([]float64, 2), make([]float64, 2)
	total, err := loss.XPO{Alpha: 0.5}.Eval(value, grad, logp)
	assert.NoError(t, err)
	assert.Equal(t, loss.Total{Sum: -4, Count: 2}, total) // ½·(−3 − 5)
	assert.Equal(t, [][]float64{{-1.5, -2.5}, {0.5, 0.5}}, [][]float64{value, grad})

	// Log-ratios 1 and −2, times αβ = ¼.
	total, err = loss.VPO{Alpha: 0.5, Beta: 0.5}.Eval(value, grad, logp, ref)
	assert.NoError(t, err)
	assert.Equal(t, loss.Total{Sum: -0.25, Count: 2}, total)
	assert.Equal(t, [][]float64{{0.25, -0.5}, {0.25, 0.25}}, [][]float64{value, grad})

	total, err = loss.VPO{Alpha: 0.5, Beta: 0.5, Offline: true}.Eval(value, grad, logp, ref)
	assert.NoError(t, err)
	assert.Equal(t, loss.Total{Sum: 0.25, Count: 2}, total)
	assert.Equal(t, [][]float64{{-0.25, 0.5}, {-0.25, -0.25}}, [][]float64{value, grad})
}
