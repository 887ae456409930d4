package loss_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// triplewise lists the objectives with a third reply, for the properties that they share.
var triplewise = []struct {
	name string
	eval func(dst loss.TriplesOut, b loss.Triples) (loss.Total, error)
}{
	{"TPO", loss.TPO{Beta: 0.2, Alpha: 1, NLLOver: loss.Sum}.Eval},
	{"TPO smoothed", loss.TPO{Beta: 0.2, Alpha: 0.5, NLLOver: loss.Mean, LabelSmoothing: 0.1}.Eval},
	{"TPO-L", loss.TPOL{Beta: 2, Gamma: 0.5, Alpha: 1, NLLOver: loss.Mean}.Eval},
	{"SLiC", loss.SLiC{Delta: 1, Lambda: 0.5, Over: loss.Sum}.Eval},
	{"SLiC per token", loss.SLiC{Delta: 1, Lambda: 0.5, Over: loss.Mean}.Eval},
}

func randomTriples(seed uint64, n int, spread float64) loss.Triples {
	b := loss.Triples{Pairs: randomPairs(seed, n, spread)}
	other := randomPairs(seed+1, n, spread)
	b.Gold, b.GoldLen = other.Chosen, other.ChosenLen
	return b
}

func triplesOut(n int) loss.TriplesOut {
	return loss.TriplesOut{PairsOut: pairsOut(n), Gold: make([]float64, n)}
}

func TestTripleGradients(t *testing.T) {
	for _, l := range triplewise {
		b := randomTriples(1, 40, 3)
		out := triplesOut(40)
		_, err := l.eval(out, b)
		require.NoError(t, err)
		for i := range b.Gold {
			value := func(x []float64) float64 {
				c := loss.Triples{Pairs: part(b.Pairs, i, i+1), Gold: x[2:], GoldLen: b.GoldLen[i : i+1]}
				c.Chosen, c.Rejected = x[:1], x[1:2]
				total, err := l.eval(loss.TriplesOut{}, c)
				require.NoError(t, err)
				return total.Sum
			}
			want := gradient(value, []float64{b.Chosen[i], b.Rejected[i], b.Gold[i]}, 1e-4)
			assert.InDeltaSlice(t, want, []float64{out.Chosen[i], out.Rejected[i], out.Gold[i]}, 1e-7, l.name)
		}
	}
}

// A batch is the sum of its parts.
func TestTripleSplit(t *testing.T) {
	b := randomTriples(2, manyPairs, 3)
	for _, l := range triplewise {
		whole := triplesOut(manyPairs)
		total, err := l.eval(whole, b)
		require.NoError(t, err)
		var sum loss.Total
		for lo := 0; lo < manyPairs; lo += 130 {
			hi := min(manyPairs, lo+130)
			out := triplesOut(hi - lo)
			p, err := l.eval(out, loss.Triples{Pairs: part(b.Pairs, lo, hi), Gold: b.Gold[lo:hi], GoldLen: b.GoldLen[lo:hi]})
			require.NoError(t, err)
			bits(t, whole.Loss[lo:hi], out.Loss)
			bits(t, whole.Chosen[lo:hi], out.Chosen)
			bits(t, whole.Gold[lo:hi], out.Gold)
			sum.Add(p)
		}
		within(t, total.Sum, sum.Sum, 1e-13)
		sum.Sum = total.Sum
		assert.Equal(t, total, sum)
	}
}

func TestTriplesAllocateNothing(t *testing.T) {
	b, out := randomTriples(3, manyPairs, 2), triplesOut(manyPairs)
	for _, l := range triplewise {
		allocatesNothing(t, func() { l.eval(out, b) }, l.name)
	}
	xpo, vpo := loss.XPO{Alpha: 0.1}, loss.VPO{Alpha: 0.1, Beta: 0.1}
	allocatesNothing(t, func() { xpo.Eval(out.Loss, out.Chosen, b.Chosen) }, "XPO")
	allocatesNothing(t, func() { vpo.Eval(out.Loss, out.Chosen, b.Chosen, b.RefChosen) }, "VPO")
}

