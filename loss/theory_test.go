package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/prefgrad/prefgrad/loss"
)

// bandit is one prompt with few responses, so that everything can be enumerated: a
// reference, a true reward, and how often each ordered pair is compared.
type bandit struct {
	ref, reward []float64 // log π_ref, r
	beta        float64
}

func randomBandit(seed uint64, n int) bandit {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := bandit{make([]float64, n), make([]float64, n), 0.2 + rng.Float64()}
	for i := range n {
		b.ref[i], b.reward[i] = rng.NormFloat64(), rng.NormFloat64()
	}
	normalize(b.ref)
	return b
}

func normalize(logp []float64) { floats.AddConst(-floats.LogSumExp(logp), logp) }

// optimum is log π* with π* ∝ π_ref·e^{r/β}.
func (b bandit) optimum() []float64 {
	p := make([]float64, len(b.ref))
	floats.AddScaledTo(p, b.ref, 1/b.beta, b.reward)
	normalize(p)
	return p
}

func (b bandit) kl(logp []float64) float64 {
	sum := 0.0
	for i, lp := range logp {
		sum += math.Exp(lp) * (lp - b.ref[i])
	}
	return sum
}

// score adds w·∇log π(y) to grad, for the logits of a softmax: w·(e_y − π).
func score(grad, logp []float64, y int, w float64) {
	for j, lp := range logp {
		grad[j] -= w * math.Exp(lp)
	}
	grad[y] += w
}

// pairs lists all ordered pairs of different responses, and the probability with which
// each occurs as (chosen, rejected): every two responses are compared equally often, and
// labels follow Bradley–Terry.
func (b bandit) pairs(logp []float64) (batch loss.Pairs, index [][2]int, weight []float64) {
	n := len(b.ref)
	for i := range n {
		for j := range n {
			if i == j {
				continue
			}
			batch.Chosen = append(batch.Chosen, logp[i])
			batch.Rejected = append(batch.Rejected, logp[j])
			batch.RefChosen = append(batch.RefChosen, b.ref[i])
			batch.RefRejected = append(batch.RefRejected, b.ref[j])
			index = append(index, [2]int{i, j})
			weight = append(weight, 2/float64(n*(n-1))/(1+math.Exp(b.reward[j]-b.reward[i])))
		}
	}
	return batch, index, weight
}

// hypo returns the expected HyPO loss at a policy, and the expectation of the gradient with
// respect to logits that its weights give, over all pairs and all draws of two samples.
func (b bandit) hypo(t testing.TB, logp []float64, lambda float64) (dpo, kl float64, grad []float64) {
	t.Helper()
	batch, index, weight := b.pairs(logp)
	s := loss.Samples{K: 2}
	var draws []int
	var prob []float64
	for i := range logp {
		for j := range logp {
			draws = append(draws, i, j)
			s.LogProb = append(s.LogProb, logp[i], logp[j])
			s.Ref = append(s.Ref, b.ref[i], b.ref[j])
			prob = append(prob, math.Exp(logp[i]+logp[j]))
		}
	}
	out := loss.HyPOOut{Pairs: pairsOut(len(index)), Samples: samplesOut(len(draws))}
	_, err := loss.HyPO{Offline: loss.DPO{Beta: b.beta}, Lambda: lambda}.Eval(out, batch, s)
	require.NoError(t, err)
	grad = make([]float64, len(logp))
	for i, p := range index {
		dpo += weight[i] * out.Pairs.Loss[i]
		score(grad, logp, p[0], weight[i]*out.Pairs.Chosen[i])
		score(grad, logp, p[1], weight[i]*out.Pairs.Rejected[i])
	}
	for i, y := range draws {
		p := prob[i/2] / 2
		kl += p * out.Samples.Loss[i]
		score(grad, logp, y, p*out.Samples.LogProb[i])
	}
	return dpo, kl, grad
}

// Full coverage and soft labels: the DPO gradient is 0 at π_ref·e^{r/β}, and nowhere near it.
func TestTheoryDPOStationaryAtOptimum(t *testing.T) {
	for seed := range uint64(20) {
		b := randomBandit(seed, 5)
		_, _, grad := b.hypo(t, b.optimum(), 0)
		assert.Less(t, floats.Norm(grad, inf), 1e-15)
		_, _, grad = b.hypo(t, b.ref, 0)
		assert.Greater(t, floats.Norm(grad, inf), 1e-3)
	}
}

