package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Every parameter of every objective: values outside its range are a ParamError that names
// it, as soon as it is evaluated, also on an empty batch.
func TestPairwiseParams(t *testing.T) {
	nan := math.NaN()
	positive := []float64{0, -1, inf, -inf, nan}
	negative := []float64{-1, inf, -inf, nan}
	notFinite := []float64{inf, -inf, nan}
	smoothing := []float64{-0.1, 0.5, 1, inf, nan}
	for _, c := range []struct {
		param string
		bad   []float64
		make  func(v float64) loss.Pairwise
	}{
		{"RSO.Beta", positive, func(v float64) loss.Pairwise { return loss.RSO{Beta: v} }},
		{"GPO.Beta", positive, func(v float64) loss.Pairwise { return loss.GPO{Beta: v, Link: loss.Hinge{}} }},
		{"RobustDPO.Beta", positive, func(v float64) loss.Pairwise { return loss.RobustDPO{Beta: v} }},
		{"RobustDPO.FlipProb", smoothing, func(v float64) loss.Pairwise { return loss.RobustDPO{Beta: 1, FlipProb: v} }},
		{"DiscoPOP.Beta", positive, func(v float64) loss.Pairwise { return loss.DiscoPOP{Beta: v, Tau: 1} }},
		{"DiscoPOP.Tau", positive, func(v float64) loss.Pairwise { return loss.DiscoPOP{Beta: 1, Tau: v} }},
		{"EXO.Beta", positive, func(v float64) loss.Pairwise { return loss.EXO{Beta: v, LabelSmoothing: 0.1} }},
		{"EXO.LabelSmoothing", append(smoothing, 0), func(v float64) loss.Pairwise { return loss.EXO{Beta: 1, LabelSmoothing: v} }},
		{"NormDPO.Beta", positive, func(v float64) loss.Pairwise { return loss.NormDPO{Beta: v} }},
		{"NormDPO.LabelSmoothing", smoothing, func(v float64) loss.Pairwise { return loss.NormDPO{Beta: 1, LabelSmoothing: v} }},
		{"RDPO.Beta", positive, func(v float64) loss.Pairwise { return loss.RDPO{Beta: v} }},
		{"RDPO.Alpha", notFinite, func(v float64) loss.Pairwise { return loss.RDPO{Beta: 1, Alpha: v} }},
		{"RDPO.Alpha", []float64{1}, func(v float64) loss.Pairwise { return loss.RDPO{Beta: 1e-309, Alpha: v} }},
		{"ODPO.Beta", positive, func(v float64) loss.Pairwise { return loss.ODPO{Beta: v} }},
		{"DPOP.Beta", positive, func(v float64) loss.Pairwise { return loss.DPOP{Beta: v} }},
		{"DPOP.Lambda", negative, func(v float64) loss.Pairwise { return loss.DPOP{Beta: 1, Lambda: v} }},
		{"FDPO.Beta", positive, func(v float64) loss.Pairwise { return loss.FDPO{Beta: v, Divergence: loss.ForwardKL{}} }},
		{"FDPO.LabelSmoothing", smoothing, func(v float64) loss.Pairwise {
			return loss.FDPO{Beta: 1, Divergence: loss.ForwardKL{}, LabelSmoothing: v}
		}},
		{"ChiPO.Beta", positive, func(v float64) loss.Pairwise { return loss.ChiPO{Beta: v, MaxReward: 1} }},
		{"ChiPO.MaxReward", []float64{0, -1, -inf, nan}, func(v float64) loss.Pairwise { return loss.ChiPO{Beta: 1, MaxReward: v} }},
		{"SimPO.Beta", positive, func(v float64) loss.Pairwise { return loss.SimPO{Beta: v} }},
		{"SimPO.Gamma", notFinite, func(v float64) loss.Pairwise { return loss.SimPO{Beta: 1, Gamma: v} }},
		{"SimPO.LabelSmoothing", smoothing, func(v float64) loss.Pairwise { return loss.SimPO{Beta: 1, LabelSmoothing: v} }},
		{"AlphaPO.Beta", positive, func(v float64) loss.Pairwise { return loss.AlphaPO{Beta: v} }},
		{"AlphaPO.Gamma", notFinite, func(v float64) loss.Pairwise { return loss.AlphaPO{Beta: 1, Gamma: v} }},
		{"AlphaPO.Alpha", notFinite, func(v float64) loss.Pairwise { return loss.AlphaPO{Beta: 1, Alpha: v} }},
		{"CPO.Beta", positive, func(v float64) loss.Pairwise { return loss.CPO{Beta: v, NLLOver: loss.Sum} }},
		{"CPO.Alpha", negative, func(v float64) loss.Pairwise { return loss.CPO{Beta: 1, Alpha: v, NLLOver: loss.Sum} }},
		{"CPO.NLLOver", []float64{0, 3}, func(v float64) loss.Pairwise { return loss.CPO{Beta: 1, NLLOver: loss.LogRatioOf(v)} }},
		{"CPO.LabelSmoothing", smoothing, func(v float64) loss.Pairwise { return loss.CPO{Beta: 1, NLLOver: loss.Sum, LabelSmoothing: v} }},
		{"ORPO.Lambda", negative, func(v float64) loss.Pairwise { return loss.ORPO{Lambda: v} }},
		{"RPO.Beta", positive, func(v float64) loss.Pairwise { return loss.RPO{Beta: v, NLLOver: loss.Sum} }},
		{"RPO.Alpha", negative, func(v float64) loss.Pairwise { return loss.RPO{Beta: 1, Alpha: v, NLLOver: loss.Sum} }},
		{"RPO.NLLOver", []float64{0, 3}, func(v float64) loss.Pairwise { return loss.RPO{Beta: 1, NLLOver: loss.LogRatioOf(v)} }},
		{"ChosenNLL.Over", []float64{0, 3}, func(v float64) loss.Pairwise { return loss.ChosenNLL{Over: loss.LogRatioOf(v)} }},
		{"NCA.Beta", positive, func(v float64) loss.Pairwise { return loss.NCA{Beta: v} }},
		{"BCOPair.Beta", positive, func(v float64) loss.Pairwise { return loss.BCOPair{Beta: v} }},
		{"BCOPair.Delta", notFinite, func(v float64) loss.Pairwise { return loss.BCOPair{Beta: 1, Delta: v} }},
		{"BCOLink.Delta", notFinite, func(v float64) loss.Pairwise {
			return loss.Joint{Score: loss.LogRatio{}, Link: loss.BCOLink{Delta: v}, Beta: 1}
		}},
		{"CalLink.Target", notFinite, func(v float64) loss.Pairwise {
			return loss.Joint{Score: loss.LogRatio{}, Link: loss.CalLink{Target: v}, Beta: 1}
		}},
		{"Joint.Beta", positive, func(v float64) loss.Pairwise {
			return loss.Joint{Score: loss.LogRatio{}, Link: loss.NCALink{}, Beta: v}
		}},
		{"SPPO.Beta", append(positive, 1e-309, 2e-309), func(v float64) loss.Pairwise { return loss.SPPO{Beta: v} }},
		{"CalDPO.Beta", append(positive, 1e-309, 2e-309), func(v float64) loss.Pairwise { return loss.CalDPO{Beta: v} }},
		{"APOZero.Beta", positive, func(v float64) loss.Pairwise { return loss.APOZero{Beta: v} }},
		{"APODown.Beta", positive, func(v float64) loss.Pairwise { return loss.APODown{Beta: v} }},
		{"MPO.Weight", negative, func(v float64) loss.Pairwise { return loss.MPO{{1, loss.DPO{Beta: 1}}, {v, loss.DPO{Beta: 1}}} }},
	} {
		for _, v := range c.bad {
			for _, b := range []loss.Pairs{onePair(1, 0), {}} {
				_, err := c.make(v).Eval(loss.PairsOut{}, b)
				paramError(t, err, c.param, v)
			}
		}
	}
	// 1/(2β) is still finite: what follows may overflow, but not the target.
	for _, l := range []loss.Pairwise{loss.SPPO{Beta: 4e-309}, loss.CalDPO{Beta: 4e-309}, loss.IPO{Tau: 4e-309, LogRatio: loss.Sum}} {
		_, err := l.Eval(loss.PairsOut{}, onePair(1, 0))
		assert.NoError(t, err)
	}
}

