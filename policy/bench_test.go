package policy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// normals returns n independent numbers from N(0, sd²).
func normals(g *rand.Rand, n int, sd float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = sd * g.NormFloat64()
	}
	return x
}

// denseCandidates returns prompts with random dense features and references.
func denseCandidates(g *rand.Rand, prompts, responses, dim int) []*policy.Candidates {
	xs := make([]*policy.Candidates, prompts)
	for i := range xs {
		f, err := policy.NewDense(responses, dim, normals(g, responses*dim, 0.3))
		if err != nil {
			panic(err)
		}
		xs[i] = &policy.Candidates{Ref: normals(g, responses, 1), Features: f}
	}
	return xs
}

// repeat returns each element of xs k times in a row.
func repeat[X any](xs []X, k int) []X {
	var out []X
	for _, x := range xs {
		for range k {
			out = append(out, x)
		}
	}
	return out
}

// Each turn has other parameters, as that of a training loop has: the policy remembers products.
func BenchmarkLogLinear(b *testing.B) {
	ctx := context.Background()
	const prompts, each = 64, 6
	for _, size := range []struct{ responses, dim int }{{64, 48}, {16, 64}, {16, 1024}} {
		g := rand.New(rand.NewPCG(1, 2))
		p := policy.NewLogLinear(size.dim)
		copy(p.Params(), normals(g, size.dim, 0.3))
		ctxs := denseCandidates(g, prompts, size.responses, size.dim)
		xs := repeat(ctxs, each)
		ys := make([]int, len(xs))
		for i := range ys {
			ys[i] = g.IntN(size.responses)
		}
		logp, w := make([]float64, len(xs)), normals(g, len(xs), 1)
		pairs := make([]float64, len(xs)) // cancel within each prompt, as a pairwise loss's do
		for i := range pairs {
			pairs[i] = float64(1 - 2*(i%2))
		}
		name := fmt.Sprintf("K=%d/d=%d", size.responses, size.dim)
		move := func() { p.Params()[0] = -p.Params()[0] }
		perItem := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(xs)), "ns/item")
		}
		b.Run("Forward/"+name, func(b *testing.B) {
			b.ReportAllocs()
			pass := p.NewPass()
			for b.Loop() {
				move()
				_ = pass.Forward(ctx, logp, xs, ys)
			}
			perItem(b)
		})
		for _, c := range []struct {
			name string
			w    []float64
		}{{"Step", w}, {"StepPairs", pairs}} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				pass := p.NewPass()
				for b.Loop() {
					move()
					_ = pass.Forward(ctx, logp, xs, ys)
					_ = pass.Pullback(ctx, c.w)
				}
				perItem(b)
			})
		}
		b.Run("Sample/"+name, func(b *testing.B) {
			b.ReportAllocs()
			ids := make([]uint64, prompts)
			for b.Loop() {
				move()
				_ = p.Sample(ctx, policy.Draws[int]{Y: ys, LogProb: logp}, ctxs, ids, each, policy.Key{})
			}
			perItem(b)
		})
	}
}
