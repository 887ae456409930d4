package theory

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/coverage"
)

// κ(π*×π̂; π_ref×π_ref) ≤ C(π*)·C(π̂), and κ does not depend on the basis of the features.
func TestProperty15RelativeConditionNumber(t *testing.T) {
	property(t, 200, func(rng *rand.Rand, wrong string) bool {
		n, d := 3+rng.IntN(4), 1+rng.IntN(2)
		p := newProblem(rng, n)
		phi := mat.NewDense(n, d, gaussians(rng, n*d, 1))
		best, found := p.optimum(), normalized(gaussians(rng, n, 1.5))
		target, under := differences(phi, best, found), differences(phi, p.ref, p.ref)
		kappa := ratio(under, target)
		c := coverage.MaxLogRatio(best, p.ref)
		if wrong != "one policy alone" {
			c += coverage.MaxLogRatio(found, p.ref)
		}
		if kappa > math.Exp(c)*(1+1e-9)*pick(wrong, "a tenth", 0.1, 1.) {
			return false
		}
		a := mat.NewDense(d, d, gaussians(rng, d*d, 1))
		var turned mat.Dense
		turned.Mul(phi, a.T())
		if wrong != "one basis changed" {
			under = differences(&turned, p.ref, p.ref)
		}
		return near(ratio(under, differences(&turned, best, found)), kappa, 1e-6)
	}, "one policy alone", "a tenth", "one basis changed")
}

// differences is Σ_{μ×ν}.
func differences(phi mat.Matrix, mu, nu []float64) *mat.SymDense {
	_, d := phi.Dims()
	s := coverage.NewSecondMoment(d)
	if err := s.AddPrompt(1, phi, mu, nu); err != nil {
		panic(err)
	}
	return s.Matrix()
}

// ratio is κ.
func ratio(under, target mat.Symmetric) float64 {
	m, err := coverage.NewMetric(under)
	if err != nil {
		panic(err)
	}
	return m.Kappa(target)
}
