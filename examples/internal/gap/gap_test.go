package gap_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/policy"
)

var ctx = context.Background()

// problem is the problem of seed 1, with which tests do not tamper.
var problem = sync.OnceValue(func() *gap.Problem {
	p, err := gap.New(1)
	if err != nil {
		panic(err)
	}
	return p
})

// phi returns the feature vector of a response.
func phi(x *policy.Candidates, y int) []float64 {
	one, out := make([]float64, gap.Responses), make([]float64, gap.Dim)
	one[y] = 1
	x.Features.AddMulT(out, one)
	return out
}

// products returns φ(x, y)·θ of all responses.
func products(x *policy.Candidates, theta []float64) []float64 {
	out := make([]float64, gap.Responses)
	x.Features.Mul(out, theta)
	return out
}

// matrix returns the feature vectors of all responses.
func matrix(x *policy.Candidates) *mat.Dense {
	m := mat.NewDense(gap.Responses, gap.Dim, nil)
	for y := range gap.Responses {
		m.SetRow(y, phi(x, y))
	}
	return m
}

func TestSeeds(t *testing.T) {
	p, err := gap.New(1)
	require.NoError(t, err)
	// flat is the numbers of a split, with a product in place of all features.
	flat := func(s *gap.Split) (v []float64) {
		theta := make([]float64, gap.Dim)
		for i := range theta {
			theta[i] = 1 / float64(i+1)
		}
		for i, x := range s.X {
			v = append(append(append(v, x.Ref...), s.Reward[i]...), products(x, theta)...)
		}
		return v
	}
	assert.True(t, slices.Equal(flat(&problem().Train), flat(&p.Train)))
	assert.True(t, slices.Equal(flat(&problem().Test), flat(&p.Test)))
	assert.Equal(t, problem().Pairs.Chosen, p.Pairs.Chosen)
	assert.Equal(t, problem().TestPairs.Rejected, p.TestPairs.Rejected)
	other, err := gap.New(2)
	require.NoError(t, err)
	assert.NotEqual(t, p.Train.Reward[0], other.Train.Reward[0])
	assert.NotEqual(t, p.Train.Reward[0], p.Test.Reward[0])
}

// TestProblem checks the definition: features of variance 4/48, a linear reward with |θ*| = 3
// that takes 3 off garbage, references of standard normal logits that take 4 off garbage.
func TestProblem(t *testing.T) {
	p := problem()
	first := p.Train.X[0]
	b := mat.NewVecDense(gap.Responses, nil)
	without := func(reward []float64, y int) float64 {
		if y >= gap.Good {
			return reward[y] + 3
		}
		return reward[y]
	}
	for y := range gap.Responses {
		b.SetVec(y, without(p.Train.Reward[0], y))
	}
	var theta mat.VecDense
	require.NoError(t, theta.SolveVec(matrix(first), b))
	assert.InDelta(t, 3, mat.Norm(&theta, 2), 1e-12)

	var phis, good, garbage []float64
	for _, s := range []*gap.Split{&p.Train, &p.Test} {
		require.Len(t, s.X, gap.Prompts)
		for i, x := range s.X {
			require.Len(t, x.Ref, gap.Responses)
			mass := 0.0
			if i < 32 {
				phis = append(phis, matrix(x).RawMatrix().Data...)
			}
			for y, r := range products(x, theta.RawVector().Data) {
				require.InDelta(t, r, without(s.Reward[i], y), 1e-11)
				mass += math.Exp(x.Ref[y])
				if y < gap.Good {
					good = append(good, x.Ref[y])
				} else {
					garbage = append(garbage, x.Ref[y])
				}
			}
			require.InDelta(t, 1, mass, 1e-13)
		}
	}
	n := float64(len(phis))
	mean, variance := floats.Sum(phis)/n, floats.Dot(phis, phis)/n
	assert.InDelta(t, 0, mean, 4.5*math.Sqrt(variance/n))
	assert.InDelta(t, 4./48, variance, 4.5*variance*math.Sqrt(2/n))
	// The normaliser of a prompt is common to both kinds, so their means differ by 4.
	assert.InDelta(t, 4, floats.Sum(good)/float64(len(good))-floats.Sum(garbage)/float64(len(garbage)), 4.5/math.Sqrt(float64(len(good))))
	assert.InDelta(t, 0.13, gap.NewEvaluator(&p.Test).RefGarbage(), 0.02)
}

// TestPairs: two pairs per prompt, of distinct responses from π_ref, labelled by
// Bradley–Terry.
func TestPairs(t *testing.T) {
	p := problem()
	var likely, garbage, wantGarbage, variance float64
	for _, c := range []struct {
		s     *gap.Split
		pairs []int
		chose func(i int) (x *policy.Candidates, a, b int, refA, refB float64)
	}{
		{&p.Train, p.Pairs.Chosen, func(i int) (*policy.Candidates, int, int, float64, float64) {
			return p.Pairs.X[i], p.Pairs.Chosen[i], p.Pairs.Rejected[i], p.Pairs.RefChosen[i], p.Pairs.RefRejected[i]
		}},
		{&p.Test, p.TestPairs.Chosen, func(i int) (*policy.Candidates, int, int, float64, float64) {
			return p.TestPairs.X[i], p.TestPairs.Chosen[i], p.TestPairs.Rejected[i], p.TestPairs.RefChosen[i], p.TestPairs.RefRejected[i]
		}},
	} {
		require.Len(t, c.pairs, 2*gap.Prompts)
		for i := range c.pairs {
			x, a, b, refA, refB := c.chose(i)
			require.Same(t, c.s.X[i/2], x)
			require.NotEqual(t, a, b)
			require.Equal(t, []float64{x.Ref[a], x.Ref[b]}, []float64{refA, refB})
			r := c.s.Reward[i/2]
			better := 1 / (1 + math.Exp(-math.Abs(r[a]-r[b])))
			if r[a] > r[b] {
				likely++
			}
			likely -= better
			variance += better * (1 - better)
			if a >= gap.Good {
				garbage++
			}
			if b >= gap.Good {
				garbage++
			}
			// The first of two draws is from π_ref, the second from what the first leaves.
			for y, l := range x.Ref {
				for z, m := range x.Ref {
					if y != z {
						q := math.Exp(l+m) / (1 - math.Exp(l))
						if y >= gap.Good {
							wantGarbage += q
						}
						if z >= gap.Good {
							wantGarbage += q
						}
					}
				}
			}
		}
	}
	assert.InDelta(t, 0, likely, 4.5*math.Sqrt(variance), "the likelier label")
	assert.InDelta(t, wantGarbage, garbage, 4.5*math.Sqrt(2*wantGarbage))
}