// Margins of ±10⁴ and log-probabilities of −10⁵ are ordinary.
func TestTripleExtremes(t *testing.T) {
	for _, sign := range []float64{1, -1} {
		b := loss.Triples{
			Pairs: loss.Pairs{Chosen: []float64{-1e5 + sign*1e4}, Rejected: []float64{-1e5}, ChosenLen: []int{1}, RejectedLen: []int{1}},
			Gold:  []float64{-1e5}, GoldLen: []int{100_000},
		}
		miss := max(0, -sign) // 1 where the rejected reply is ahead
		out := triplesOut(1)
		total, err := loss.TPO{Beta: 0.5, Alpha: 2, NLLOver: loss.Mean}.Eval(out, b)
		require.NoError(t, err)
		within(t, miss*5e3+2, total.Sum, 1e-15)
		assert.Equal(t, []float64{-0.5 * miss, 0.5 * miss, -2e-5}, []float64{out.Chosen[0], out.Rejected[0], out.Gold[0]})
		total, err = loss.SLiC{Delta: 1, Lambda: 2, Over: loss.Sum}.Eval(out, b) // 1 + 10⁴, and 2·10⁵
		require.NoError(t, err)
		within(t, miss*10001+2e5, total.Sum, 1e-15)
		assert.Equal(t, []float64{-miss, miss, -2}, []float64{out.Chosen[0], out.Rejected[0], out.Gold[0]})
	}
}

// Against TRL and torch: see testdata/generate_triples.py.
func TestTriplesGolden(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "triples.json"))
	require.NoError(t, err)
	var groups []struct {
		By                     string
		LossName               string `json:"loss_name"`
		Params                 map[string]float64
		Chosen, Rejected, Gold []float64
		ChosenLen              []int `json:"chosen_len"`
		RejectedLen            []int `json:"rejected_len"`
		GoldLen                []int `json:"gold_len"`
		Loss                   []float64
		DChosen                []float64 `json:"d_chosen"`
		DRejected              []float64 `json:"d_rejected"`
		DGold                  []float64 `json:"d_gold"`
	}
	require.NoError(t, json.Unmarshal(text, &groups))
	require.Len(t, groups, 6)
	for i, g := range groups {
		t.Run(fmt.Sprint(i, " ", g.LossName, " ", g.By), func(t *testing.T) {
			p := g.Params
			var eval func(dst loss.TriplesOut, b loss.Triples) (loss.Total, error)
			switch g.LossName {
			case "TPO":
				eval = loss.TPO{Beta: p["beta"], Alpha: p["alpha"], NLLOver: loss.Mean, LabelSmoothing: p["eps"]}.Eval
			case "TPOL":
				eval = loss.TPOL{Beta: p["beta"], Gamma: p["gamma"], Alpha: p["alpha"], NLLOver: loss.Mean, LabelSmoothing: p["eps"]}.Eval
			case "SLiC":
				over := loss.Sum
				if p["mean"] == 1 {
					over = loss.Mean
				}
				eval = loss.SLiC{Delta: p["delta"], Lambda: p["lam"], Over: over}.Eval
			}
			n := len(g.Loss)
			require.NotZero(t, n)
			out := triplesOut(n)
			_, err := eval(out, loss.Triples{
				Pairs: loss.Pairs{Chosen: g.Chosen, Rejected: g.Rejected, ChosenLen: g.ChosenLen, RejectedLen: g.RejectedLen},
				Gold:  g.Gold, GoldLen: g.GoldLen,
			})
			require.NoError(t, err)
			for i := range n {
				within(t, g.Loss[i], out.Loss[i], 2e-12, "loss", i)
				within(t, g.DChosen[i], out.Chosen[i], 2e-12, "∂chosen", i)
				within(t, g.DRejected[i], out.Rejected[i], 2e-12, "∂rejected", i)
				within(t, g.DGold[i], out.Gold[i], 2e-12, "∂gold", i)
			}
		})
	}
}