func TestTripleParams(t *testing.T) {
	nan := math.NaN()
	b := loss.Triples{Pairs: onePair(0, 0), Gold: []float64{-1}, GoldLen: []int{1}}
	type eval func(dst loss.TriplesOut, b loss.Triples) (loss.Total, error)
	for _, c := range []struct {
		param string
		bad   []float64
		make  func(v float64) eval
	}{
		{"TPO.Beta", []float64{0, nan}, func(v float64) eval { return loss.TPO{Beta: v, NLLOver: loss.Sum}.Eval }},
		{"TPO.Alpha", []float64{-1, nan}, func(v float64) eval { return loss.TPO{Beta: 1, Alpha: v, NLLOver: loss.Sum}.Eval }},
		{"TPO.NLLOver", []float64{0}, func(v float64) eval { return loss.TPO{Beta: 1, NLLOver: loss.LogRatioOf(v)}.Eval }},
		{"TPO.LabelSmoothing", []float64{0.5, nan}, func(v float64) eval { return loss.TPO{Beta: 1, NLLOver: loss.Sum, LabelSmoothing: v}.Eval }},
		{"TPOL.Beta", []float64{0, nan}, func(v float64) eval { return loss.TPOL{Beta: v, NLLOver: loss.Sum}.Eval }},
		{"TPOL.Gamma", []float64{inf, nan}, func(v float64) eval { return loss.TPOL{Beta: 1, Gamma: v, NLLOver: loss.Sum}.Eval }},
		{"TPOL.Alpha", []float64{-1, nan}, func(v float64) eval { return loss.TPOL{Beta: 1, Alpha: v, NLLOver: loss.Sum}.Eval }},
		{"TPOL.NLLOver", []float64{0}, func(v float64) eval { return loss.TPOL{Beta: 1, NLLOver: loss.LogRatioOf(v)}.Eval }},
		{"TPOL.LabelSmoothing", []float64{0.5, nan}, func(v float64) eval { return loss.TPOL{Beta: 1, NLLOver: loss.Sum, LabelSmoothing: v}.Eval }},
		{"SLiC.Delta", []float64{0, inf, nan}, func(v float64) eval { return loss.SLiC{Delta: v, Over: loss.Sum}.Eval }},
		{"SLiC.Lambda", []float64{-1, nan}, func(v float64) eval { return loss.SLiC{Delta: 1, Lambda: v, Over: loss.Sum}.Eval }},
		{"SLiC.Over", []float64{0, 3}, func(v float64) eval { return loss.SLiC{Delta: 1, Over: loss.LogRatioOf(v)}.Eval }},
	} {
		for _, v := range c.bad {
			_, err := c.make(v)(loss.TriplesOut{}, b)
			paramError(t, err, c.param, v)
		}
	}
}

