package served

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// rankFalseAlarm bounds the probability of one of the rank comparisons to refuse a correct
// server; there are two for each of four thresholds.
const rankFalseAlarm = 1e-5

// checkTruncation compares the ranks of sampled tokens with the reported distributions.
//
// Order the vocabulary by probability. If token y has the mass a before it, then
// u = a + v·π(y) with v uniform on (0,1) is uniform on (0,1) too, whatever the
// distributions are, and independent from token to token. Where the server lists only the
// likeliest tokens and y is none of them, u is a uniform number behind the listed mass. A
// distribution that is cut off leaves the largest u out; one that is sharpened or flattened
// moves them all.
func (m *Model) checkTruncation(draws []drawn) error {
	g := rand.New(rand.NewPCG(1, 2))
	var us []float64
	for _, d := range draws {
		for t, list := range d.top {
			if len(list) > 0 {
				us = append(us, rank(d.Score.Tokens[t], list, g.Float64()))
			}
		}
	}
	m.report.Drawn = len(us)
	for _, q := range []float64{0.5, 0.75, 0.9, 0.95} {
		above := 0
		for _, u := range us {
			if u > q {
				above++
			}
		}
		if binomialTail(above, len(us), 1-q) < rankFalseAlarm {
			return &ProbeError{"truncation", fmt.Errorf("of %d sampled tokens %d are among the least likely %.0f%% of the reported probability, "+
				"%.0f were to be expected: the server truncates or reshapes its distribution although it was told not to",
				len(us), above, 100*(1-q), float64(len(us))*(1-q))}
		}
	}
	return nil
}

// rank returns u for a token of the given log-probability, with a list of the likeliest. A
// token that is as likely as the last of the list is on it.
func rank(logp float64, list []float64, v float64) float64 {
	const same = 1e-9
	before, total, last := 0.0, 0.0, math.Inf(1)
	for _, l := range list {
		p := math.Exp(l)
		total += p
		last = min(last, l)
		if l > logp+same {
			before += p
		}
	}
	if logp >= last-same {
		return before + v*math.Exp(logp)
	}
	return total + v*max(0, 1-total)
}

// binomialTail bounds, by Chernoff, the probability that k of n, each with probability p,
// is as far from n·p as it is: exp(−n·KL(k/n ‖ p)) for each side.
func binomialTail(k, n int, p float64) float64 {
	if n == 0 {
		return 1
	}
	f := float64(k) / float64(n)
	kl := 0.0
	if f > 0 {
		kl += f * math.Log(f/p)
	}
	if f < 1 {
		kl += (1 - f) * math.Log((1-f)/(1-p))
	}
	return math.Exp(-float64(n) * kl)
}
