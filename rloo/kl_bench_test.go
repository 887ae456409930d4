package rloo_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/rloo"
)

// tokenBatch is n replies of length tokens with log-probabilities.
func tokenBatch(n, length int) (logp, ref []float64, l rloo.Layout) {
	rng := rand.New(rand.NewPCG(6, 6))
	l.Begin = []int{0}
	for range n {
		l.Begin = append(l.Begin, l.Begin[len(l.Begin)-1]+length)
		l.Prompt = append(l.Prompt, 1)
	}
	logp, ref = make([]float64, n*length), make([]float64, n*length)
	l.Mask = make([]bool, n*length)
	for i := range logp {
		ref[i] = -rng.ExpFloat64()
		logp[i] = ref[i] + 0.1*rng.NormFloat64()
		l.Mask[i] = i%7 != 3
	}
	return logp, ref, l
}

type tokenCall func(dst, logp, ref []float64, l rloo.Layout) error

var tokenCalls = map[string]tokenCall{
	"K3.Values":       rloo.K3.Values,
	"ForwardKL":       rloo.ForwardKL,
	"ForwardKLInLoss": rloo.ForwardKLInLoss,
	"ReverseKL": func(dst, logp, ref []float64, l rloo.Layout) error {
		return rloo.ReverseKL(dst, logp, ref, l, rloo.Groups{K: 4})
	},
	"ReverseKLInLoss": func(dst, logp, ref []float64, l rloo.Layout) error {
		return rloo.ReverseKLInLoss(dst, logp, ref, ref, l)
	},
	"SequenceSum": func(dst, logp, ref []float64, l rloo.Layout) error {
		return rloo.SequenceSum(dst, ref, logp, l, rloo.Groups{K: 4})
	},
	"Entropy": func(dst, logp, _ []float64, l rloo.Layout) error {
		return rloo.Entropy(dst, logp, l, rloo.Groups{K: 4})
	},
	"Distill":  rloo.Distill{Discount: 0.9}.Eval,
	"Reweight": func(dst, logp, _ []float64, l rloo.Layout) error { clear(dst); return rloo.Reweight(dst, dst, l) },
}

func BenchmarkKLTokens(b *testing.B) {
	for _, name := range []string{"K3.Values", "ReverseKL", "ForwardKL", "ReverseKLInLoss", "ForwardKLInLoss", "SequenceSum", "Distill"} {
		for _, n := range []int{16, 1024} {
			b.Run(fmt.Sprintf("%s/replies=%d", name, n), func(b *testing.B) {
				logp, ref, l := tokenBatch(n, 256)
				dst := make([]float64, len(logp))
				b.ReportAllocs()
				for b.Loop() {
					if err := tokenCalls[name](dst, logp, ref, l); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(dst)), "ns/token")
			})
		}
	}
}

func jsdRows(rows, vocab int) (student, teacher, grad []float32, value []float64) {
	rng := rand.New(rand.NewPCG(6, 7))
	student, teacher, grad = make([]float32, rows*vocab), make([]float32, rows*vocab), make([]float32, rows*vocab)
	for i := range student {
		student[i] = float32(3 * rng.NormFloat64())
		teacher[i] = student[i] + float32(rng.NormFloat64())
	}
	return student, teacher, grad, make([]float64, rows)
}

func BenchmarkJSD(b *testing.B) {
	for _, beta := range []float64{0, 0.5, 1} {
		b.Run(fmt.Sprintf("beta=%v/vocab=32000", beta), func(b *testing.B) {
			student, teacher, grad, value := jsdRows(4, 32000)
			b.ReportAllocs()
			for b.Loop() {
				if err := (rloo.JSD{Beta: beta}).Eval(value, grad, student, teacher, nil, 32000); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(grad)), "ns/logit")
		})
	}
}

func BenchmarkExact(b *testing.B) {
	p := randomSoftmax(1, 5)
	e, l := p.exact()
	for _, k := range []int{2, 6} {
		b.Run(fmt.Sprintf("responses=5/k=%d", k), func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Moments(k, rloo.Advantages(rloo.RLOO{}, l)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What runs once per step allocates nothing, masks, controllers and accumulators included.
func TestEstimatorsAllocateNothing(t *testing.T) {
	logp, ref, l := tokenBatch(8, 20)
	dst, seq, keep := make([]float64, len(logp)), make([]float64, 8), make([]bool, len(logp))
	for name, f := range tokenCalls {
		other := append([]float64{}, ref...)
		allocatesNothing(t, func() {
			if err := f(dst, logp, other, l); err != nil {
				t.Error(err)
			}
		}, name)
	}
	student, teacher, grad, value := jsdRows(3, 11)
	adaptive := rloo.Adaptive{Target: 1, Rate: 0.1, Coef: 1}
	e := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: 0.1}
	var stats, others rloo.GradientStats
	components := rloo.Components{K: 1}
	begin := func() {
		if stats.Add(logp) != nil || others.Add(ref) != nil || components.Add(logp, ref) != nil {
			t.Error("failed")
		}
	}
	begin()
	allocatesNothing(t, func() {
		_, err1 := e.Eval(seq, seq, logp[:8], ref[:8], rloo.Groups{K: 4})
		_, err2 := e.Tokens(dst, seq, seq, logp, ref, l, rloo.Groups{K: 4})
		_, err3 := rloo.Rejection{By: rloo.K3, Max: 1}.Mask(keep, logp, ref, l)
		err4 := rloo.JSD{Beta: 0.5}.Eval(value, grad, student, teacher, nil, 11)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || adaptive.Update(1.1) != nil {
			t.Error("failed")
		}
		begin()
		stats.Merge(&others)
		_, _ = stats.Noise(), rloo.EffectiveSize(dst)
		_, _ = components.Variance()
	})
}