func TestTripleErrors(t *testing.T) {
	good := func() loss.Triples {
		return loss.Triples{Pairs: randomPairs(1, 3, 1), Gold: []float64{-1, -2, -3}, GoldLen: []int{1, 2, 3}}
	}
	sum := loss.TPO{Beta: 1, Alpha: 1, NLLOver: loss.Sum}
	mean := loss.SLiC{Delta: 1, Lambda: 1, Over: loss.Mean}
	b := good()
	b.Gold[1] = math.NaN()
	_, err := sum.Eval(loss.TriplesOut{}, b)
	inputError(t, err, "Gold", 1, math.NaN())
	b = good()
	b.GoldLen[2] = 0
	_, err = mean.Eval(loss.TriplesOut{}, b)
	inputError(t, err, "GoldLen", 2, 0)
	b = good()
	b.Rejected[2] = inf
	_, err = sum.Eval(loss.TriplesOut{}, b)
	inputError(t, err, "Rejected", 2, inf)
	b = good()
	b.Gold[0] = -inf
	total, err := sum.Eval(loss.TriplesOut{}, b)
	require.NoError(t, err)
	assert.Equal(t, inf, total.Sum)
	b.Weight = []float64{0, 1, 1} // wins over −Inf
	out := loss.TriplesOut{PairsOut: pairsOut(3), Gold: make([]float64, 3)}
	total, err = sum.Eval(out, b)
	require.NoError(t, err)
	assert.False(t, math.IsInf(total.Sum, 0))
	assert.Equal(t, []float64{0, -1, -1}, out.Gold)

	for name, change := range map[string]func(b *loss.Triples, dst *loss.TriplesOut){
		"no gold":       func(b *loss.Triples, _ *loss.TriplesOut) { b.Gold = nil },
		"short gold":    func(b *loss.Triples, _ *loss.TriplesOut) { b.Gold = b.Gold[:2] },
		"no lengths":    func(b *loss.Triples, _ *loss.TriplesOut) { b.GoldLen = nil },
		"short dst":     func(_ *loss.Triples, dst *loss.TriplesOut) { dst.Gold = make([]float64, 2) },
		"short lengths": func(b *loss.Triples, _ *loss.TriplesOut) { b.GoldLen = b.GoldLen[:1] },
	} {
		b, dst := good(), loss.TriplesOut{}
		change(&b, &dst)
		assert.PanicsWithValue(t, "loss: slices of different lengths", func() { mean.Eval(dst, b) }, name)
	}
}

