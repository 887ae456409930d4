package loss_test

import (
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/loss"
)

// none fails where one of v is NaN.
func none(t *testing.T, name string, v ...float64) {
	t.Helper()
	for _, x := range v {
		if math.IsNaN(x) {
			t.Fatal(name, v)
		}
	}
}

func FuzzTriples(f *testing.F) {
	f.Add(-1.0, -2.0, -3.0, 4, 5, 6)
	f.Add(-1e5, -9e4, 0.0, 1, 100_000, 1)
	f.Add(-1e308, 1e308, -1e308, 1, 1, 1)
	f.Fuzz(func(t *testing.T, c, r, gold float64, cl, rl, gl int) {
		b := loss.Triples{
			Pairs: loss.Pairs{Chosen: []float64{c}, Rejected: []float64{r}, ChosenLen: []int{cl}, RejectedLen: []int{rl}},
			Gold:  []float64{gold}, GoldLen: []int{gl},
		}
		for _, l := range triplewise {
			out := triplesOut(1)
			total, err := l.eval(out, b)
			if err != nil {
				continue
			}
			none(t, l.name, total.Sum, out.Loss[0], out.Chosen[0], out.Rejected[0], out.Gold[0], out.RewardChosen[0], out.RewardRejected[0])
			if l.name != "TPO smoothed" && (out.Chosen[0] > 0 || out.Rejected[0] < 0) || out.Gold[0] > 0 {
				t.Fatal(l.name, out)
			}
		}
	})
}

// Objectives that look at the batch: two pairs, or two replies.
func FuzzCoupled(f *testing.F) {
	f.Add(-1.0, -2.0, -1.5, -1.5, -3.0, -4.0, -5.0, -2.0)
	f.Add(-1e5, -9e4, -1e5, -9e4, 0.0, -1e4, -2e4, 0.0)
	f.Add(-1e308, 1e308, 1e308, -1e308, 0.0, 0.0, 0.0, 0.0)
	f.Fuzz(func(t *testing.T, c, r, rc, rr, c2, r2, rc2, rr2 float64) {
		b := loss.Pairs{
			Chosen: []float64{c, c2}, Rejected: []float64{r, r2}, RefChosen: []float64{rc, rc2}, RefRejected: []float64{rr, rr2},
		}
		for _, l := range []loss.Pairwise{loss.AOT{Beta: 0.1}, loss.AOT{Beta: 2, LabelSmoothing: 0.2}, loss.BetaDPO{Beta: 0.1, Alpha: 0.5, Floor: 1e-3}} {
			out := pairsOut(2)
			total, err := l.Eval(out, b)
			if err != nil {
				continue
			}
			none(t, "pairs", append(append(append([]float64{total.Sum}, out.Loss...), out.Chosen...), out.Rejected...)...)
			if total.Sum < 0 || total.Count != 2 || total.Correct+total.Ties > 2 {
				t.Fatal(total)
			}
		}
		u := loss.Unpaired{LogProb: []float64{c, r}, Ref: []float64{rc, rr}, Desirable: []bool{true, false}}
		out := unpairedOut(2)
		total, err := loss.AOTUnpaired{Beta: 0.1}.Eval(out, u)
		if err == nil {
			none(t, "replies", total.Sum, out.Loss[0], out.LogProb[0], out.LogProb[1])
			if out.LogProb[0] > 0 || out.LogProb[1] < 0 {
				t.Fatal(out)
			}
		}
	})
}

// Terms, regressions and verdicts on single numbers.
func FuzzSingle(f *testing.F) {
	f.Add(-1.0, -2.0, 0.5, 3)
	f.Add(-1e5, 0.0, 1.0, 100_000)
	f.Add(1e308, -1e308, 0.0, 1)
	f.Fuzz(func(t *testing.T, x, ref, p float64, n int) {
		value, grad := make([]float64, 1), make([]float64, 1)
		xs, refs := []float64{x}, []float64{ref}
		if total, err := (loss.XPO{Alpha: 0.5}).Eval(value, grad, xs); err == nil {
			none(t, "XPO", total.Sum, value[0], grad[0])
		}
		if total, err := (loss.VPO{Alpha: 0.5, Beta: 2, Offline: n%2 == 0}).Eval(value, grad, xs, refs); err == nil {
			none(t, "VPO", total.Sum, value[0], grad[0])
		}
		out := unpairedOut(1)
		if total, err := (loss.SPPOKWise{Beta: 0.1}).Eval(out, loss.Unpaired{LogProb: xs, Ref: refs}, []float64{p}); err == nil {
			none(t, "SPPO", total.Sum, out.Loss[0], out.LogProb[0])
		}
		steps := loss.Steps{Logit: xs, Label: []float64{p}, Begin: []int{0, 1}}
		got := stepsOut(steps)
		if total, err := (loss.ProcessReward{By: loss.SumTokens}).Eval(got, steps); err == nil {
			none(t, "process", total.Sum, got.Loss[0], got.Logit[0])
		}
		pairs := pairsOut(1)
		if total, err := (loss.BradleyTerry{Center: 0.01}).Eval(pairs, loss.Rewards{Chosen: xs, Rejected: refs}); err == nil {
			none(t, "Bradley–Terry", total.Sum, pairs.Chosen[0], pairs.Rejected[0])
		}
		for _, l := range []loss.Pairwise{loss.ChosenNLL{Over: loss.Mean}, loss.ChosenNLL{Over: loss.Sum}} {
			if total, err := l.Eval(pairs, loss.Pairs{Chosen: xs, Rejected: refs, ChosenLen: []int{n}}); err == nil {
				none(t, "NLL", total.Sum, pairs.Chosen[0])
			}
		}
	})
}
