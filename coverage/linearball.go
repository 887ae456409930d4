package coverage

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// LinearBall holds the local coverage of log-linear policies between two bounds. Finding it
// is not a convex problem: no method promises the maximum.
type LinearBall struct {
	Lower, Upper     float64   // Lower ≤ log C_ε ≤ Upper
	Theta            []float64 // the policy that attains Lower
	Prompt, Response int       // where it does
}

// LinearBallAverage bounds log C_ε of the log-linear class around the reference,
//
//	π_θ(y|x) ∝ π_ref(y|x)·exp(θᵀφ(x, y)),   E_{x~ρ} KL(π_θ‖π_ref) ≤ eps
//
// phi[x] has one row of features for each response to prompt x. Lower is attained by a policy
// of the class within the budget, the best from the given number of random starts and a start
// towards each response; Upper is the coverage of all policies, [LogBallAverage]. With one
// prompt, logrho = {0}, the budget is that prompt's. It panics if shapes differ.
//
// On a ray θ = t·v both the KL and the largest log-ratio grow with t, so the search is over
// directions v alone, by random steps that shrink.
func LinearBallAverage(logrho []float64, logref [][]float64, phi []mat.Matrix, eps float64, starts int, rng *rand.Rand) (LinearBall, error) {
	upper, _ := LogBallAverage(logrho, logref, eps)
	if math.IsNaN(upper) {
		return LinearBall{}, fmt.Errorf("coverage: eps = %v, or log-probabilities that are NaN or all −Inf", eps)
	}
	if len(phi) != len(logref) {
		panic("coverage: shapes of features and log-probabilities differ")
	}
	_, d := phi[0].Dims()
	s := linearSearch{logrho: logrho, logref: logref, phi: phi, eps: eps, best: LinearBall{Upper: upper, Theta: make([]float64, d)}}
	for x, row := range logref {
		n, dx := phi[x].Dims()
		if n != len(row) || dx != d {
			panic("coverage: shapes of features and log-probabilities differ")
		}
		for y := range n {
			for j := range d {
				if v := phi[x].At(y, j); math.IsNaN(v) || math.IsInf(v, 0) {
					return LinearBall{}, fmt.Errorf("coverage: phi[%d][%d][%d] = %v, must be finite", x, y, j, v)
				}
			}
		}
		s.scores = append(s.scores, make([]float64, n))
		s.logp = append(s.logp, make([]float64, n))
	}
	if rng == nil {
		return LinearBall{}, errors.New("coverage: rng is nil")
	}
	for x, row := range logref {
		mean := make([]float64, d)
		for y, lq := range row {
			for j := range mean {
				mean[j] += math.Exp(lq) * phi[x].At(y, j)
			}
		}
		for y, lq := range row {
			if math.IsInf(lq, -1) || math.IsInf(logrho[x], -1) {
				continue
			}
			v := mat.Row(nil, y, phi[x])
			for j := range v {
				v[j] -= mean[j]
			}
			s.climb(v, rng)
		}
	}
	for range starts {
		v := make([]float64, d)
		for j := range v {
			v[j] = rng.NormFloat64()
		}
		s.climb(v, rng)
	}
	return s.best, nil
}

type linearSearch struct {
	logrho       []float64
	logref       [][]float64
	phi          []mat.Matrix
	eps          float64
	scores, logp [][]float64
	best         LinearBall
}

// climb improves the direction v by random steps, halved after failures in a row.
func (s *linearSearch) climb(v []float64, rng *rand.Rand) {
	if !unit(v) {
		return
	}
	value, next, failures := s.ray(v), make([]float64, len(v)), 0
	for size := 0.5; size > 1e-4; {
		for j := range next {
			next[j] = v[j] + size*rng.NormFloat64()
		}
		if failures++; unit(next) {
			if f := s.ray(next); f > value {
				value, failures = f, 0
				copy(v, next)
			}
		}
		if failures > 4+2*len(v) {
			size, failures = size/2, 0
		}
	}
}

func unit(v []float64) bool {
	norm := 0.0
	for _, x := range v {
		norm = math.Hypot(norm, x)
	}
	for j := range v {
		v[j] /= norm
	}
	return norm > 0
}

// ray goes along v as far as the budget allows and returns the largest log-ratio there.
func (s *linearSearch) ray(v []float64) float64 {
	spread := 0.0
	for x, scores := range s.scores {
		for y := range scores {
			scores[y] = 0
			for j, u := range v {
				scores[y] += u * s.phi[x].At(y, j)
			}
		}
		if !math.IsInf(s.logrho[x], -1) {
			spread = max(spread, slices.Max(scores)-slices.Min(scores))
		}
	}
	if spread == 0 {
		return 0
	}
	lo, hi := 0.0, 1/spread
	for s.kl(hi) <= s.eps && hi < 1e3/spread { // there a policy is as good as certain
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1e-10*hi && hi > 1e-12/spread {
		if mid := lo + (hi-lo)/2; s.kl(mid) <= s.eps {
			lo = mid
		} else {
			hi = mid
		}
	}
	if s.kl(lo) > s.eps { // leaves the policy at lo in logp
		return 0
	}
	value := 0.0
	for x, row := range s.logp {
		for y, lp := range row {
			if l := lp - s.logref[x][y]; !math.IsInf(s.logrho[x], -1) && l > value {
				if value = l; value > s.best.Lower {
					s.best.Lower, s.best.Prompt, s.best.Response = value, x, y
					for j := range v {
						s.best.Theta[j] = lo * v[j]
					}
				}
			}
		}
	}
	return value
}

// kl returns E_x KL(π_θ‖π_ref) at distance t along the ray.
func (s *linearSearch) kl(t float64) float64 {
	sum := 0.0
	for x, row := range s.logp {
		for y := range row {
			row[y] = s.logref[x][y] + t*s.scores[x][y]
		}
		elem.LogNormalize(row, row)
		sum += num.XMulLog(math.Exp(s.logrho[x]), KL(row, s.logref[x]))
	}
	return sum
}