func TestBonusErrors(t *testing.T) {
	two := []float64{-1, -2}
	_, err := loss.XPO{Alpha: -1}.Eval(nil, nil, two)
	paramError(t, err, "XPO.Alpha", -1)
	_, err = loss.VPO{Alpha: -1, Beta: 1}.Eval(nil, nil, two, two)
	paramError(t, err, "VPO.Alpha", -1)
	_, err = loss.VPO{Alpha: 1}.Eval(nil, nil, two, two)
	paramError(t, err, "VPO.Beta", 0)
	_, err = loss.XPO{Alpha: 1}.Eval(nil, nil, []float64{-1, inf})
	inputError(t, err, "LogProb", 1, inf)
	_, err = loss.VPO{Alpha: 1, Beta: 1}.Eval(nil, nil, two, []float64{math.NaN(), -1})
	inputError(t, err, "Ref", 0, math.NaN())
	_, err = loss.VPO{Alpha: 1, Beta: 1}.Eval(nil, nil, []float64{-1, -inf}, []float64{-1, -inf})
	inputError(t, err, "LogProb", 1, -inf)
	total, err := loss.XPO{Alpha: 1}.Eval(nil, nil, []float64{-1, -inf})
	require.NoError(t, err)
	assert.Equal(t, -inf, total.Sum)
	total, err = loss.XPO{}.Eval(nil, nil, []float64{-1, -inf}) // 0·∞ = 0
	require.NoError(t, err)
	assert.Zero(t, total.Sum)
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() { loss.XPO{}.Eval(nil, two[:1], two) })
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() { loss.VPO{Beta: 1}.Eval(nil, nil, two, nil) })
}

// Parts that must be set, and methods that need a part of a certain kind.
func TestCompositionPanics(t *testing.T) {
	b := onePair(0, 0)
	for message, f := range map[string]func(){
		"loss: Contrast without Score or Link": func() {
			loss.Contrast{Score: loss.LogRatio{}, Beta: 1}.Eval(loss.PairsOut{}, b)
		},
		"loss: Joint without Score or Link":        func() { loss.Joint{Link: loss.NCALink{}, Beta: 1}.Eval(loss.PairsOut{}, b) },
		"loss: GPO without Link":                   func() { loss.GPO{Beta: 1}.Eval(loss.PairsOut{}, b) },
		"loss: FDPO without Divergence":            func() { loss.FDPO{Beta: 1}.Eval(loss.PairsOut{}, b) },
		"loss: MPO without terms":                  func() { loss.MPO{}.Eval(loss.PairsOut{}, b) },
		"loss: MPO with a term without Loss":       func() { loss.MPO{{Weight: 1}}.Eval(loss.PairsOut{}, b) },
		"loss: GPO.Curvature without a CurvedLink": func() { loss.GPO{Beta: 1, Link: loss.Hinge{}}.Curvature(make([]float64, 1), b) },
		"loss: Joint.Curvature without a CurvedJointLink": func() {
			loss.Joint{Score: loss.LogRatio{}, Link: loss.APOZeroLink{}, Beta: 1}.Curvature(loss.JointCurvature{}, b)
		},
		"loss: Contrast.Curvature without a CurvedLink, or with Clip": func() {
			loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 1, Clip: 1}.Curvature(make([]float64, 1), b)
		},
	} {
		assert.PanicsWithValue(t, message, f)
	}
}
