package policytest

import "math"

// falseAlarm bounds the probability that a correct sampler fails one frequency check.
const falseAlarm = 1e-6

// frequencyBound returns 2·exp(−n·KL(hits/n ‖ q)), a bound on the probability that n
// independent events of probability q happen in a number as far from n·q, on either
// side, as hits (Chernoff).
func frequencyBound(hits, n int, q float64) float64 {
	f := float64(hits) / float64(n)
	q = min(max(q, 0), 1) // a sum of probabilities may be rounded
	return 2 * math.Exp(-float64(n)*(relative(f, q)+relative(1-f, 1-q)))
}

// relative returns f·log(f/q), with 0·log 0 = 0.
func relative(f, q float64) float64 {
	if f == 0 {
		return 0
	}
	return f * math.Log(f/q)
}