// The weights of both halves of HyPO give, in expectation, the gradient of the expected
// DPO loss plus λ·KL, although no derivative ever sees the sampling.
func TestTheoryHyPOGradient(t *testing.T) {
	for seed := range uint64(5) {
		b := randomBandit(seed, 4)
		at := []float64{0.3, -1, 0.5, 0.1}
		objective := func(logits []float64) float64 {
			logp := append([]float64(nil), logits...)
			normalize(logp)
			_, index, weight := b.pairs(logp)
			sum := 0.7 * b.kl(logp)
			for i, p := range index {
				h := logp[p[0]] - b.ref[p[0]] - logp[p[1]] + b.ref[p[1]]
				sum += weight[i] * math.Log(1+math.Exp(-b.beta*h))
			}
			return sum
		}
		logp := append([]float64(nil), at...)
		normalize(logp)
		dpo, kl, grad := b.hypo(t, logp, 0.7)
		assert.InDelta(t, objective(at), dpo+kl, 1e-14)
		assert.InDeltaSlice(t, gradient(objective, at, 1e-4), grad, 1e-8)
	}
}

// As λ grows the minimiser of HyPO comes closer to the reference and fits the pairs less;
// the policy that solves the problem is not stationary for λ > 0 unless it is the reference.
func TestTheoryHyPOPath(t *testing.T) {
	for seed := range uint64(4) {
		b := randomBandit(seed, 4)
		lastKL, lastDPO := inf, 0.0
		for _, lambda := range []float64{0, 0.01, 0.03, 0.1, 0.3, 1, 10} {
			eval := func(logits []float64) (value float64, kl, dpo float64, grad []float64) {
				logp := append([]float64(nil), logits...)
				normalize(logp)
				d, k, g := b.hypo(t, logp, lambda)
				return d + k, b.kl(logp), d, g
			}
			res, err := optimize.Minimize(optimize.Problem{
				Func: func(x []float64) float64 { v, _, _, _ := eval(x); return v },
				Grad: func(grad, x []float64) { _, _, _, g := eval(x); copy(grad, g) },
			}, b.ref, &optimize.Settings{GradientThreshold: 1e-7}, &optimize.BFGS{})
			require.NoError(t, err)
			_, kl, dpo, grad := eval(res.X)
			require.Less(t, floats.Norm(grad, inf), 1e-6)
			assert.Less(t, kl, lastKL+1e-9, "λ = %v", lambda)
			assert.Greater(t, dpo, lastDPO-1e-9, "λ = %v", lambda)
			if lambda == 0 {
				assert.InDelta(t, b.kl(b.optimum()), kl, 1e-5)
			} else {
				_, _, grad := b.hypo(t, b.optimum(), lambda)
				assert.Greater(t, floats.Norm(grad, inf), 1e-3*lambda)
			}
			lastKL, lastDPO = kl, dpo
		}
		assert.Less(t, lastKL, 1e-2) // λ = 10 holds the policy at the reference
	}

	constant := randomBandit(9, 4)
	clear(constant.reward)
	_, _, grad := constant.hypo(t, constant.optimum(), 1)
	assert.Less(t, floats.Norm(grad, inf), 1e-15)
}

// With implicit rewards r̂ = β·ℓ of any policy π̂,
// KL(π̂‖π_ref) + KL(π_ref‖π̂) = (E_π̂ r̂ − E_ref r̂)/β.
func TestTheoryImplicitRewardsGiveSymmetricKL(t *testing.T) {
	for seed := range uint64(10) {
		b, other := randomBandit(seed, 6), randomBandit(seed+100, 6)
		logp := other.ref
		out, _ := eval(t, loss.DPO{Beta: b.beta}, loss.Pairs{Chosen: logp, RefChosen: b.ref, Rejected: b.ref, RefRejected: b.ref})
		diff := 0.0
		for i, r := range out.RewardChosen {
			diff += (math.Exp(logp[i]) - math.Exp(b.ref[i])) * r
		}
		reverse := bandit{ref: logp}
		assert.InDelta(t, b.kl(logp)+reverse.kl(b.ref), diff/b.beta, 1e-13)
	}
}
