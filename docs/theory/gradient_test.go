package theory

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/rloo"
)

// expected is E_π[f(y)·∇log π(y)].
func expected(logp, f []float64) []float64 {
	w := make([]float64, len(f))
	for y, l := range logp {
		w[y] = math.Exp(l) * f[y]
	}
	return pull(logp, w)
}

func apply(x []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}

// The gradients of the two KLs with respect to logits, by finite differences.
func (p problem) klSlope(logp []float64) []float64 {
	return slope(func(l []float64) float64 { return coverage.KL(l, p.ref) }, logp)
}

func (p problem) forwardSlope(logp []float64) []float64 {
	return slope(func(l []float64) float64 { return coverage.KL(p.ref, l) }, logp)
}

// E_π[∇log π] = 0 and E_π[ℓ·∇log π] = ∇KL(π‖π_ref).
func TestProperty08ScoreFunction(t *testing.T) {
	property(t, 30, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		logp := normalized(gaussians(rng, len(p.ref), 1))
		one := make([]float64, len(logp))
		floats.AddConst(1, one)
		if wrong == "not on-policy" {
			w := apply(p.ref, math.Exp)
			return floats.Norm(pull(logp, w), math.Inf(1)) < 1e-15
		}
		want := p.klSlope(logp)
		if wrong == "the other KL" {
			want = p.forwardSlope(logp)
		}
		floats.Scale(pick(wrong, "twice", 2., 1.), want)
		return floats.Norm(expected(logp, one), math.Inf(1)) < 1e-15 && allNear(want, expected(logp, p.ratios(logp)), 1e-8)
	}, "not on-policy", "the other KL", "twice")
}

// What the derivative of an on-policy KL estimate really is, in expectation: k1 → 0,
// k2 → ∇KL(π‖π_ref), k3 → ∇KL(π_ref‖π). In the reward, k3 gives the difference of both.
func TestProperty09GradientsOfKLEstimates(t *testing.T) {
	estimates := []struct {
		name         string
		value, slope func(l float64) float64 // f(ℓ), f′(ℓ)
	}{
		{name: "k1", value: func(l float64) float64 { return l }, slope: func(float64) float64 { return 1 }},
		{name: "k2", value: func(l float64) float64 { return l * l / 2 }, slope: func(l float64) float64 { return l }},
		{name: "k3", value: func(l float64) float64 { return math.Exp(-l) - 1 + l }, slope: func(l float64) float64 { return 1 - math.Exp(-l) }},
	}
	property(t, 30, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		logp := normalized(gaussians(rng, len(p.ref), 1))
		l, kl, forward := p.ratios(logp), p.klSlope(logp), p.forwardSlope(logp)
		zero := make([]float64, len(l))
		want := map[string][]float64{"k1": zero, "k2": kl, "k3": forward}
		switch wrong {
		case "k1 → ∇KL(π‖π_ref)":
			want["k1"] = kl
		case "k2 → ∇KL(π_ref‖π)":
			want["k2"] = forward
		case "k3 → ∇KL(π‖π_ref)":
			want["k3"] = kl
		}
		for _, e := range estimates {
			if !allNear(want[e.name], expected(logp, apply(l, e.slope)), 1e-8) {
				return false
			}
		}
		inReward := floats.SubTo(make([]float64, len(l)), kl, forward)
		if wrong == "k3 in the reward → ∇KL(π‖π_ref)" {
			inReward = kl
		}
		value := mean(logp, apply(l, estimates[pick(wrong, "k2 is unbiased", 1, 2)].value))
		return allNear(inReward, expected(logp, apply(l, estimates[2].value)), 1e-8) && near(value, coverage.KL(logp, p.ref), 1e-13)
	}, "k1 → ∇KL(π‖π_ref)", "k2 → ∇KL(π_ref‖π)", "k3 → ∇KL(π‖π_ref)", "k3 in the reward → ∇KL(π‖π_ref)", "k2 is unbiased")
}

// draws visits all yᵏ with their probabilities.
func draws(logp []float64, k int, visit func(ys []int, prob float64)) {
	ys := make([]int, k)
	var next func(i int, l float64)
	next = func(i int, l float64) {
		if i == k {
			visit(ys, math.Exp(l))
			return
		}
		for y := range logp {
			ys[i] = y
			next(i+1, l+logp[y])
		}
	}
	next(0, 0)
}

func gather(v []float64, ys []int) []float64 {
	out := make([]float64, len(ys))
	for i, y := range ys {
		out[i] = v[y]
	}
	return out
}