// TestExact compares with sums over all responses, and pairs of them, by definition.
func TestExact(t *testing.T) {
	p := problem()
	g := rand.New(rand.NewPCG(5, 6))
	pi := policy.NewLogLinear(gap.Dim)
	e := gap.NewEvaluator(&p.Test)

	start, err := e.Exact(pi)
	require.NoError(t, err)
	assert.InDelta(t, 0, start.KL, 1e-13)
	assert.InDelta(t, 0, start.Reward, 1e-13)
	assert.InDelta(t, 0.5, start.Winrate, 1e-13)
	assert.InDelta(t, e.RefGarbage(), start.Garbage, 1e-13)

	for i := range pi.Params() {
		pi.Params()[i] = g.NormFloat64()
	}
	var want gap.Exact
	for i, x := range p.Test.X {
		r := p.Test.Reward[i]
		prob, z := make([]float64, gap.Responses), 0.0
		for y, l := range products(x, pi.Params()) {
			prob[y] = math.Exp(x.Ref[y] + l)
			z += prob[y]
		}
		for y := range prob {
			prob[y] /= z
			want.KL += prob[y] * (math.Log(prob[y]) - x.Ref[y])
			want.Reward += prob[y] * r[y]
			if y >= gap.Good {
				want.Garbage += prob[y]
			}
		}
		for y := range prob {
			q := math.Exp(x.Ref[y])
			want.Reward -= q * r[y]
			for v := range prob {
				want.Winrate += q * prob[v] * math.Exp(r[v]) / (math.Exp(r[v]) + math.Exp(r[y]))
			}
		}
	}
	got, err := e.Exact(pi)
	require.NoError(t, err)
	n := float64(gap.Prompts)
	assert.InDelta(t, want.KL/n, got.KL, 1e-12)
	assert.InDelta(t, want.Reward/n, got.Reward, 1e-12)
	assert.InDelta(t, want.Winrate/n, got.Winrate, 1e-12)
	assert.InDelta(t, want.Garbage/n, got.Garbage, 1e-12)

	_, err = e.Exact(policy.NewLogLinear(gap.Dim + 1))
	assert.ErrorIs(t, err, policy.ErrPrompt)
}

// TestRewardModel: the fit is stationary, r̂ = φ·w on training prompts, and held-out pairs are
// predicted much better than by chance, as far as Bradley–Terry labels can be.
func TestRewardModel(t *testing.T) {
	p := problem()
	m, err := p.FitReward()
	require.NoError(t, err)
	assert.Equal(t, 2*gap.Prompts, m.TrainPairs)

	// w from the scores of one prompt, whose features have full rank.
	x := p.Train.X[3]
	xs, ys := make([]*policy.Candidates, gap.Responses), make([]int, gap.Responses)
	for y := range ys {
		xs[y], ys[y] = x, y
	}
	scores := make([]float64, gap.Responses)
	require.NoError(t, m.Score(ctx, scores, xs, ys))
	var w mat.VecDense
	require.NoError(t, w.SolveVec(matrix(x), mat.NewVecDense(gap.Responses, scores)))

	grad := make([]float64, gap.Dim) // of the mean of −log σ(w·Δ) + (1e-3/2)·|w|²
	floats.AddScaled(grad, 1e-3, w.RawVector().Data)
	right, ceiling, prompts := 0.0, 0.0, map[*policy.Candidates]int{}
	for i, x := range p.Test.X {
		prompts[x] = i
	}
	n := float64(p.Pairs.Len())
	for i, x := range p.Pairs.X {
		delta := floats.SubTo(make([]float64, gap.Dim), phi(x, p.Pairs.Chosen[i]), phi(x, p.Pairs.Rejected[i]))
		floats.AddScaled(grad, -1/(1+math.Exp(floats.Dot(delta, w.RawVector().Data)))/n, delta)

		test, chosen, rejected := p.TestPairs.X[i], p.TestPairs.Chosen[i], p.TestPairs.Rejected[i]
		if floats.Dot(floats.SubTo(delta, phi(test, chosen), phi(test, rejected)), w.RawVector().Data) > 0 {
			right++
		}
		if r := p.Test.Reward[prompts[test]]; r[chosen] > r[rejected] {
			ceiling++
		}
	}
	assert.Less(t, floats.Norm(grad, 2), 1e-6)
	assert.InDelta(t, right/n, m.Accuracy, 1e-15)
	assert.Less(t, m.Lo, m.Accuracy)
	assert.Less(t, m.Accuracy, m.Hi)
	assert.Greater(t, m.Lo, 0.5)
	assert.Less(t, m.Accuracy, ceiling/n, "better than the true reward")
}
