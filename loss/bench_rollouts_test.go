package loss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/loss"
)

// benchRollouts makes n tokens in replies of 256 behind prompts of 32, of which one in ten is
// masked if masked.
func benchRollouts(n int, masked bool) loss.Rollouts {
	rng := rand.New(rand.NewPCG(1, 9))
	var b loss.Rollouts
	b.Begin = []int{0}
	for range n / 256 {
		b.Begin, b.Prompt = append(b.Begin, b.Begin[len(b.Begin)-1]+256), append(b.Prompt, 32)
	}
	b.Truncated = make([]bool, n/256)
	for i := range n {
		old := -2 * rng.Float64()
		b.Old = append(b.Old, old)
		b.LogProb = append(b.LogProb, old+0.1*rng.NormFloat64())
		b.Ref = append(b.Ref, old+0.1*rng.NormFloat64())
		b.Behaviour = append(b.Behaviour, old+0.1*rng.NormFloat64())
		b.Advantage = append(b.Advantage, math.Sin(float64(i/256)))
		b.Entropy = append(b.Entropy, rng.Float64())
		if masked {
			b.Mask = append(b.Mask, rng.IntN(10) > 0)
		}
	}
	return b
}

func benchTokens(b *testing.B, f func(r loss.Rollouts, out loss.RolloutsOut) error) {
	for _, masked := range []bool{false, true} {
		for _, n := range []int{4096, 1 << 20} {
			r := benchRollouts(n, masked)
			out := loss.RolloutsOut{Loss: make([]float64, r.Len()), LogProb: make([]float64, n)}
			b.Run(fmt.Sprintf("%d,masked=%v", n, masked), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := f(r, out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/token")
			})
		}
	}
}

func BenchmarkPolicyGradient(b *testing.B) {
	for _, l := range policyGradients {
		b.Run(l.name, func(b *testing.B) {
			benchTokens(b, func(r loss.Rollouts, out loss.RolloutsOut) error { _, err := l.Eval(out, r); return err })
		})
	}
}

func BenchmarkTokenMask(b *testing.B) {
	for _, m := range tokenMasks {
		b.Run(fmt.Sprintf("%T", m), func(b *testing.B) {
			benchTokens(b, func(r loss.Rollouts, _ loss.RolloutsOut) error {
				_, err := m.Keep(scratchMask(len(r.LogProb)), r)
				return err
			})
		})
	}
}

var maskScratch []bool

func scratchMask(n int) []bool {
	if len(maskScratch) != n {
		maskScratch = make([]bool, n)
	}
	return maskScratch
}

func BenchmarkValueLoss(b *testing.B) {
	benchTokens(b, func(r loss.Rollouts, out loss.RolloutsOut) error {
		_, err := loss.ValueLoss{Clip: 0.2, By: loss.SumTokens}.Eval(loss.ValuesOut{Loss: out.Loss, Value: out.LogProb},
			loss.Values{Layout: r.Layout, Value: r.LogProb, Old: r.Old, Return: r.Ref})
		return err
	})
}
