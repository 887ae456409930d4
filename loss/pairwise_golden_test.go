package loss_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/loss"
)

// number may be infinite, unlike a JSON number.
type number = jsonnum.Float

func floats64(v []number) []float64 {
	if v == nil {
		return nil
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// pairGolden is one group of a file made by testdata/generate_pairwise.py.
type pairGolden struct {
	By       string
	LossName string `json:"loss_name"`
	Params   map[string]number

	Chosen, Rejected []number
	RefChosen        []number `json:"ref_chosen"`
	RefRejected      []number `json:"ref_rejected"`
	ChosenLen        []int    `json:"chosen_len"`
	RejectedLen      []int    `json:"rejected_len"`
	Margin, Win      []number

	Loss, Scale   []number
	DChosen       []number `json:"d_chosen"`
	DRejected     []number `json:"d_rejected"`
	ScaleChosen   []number `json:"scale_chosen"`
	ScaleRejected []number `json:"scale_rejected"`
}

func (g pairGolden) pairs() loss.Pairs {
	return loss.Pairs{
		Chosen: floats64(g.Chosen), Rejected: floats64(g.Rejected),
		RefChosen: floats64(g.RefChosen), RefRejected: floats64(g.RefRejected),
		ChosenLen: g.ChosenLen, RejectedLen: g.RejectedLen,
		Margin: floats64(g.Margin), Win: floats64(g.Win),
	}
}

// objective is the loss that the group is about.
func (g pairGolden) objective(t *testing.T) loss.Pairwise {
	p := func(name string) float64 {
		v, ok := g.Params[name]
		require.True(t, ok, "%s of %s", name, g.LossName)
		return float64(v)
	}
	switch g.LossName {
	case "cDPO":
		return loss.DPO{Beta: p("beta"), LabelSmoothing: p("eps")}
	case "RSO":
		return loss.RSO{Beta: p("beta")}
	case "GPO exponential":
		return loss.GPO{Beta: p("beta"), Link: loss.Exponential{}}
	case "GPO truncated quadratic":
		return loss.GPO{Beta: p("beta"), Link: loss.SquaredHinge{}}
	case "RobustDPO":
		return loss.RobustDPO{Beta: p("beta"), FlipProb: p("eps")}
	case "DiscoPOP":
		return loss.DiscoPOP{Beta: p("beta"), Tau: p("tau")}
	case "EXO":
		return loss.EXO{Beta: p("beta"), LabelSmoothing: p("eps")}
	case "ODPO":
		return loss.ODPO{Beta: p("beta")}
	case "DPOP":
		return loss.DPOP{Beta: p("beta"), Lambda: p("lam")}
	case "f-DPO forward KL":
		return loss.FDPO{Beta: p("beta"), Divergence: loss.ForwardKL{}}
	case "f-DPO Jensen–Shannon":
		return loss.FDPO{Beta: p("beta"), Divergence: loss.JensenShannon{}}
	case "f-DPO α":
		return loss.FDPO{Beta: p("beta"), Divergence: loss.AlphaDivergence{Alpha: p("alpha")}}
	case "ChiPO":
		return loss.ChiPO{Beta: p("beta"), MaxReward: p("maxreward")}
	case "NCA":
		return loss.NCA{Beta: p("beta")}
	case "BCOPair":
		return loss.BCOPair{Beta: p("beta"), Delta: p("delta")}
	case "SPPO":
		return loss.SPPO{Beta: p("beta")}
	case "CalDPO":
		return loss.CalDPO{Beta: p("beta")}
	case "APOZero":
		return loss.APOZero{Beta: p("beta")}
	case "APODown":
		return loss.APODown{Beta: p("beta")}
	case "NormDPO":
		return loss.NormDPO{Beta: p("beta")}
	case "RDPO":
		return loss.RDPO{Beta: p("beta"), Alpha: p("alpha")}
	case "RPO":
		return loss.RPO{Beta: p("beta"), Alpha: p("alpha"), NLLOver: loss.Mean}
	case "CPO":
		return loss.CPO{Beta: p("beta"), Alpha: p("alpha"), NLLOver: loss.Sum, LabelSmoothing: float64(g.Params["eps"])}
	case "MPO":
		return loss.MPO{{0.8, loss.DPO{Beta: p("beta")}}, {0.2, loss.BCOPair{Beta: p("beta")}}}
	case "SimPO":
		return loss.SimPO{Beta: p("beta"), Gamma: p("gamma")}
	case "AlphaPO":
		return loss.AlphaPO{Beta: p("beta"), Gamma: p("gamma"), Alpha: p("alpha")}
	case "ORPO":
		return loss.ORPO{Lambda: p("lam")}
	}
	t.Fatalf("no objective %q", g.LossName)
	return nil
}

func pairGoldens(t *testing.T, file string, test func(t *testing.T, g pairGolden)) {
	text, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var groups []pairGolden
	require.NoError(t, json.Unmarshal(text, &groups))
	require.NotEmpty(t, groups)
	for i, g := range groups {
		t.Run(fmt.Sprint(i, " ", g.LossName, " ", g.By), func(t *testing.T) {
			require.NotEmpty(t, g.Loss)
			test(t, g)
		})
	}
}

// Against mpmath an error is 1e-12 of the scale that stands in the file: the sum of the
// absolute terms and what a relative error of the arguments does. Below the normal numbers
// underflow is gradual.
func TestPairwiseDefinitions(t *testing.T) {
	worst := 0.0
	close := func(t *testing.T, want, scale number, got float64, what string, i int) {
		w, s := float64(want), float64(scale)
		if got == w {
			return
		}
		err := math.Abs(got - w)
		if err > 1e-312 {
			worst = max(worst, err/s)
		}
		if !(err <= 1e-12*s+1e-312) || math.IsInf(w, 0) || math.IsInf(got, 0) {
			assert.Fail(t, "too far apart", "%s[%d]: want %v, got %v, error %.2g of scale %v", what, i, w, got, err/s, s)
		}
	}
	pairGoldens(t, "pairwise.json", func(t *testing.T, g pairGolden) {
		b := g.pairs()
		out, _ := eval(t, g.objective(t), b)
		for i := range g.Loss {
			close(t, g.Loss[i], g.Scale[i], out.Loss[i], "loss", i)
			close(t, g.DChosen[i], g.ScaleChosen[i], out.Chosen[i], "∂chosen", i)
			close(t, g.DRejected[i], g.ScaleRejected[i], out.Rejected[i], "∂rejected", i)
		}
	})
	t.Logf("largest error: %.2g of its scale", worst)
}

// Peers work in float64 too, but for what they clamp, and subtract in another order.
func TestPairwisePeers(t *testing.T) {
	pairGoldens(t, "pairwise_peers.json", func(t *testing.T, g pairGolden) {
		out, _ := eval(t, g.objective(t), g.pairs())
		for i := range g.Loss {
			within(t, float64(g.Loss[i]), out.Loss[i], 2e-12, "loss", i)
			within(t, float64(g.DChosen[i]), out.Chosen[i], 2e-12, "∂chosen", i)
			within(t, float64(g.DRejected[i]), out.Rejected[i], 2e-12, "∂rejected", i)
		}
	})
}
