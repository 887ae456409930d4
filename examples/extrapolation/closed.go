package main

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/policy"
)

// curveError returns how far the three responses are from their closed form. Every gradient,
// of DPO's pair and of centred rewards alike, moves θ along (½, −½), so θ = (s, −s) and
//
//	log π = (s − L, −L, −s − L),   L = log(1 + 2·cosh s):
//
// the chosen response falls with the rejected one, and the one that no pair contains rises.
func (in *instance) curveError(pi *policy.LogLinear) (float64, error) {
	s := (pi.Params()[0] - pi.Params()[1]) / 2
	l := math.Log(1 + 2*math.Cosh(s))
	logp := make([]float64, 3)
	err := pi.Distribution(logp, in.x[0])
	return floats.Distance(logp, []float64{s - l, -l, -s - l}, math.Inf(1)), err
}

// flowError returns how far β·s is from the gradient flow of DPO at time t, in units of 1/β²:
// d(βs)/dt = ½·σ(−βs), so that
//
//	βs + e^{βs} = 1 + t/2.
func flowError(pi *policy.LogLinear, beta, t float64) float64 {
	u := math.Log(1 + t/2)
	for range 100 { // Newton, from the right: the left side is convex and increasing
		u -= (u + math.Exp(u) - 1 - t/2) / (1 + math.Exp(u))
	}
	return math.Abs(beta*(pi.Params()[0]-pi.Params()[1])/2 - u)
}

// limitError returns the largest distance of a log-probability from the limit of both methods:
// where reward and policy are linear in the same features, θ = w/β minimises DPO's loss and
// maximises E_π[r̂] − β·KL alike.
func (in *instance) limitError(pi *policy.LogLinear, beta float64) (float64, error) {
	worst := 0.0
	for _, x := range in.x {
		n, _ := x.Features.Dims()
		got, want := make([]float64, n), make([]float64, n)
		if err := pi.Distribution(got, x); err != nil {
			return 0, err
		}
		x.Features.Mul(want, in.reward)
		floats.Scale(1/beta, want)
		worst = max(worst, floats.Distance(got, normalize(want), math.Inf(1)))
	}
	return worst, nil
}

// logOddsChange is the formula of DPO without features: gradient descent keeps the sum of the
// logits of what the pairs connect, so the log-odds of the rest change by
//
//	−log E_{π_ref|covered}[exp(v − v̄)],   v̄ the unweighted mean,
//
// where v are the logits that were added: r/β in the end.
func logOddsChange(ref, v []float64) float64 {
	mean := floats.Sum(v) / float64(len(v))
	terms, mass := make([]float64, len(v)), ref[:len(v)]
	for y := range v {
		terms[y] = mass[y] + v[y] - mean
	}
	return floats.LogSumExp(mass) - floats.LogSumExp(terms)
}

// logOdds returns the log-odds of the responses from n on.
func logOdds(logp []float64, n int) float64 {
	return floats.LogSumExp(logp[n:]) - floats.LogSumExp(logp[:n])
}
