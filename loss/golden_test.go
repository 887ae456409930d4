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

	"github.com/prefgrad/prefgrad/loss"
)

// golden is one group of a file made by testdata/generate.py: a batch, the parameters, and
// the values and derivatives that another implementation gives.
type golden struct {
	By string `json:"by"`

	Beta, Epsilon, Tau, Center, Lambda float64
	LogRatio                           string `json:"log_ratio"`

	Chosen, Rejected []float64
	RefChosen        []float64 `json:"ref_chosen"`
	RefRejected      []float64 `json:"ref_rejected"`
	ChosenLen        []int     `json:"chosen_len"`
	RejectedLen      []int     `json:"rejected_len"`
	Margin           []float64

	LogProb, Ref, Reward []float64
	K                    int

	Loss           []float64
	KLLoss         []float64 `json:"kl_loss"`
	DChosen        []float64 `json:"d_chosen"`
	DRejected      []float64 `json:"d_rejected"`
	DLogProb       []float64 `json:"d_logprob"`
	RewardChosen   []float64 `json:"reward_chosen"`
	RewardRejected []float64 `json:"reward_rejected"`
}

// goldens runs test on each group of a file.
func goldens(t *testing.T, file string, test func(t *testing.T, g golden)) {
	text, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var groups []golden
	require.NoError(t, json.Unmarshal(text, &groups))
	require.NotEmpty(t, groups)
	for i, g := range groups {
		t.Run(fmt.Sprint(i, " ", g.By), func(t *testing.T) { test(t, g) })
	}
}

func (g golden) pairs() loss.Pairs {
	return loss.Pairs{
		Chosen: g.Chosen, Rejected: g.Rejected, RefChosen: g.RefChosen, RefRejected: g.RefRejected,
		ChosenLen: g.ChosenLen, RejectedLen: g.RejectedLen,
	}
}

func (g golden) samples() loss.Samples {
	return loss.Samples{LogProb: g.LogProb, Ref: g.Ref, Reward: g.Reward, K: g.K}
}

// compare holds a result against the golden one. An error of one unit in the last place of
// the margin z makes one of |z| units in the values of the logistic link's tail, so the
// tolerance grows with z.
func (g golden) compare(t *testing.T, out loss.PairsOut, z func(i int) float64) {
	require.NotEmpty(t, g.Loss)
	for i := range g.Loss {
		tol := 1e-15 * (8 + math.Abs(z(i)))
		within(t, g.Loss[i], out.Loss[i], tol, "loss", i)
		within(t, g.DChosen[i], out.Chosen[i], tol, "∂chosen", i)
		within(t, g.DRejected[i], out.Rejected[i], tol, "∂rejected", i)
	}
}

// ratio is h of pair i.
func (g golden) ratio(i int) float64 {
	return g.Chosen[i] - g.RefChosen[i] - (g.Rejected[i] - g.RefRejected[i])
}

func TestDPOGolden(t *testing.T) {
	goldens(t, "dpo.json", func(t *testing.T, g golden) {
		out, _ := eval(t, loss.DPO{Beta: g.Beta, LabelSmoothing: g.Epsilon}, g.pairs())
		// Where the smoothed slope passes through 0, and for peers that subtract in
		// another order, z itself is off by the rounding of log-probabilities of 300.
		g.compare(t, out, func(i int) float64 { return 300 + g.Beta*g.ratio(i) })
		for i, r := range g.RewardChosen {
			within(t, r, out.RewardChosen[i], 1e-12)
			within(t, g.RewardRejected[i], out.RewardRejected[i], 1e-12)
		}
	})
}

func TestIPOGolden(t *testing.T) {
	kinds := map[string]loss.LogRatioOf{"sum": loss.Sum, "mean": loss.Mean}
	goldens(t, "ipo.json", func(t *testing.T, g golden) {
		require.Contains(t, kinds, g.LogRatio)
		out, _ := eval(t, loss.IPO{Tau: g.Tau, LogRatio: kinds[g.LogRatio]}, g.pairs())
		g.compare(t, out, func(int) float64 { return 300 })
	})
}

func TestBradleyTerryGolden(t *testing.T) {
	goldens(t, "bradleyterry.json", func(t *testing.T, g golden) {
		out := pairsOut(len(g.Chosen))
		_, err := loss.BradleyTerry{Center: g.Center}.Eval(out, loss.Rewards{Chosen: g.Chosen, Rejected: g.Rejected, Margin: g.Margin})
		require.NoError(t, err)
		g.compare(t, out, func(i int) float64 { return g.Chosen[i] - g.Rejected[i] })
	})
}

func TestRLHFGolden(t *testing.T) {
	goldens(t, "rlhf.json", func(t *testing.T, g golden) {
		out := samplesOut(len(g.LogProb))
		_, err := loss.RLHF{Beta: g.Beta}.Eval(out, g.samples())
		require.NoError(t, err)
		assert.InDeltaSlice(t, g.Loss, out.Loss, 1e-14)
		assert.InDeltaSlice(t, g.DLogProb, out.LogProb, 1e-13)
	})
}

func TestHyPOGolden(t *testing.T) {
	goldens(t, "hypo.json", func(t *testing.T, g golden) {
		out := loss.HyPOOut{Pairs: pairsOut(len(g.Chosen)), Samples: samplesOut(len(g.LogProb))}
		s := g.samples()
		s.Reward = nil
		_, err := loss.HyPO{Offline: loss.DPO{Beta: g.Beta}, Lambda: g.Lambda}.Eval(out, g.pairs(), s)
		require.NoError(t, err)
		g.compare(t, out.Pairs, func(int) float64 { return 300 })
		assert.InDeltaSlice(t, g.KLLoss, out.Samples.Loss, 1e-14)
		assert.InDeltaSlice(t, g.DLogProb, out.Samples.LogProb, 1e-13)
	})
}
