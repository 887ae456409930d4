package loss_test

import (
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/loss"
)

func FuzzPointwise(f *testing.F) {
	f.Add(-1.0, -2.0, -3.0, -2.5, true)
	f.Add(-1e5, -9e4, -1e5, -1e5, false)
	f.Add(0.0, -1e-300, -4.0, -2.0, true)
	f.Fuzz(func(t *testing.T, logp, ref, otherLogp, otherRef float64, desirable bool) {
		for _, v := range []float64{logp, ref, otherLogp, otherRef} {
			if !(math.Abs(v) <= 1e300) {
				t.Skip()
			}
		}
		b := loss.Unpaired{LogProb: []float64{logp}, Ref: []float64{ref}, Desirable: []bool{desirable}, Len: []int{3},
			MismatchLogProb: []float64{otherLogp}, MismatchRef: []float64{otherRef}}
		for _, l := range pointwise {
			out, total := evalUnpaired(t, l, b)
			if v := out.Loss[0]; !(v >= 0) || total.Sum != v {
				t.Fatalf("%s: loss %v, total %v", l.name, v, total)
			}
			// Only smoothing pulls a reply back.
			if g := out.LogProb[0]; g != g || l.name != "smoothed" && (desirable && g > 0 || !desirable && g < 0) {
				t.Fatalf("%s: derivative %v, desirable: %v", l.name, g, desirable)
			}
		}
	})
}

func FuzzTokenPairwise(f *testing.F) {
	f.Add(-1.0, -2.0, -3.0, -2.5, 0.5)
	f.Add(-1e4, 0.0, -1e-300, -1e5, 0.0)
	f.Fuzz(func(t *testing.T, a, b, c, ref, kl float64) {
		for _, v := range []float64{a, b, c, ref, kl} {
			if !(math.Abs(v) <= 1e300) {
				t.Skip()
			}
		}
		p := loss.TokenPairs{
			Layout:  loss.Layout{Begin: []int{0, 2, 3}, Prompt: []int{0, 0}},
			LogProb: []float64{a, b, c}, Ref: []float64{ref, ref, ref}, KL: []float64{kl, 0, kl}, SumSq: []float64{a, b, c},
		}
		for _, l := range tokenPairwise {
			out, total := evalTokens(t, l, p)
			if !(out.Loss[0] >= 0) || total.Sum != out.Loss[0] {
				t.Fatal(l.name, out.Loss, total)
			}
			for _, g := range append(out.LogProb, out.KL...) {
				if g != g {
					t.Fatal(l.name, out)
				}
			}
		}
	})
}

func FuzzPlackettLuce(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 4.0, 0)
	f.Add(-1e4, 1e4, 0.0, 1e-300, 1)
	f.Add(1e300, -1e300, 1e300, 5.0, 2)
	f.Fuzz(func(t *testing.T, a, b, c, d float64, top int) {
		for _, v := range []float64{a, b, c, d} {
			if !(math.Abs(v) <= 1e307) {
				t.Skip()
			}
		}
		out := rankingsOut(1, 4)
		if _, err := (loss.PlackettLuce{Top: top & 3}).Eval(out, []float64{a, b, c, d}, []int{0, 4}); err != nil {
			t.Fatal(err)
		}
		// The first reply is never pushed down, and the last, if it can be passed over,
		// never up; nothing moves by more than the number of choices.
		if !(out.Loss[0] >= 0) || !(out.LogProb[0] <= 0) || !(out.LogProb[3] >= 0 && out.LogProb[3] <= 3) {
			t.Fatal(out)
		}
	})
}