// leaveOneOut is the library's estimate of ∇KL from one group of draws.
func (p problem) leaveOneOut(logp []float64, ys []int, shift float64) []float64 {
	k := len(ys)
	w, at, ref := make([]float64, k), gather(logp, ys), gather(p.ref, ys)
	floats.AddConst(-shift, ref)
	if err := rloo.KL(w, at, ref, k); err != nil {
		panic(err)
	}
	by := make([]float64, len(logp))
	for i, y := range ys {
		by[y] += w[i] / float64(k)
	}
	return pull(logp, by)
}

// Leave-one-out, over all yᵏ: unbiased, the U-statistic with kernel ½(sᵢ−sⱼ)(ℓᵢ−ℓⱼ), and the
// same after a constant is added to ℓ.
func TestProperty10LeaveOneOut(t *testing.T) {
	property(t, 8, func(rng *rand.Rand, wrong string) bool {
		k, n := 2+rng.IntN(3), 2+rng.IntN(3)
		p := newProblem(rng, n)
		logp := normalized(gaussians(rng, n, 1))
		l, total, ok := p.ratios(logp), make([]float64, n), true
		scale := pick(wrong, "mean of the group as baseline", float64(k-1)/float64(k), 1.)
		draws(logp, k, func(ys []int, prob float64) {
			g := p.leaveOneOut(logp, ys, 0)
			floats.AddScaled(total, prob*scale, g)
			by := make([]float64, n)
			for i, a := range ys {
				for _, b := range ys[:i] {
					kernel := pick(wrong, "no ½", 1, 0.5) * (l[a] - l[b])
					by[a] += kernel * 2 / float64(k*(k-1))
					by[b] -= kernel * 2 / float64(k*(k-1))
				}
			}
			shifted := p.leaveOneOut(logp, ys, 5)
			if wrong == "a factor instead of a constant" {
				shifted = problem{ref: apply(p.ref, func(v float64) float64 { return 2 * v })}.leaveOneOut(logp, ys, 0)
			}
			ok = ok && allNear(pull(logp, by), g, 1e-13) && allNear(shifted, g, 1e-13)
		})
		return ok && allNear(p.klSlope(logp), total, 1e-8)
	}, "mean of the group as baseline", "no ½", "a factor instead of a constant")
}

// The variance of one coordinate of the estimate is
// (1/k)·[E s²c² − ((k−2)/(k−1))·g² + E[s²]·E[c²]/(k−1)], c = ℓ − KL, whatever constant ℓ has;
// without a baseline it grows with the constant, and at the reference it is the smaller one.
func TestProperty11VarianceOfLeaveOneOut(t *testing.T) {
	property(t, 12, func(rng *rand.Rand, wrong string) bool {
		k, n := 2+rng.IntN(3), 2+rng.IntN(3)
		p := newProblem(rng, n)
		logp := normalized(gaussians(rng, n, 1))
		const coordinate = 0
		enumerated, identity, plain := p.variances(logp, k, coordinate, 0, pick(wrong, "k−1 for k−2", 1, 0.))
		if !near(enumerated, identity, 1e-12) {
			return false
		}
		shifted, _, worse := p.variances(logp, k, coordinate, 20, 0)
		if !near(shifted, enumerated, 1e-9) || worse < 10*shifted {
			return false
		}
		if wrong == "always below REINFORCE" {
			return enumerated <= plain
		}
		at := normalized(floats.AddScaledTo(make([]float64, n), p.ref, 1e-3, gaussians(rng, n, 1)))
		loo, _, reinforce := p.variances(at, k, coordinate, 0, 0)
		return loo >= reinforce
	}, "k−1 for k−2", "always below REINFORCE")
}

// variances returns the variance of a coordinate of the leave-one-out estimate by
// enumeration and by the identity, and that of REINFORCE without a baseline. plus is added to
// the k−2 of the identity.
func (p problem) variances(logp []float64, k, coordinate int, shift, plus float64) (enumerated, identity, plain float64) {
	l := p.ratios(logp)
	floats.AddConst(shift, l)
	kl, m := mean(logp, l), float64(k)
	var g, s2, c2, s2c2, s2l2 float64
	for y, lp := range logp {
		q, s, c := math.Exp(lp), -math.Exp(logp[coordinate]), l[y]-kl
		if y == coordinate {
			s++
		}
		g += q * s * c
		s2 += q * s * s
		c2 += q * c * c
		s2c2 += q * s * s * c * c
		s2l2 += q * s * s * l[y] * l[y]
	}
	draws(logp, k, func(ys []int, prob float64) {
		d := p.leaveOneOut(logp, ys, shift)[coordinate] - g
		enumerated += prob * d * d
	})
	return enumerated, (s2c2 - (m-2+plus)/(m-1)*g*g + s2*c2/(m-1)) / m, (s2l2 - g*g) / m
}
