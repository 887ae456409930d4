package served

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// falseAlarm bounds the probability that one of the comparisons refuses a correct server;
// there are fewer than twenty.
const falseAlarm = 5e-6

// checkTruncation compares the sampled tokens with the reported distributions: what falls
// behind the cuts that servers make, and the ranks as a whole.
func (m *Model) checkTruncation(draws []drawn) error {
	g := rand.New(rand.NewPCG(1, 2))
	var us []float64
	for _, d := range draws {
		for t, list := range d.top {
			if len(list) > 0 && !math.IsNaN(d.Score.Tokens[t]) {
				us = append(us, rank(d.Score.Tokens[t], list, g.Float64()))
			}
		}
	}
	m.report.Drawn = len(us)
	for _, c := range cuts {
		if err := c.check(draws); err != nil {
			return &ProbeError{"truncation", err}
		}
	}
	for _, q := range []float64{0.25, 0.5, 0.75, 0.9} {
		above := 0
		for _, u := range us {
			if u > q {
				above++
			}
		}
		if binomialTail(above, len(us), 1-q) < falseAlarm {
			return &ProbeError{"truncation", fmt.Errorf("of %d sampled tokens %d are among the least likely %.0f%% of the reported probability, "+
				"%.0f were to be expected: the server reshapes its distribution although it was told not to",
				len(us), above, 100*(1-q), float64(len(us))*(1-q))}
		}
	}
	return nil
}

// cut is a way to truncate a distribution.
type cut struct {
	name string
	// keep returns how many of the likeliest tokens, listed in order, are kept. false: the
	// list is too short to tell.
	keep func(list []float64) (int, bool)
}

// cuts are those that servers make by default, or milder ones.
var cuts = []cut{
	topK(10), topK(20), topK(40), topK(80),
	topP(0.8), topP(0.95), topP(0.99),
	minP(0.1), minP(0.05), minP(0.01),
}

func topK(k int) cut {
	return cut{fmt.Sprintf("top-k %d", k), func(list []float64) (int, bool) { return k, k <= len(list) }}
}

func topP(p float64) cut {
	return cut{fmt.Sprintf("top-p %g", p), func(list []float64) (int, bool) {
		sum := 0.0
		for i, l := range list {
			if sum += math.Exp(l); sum >= p {
				return i + 1, true
			}
		}
		return 0, false
	}}
}

func minP(p float64) cut {
	return cut{fmt.Sprintf("min-p %g", p), func(list []float64) (int, bool) {
		for i, l := range list {
			if l < list[0]+math.Log(p) {
				return i, true
			}
		}
		return 0, false
	}}
}

// check counts the sampled tokens behind the cut. Token t is there with probability qₜ, the
// mass behind the cut, independently of the other tokens given its own past.
func (c cut) check(draws []drawn) error {
	var q []float64
	behind := 0
	for _, d := range draws {
		for t, list := range d.top {
			logp := d.Score.Tokens[t]
			n, ok := c.keep(list)
			if ok {
				n = untie(list, n)
			}
			if !ok || n == 0 || math.IsNaN(logp) {
				continue
			}
			q = append(q, min(1, max(0, 1-mass(list[:n]))))
			if logp < list[n-1]-sameLogProb {
				behind++
			}
		}
	}
	if lowerTail(behind, q) < falseAlarm {
		return fmt.Errorf("%d of %d sampled tokens are behind a cut at %s, %.1f were to be expected: "+
			"the server truncates its distribution although it was told not to", behind, len(q), c.name, sum(q))
	}
	return nil
}

// untie moves a cut that leaves n tokens in front of it so that it parts no tokens of equal
// probability: behind them, or in front of them where they may go on behind the list.
func untie(list []float64, n int) int {
	end := len(list)
	same := list[n-1] - sameLogProb
	for n < end && list[n] >= same {
		n++
	}
	if n == end {
		for n > 0 && list[n-1] <= list[end-1]+sameLogProb {
			n--
		}
	}
	return n
}

// mass is the probability of a list.
func mass(list []float64) float64 {
	m := 0.0
	for _, l := range list {
		m += math.Exp(l)
	}
	return m
}

// lowerTail bounds, by Chernoff, the probability that k or fewer of the events with
// probabilities q happen: min over λ ≥ 0 of e^(λk)·Π(1 − qₜ + qₜe^(−λ)).
func lowerTail(k int, q []float64) float64 {
	if float64(k) >= sum(q) {
		return 1
	}
	log := func(lambda float64) float64 {
		s := lambda * float64(k)
		for _, p := range q {
			s += math.Log1p(p * math.Expm1(-lambda))
		}
		return s
	}
	lo, hi := 0.0, 40.0 // the logarithm is convex in λ
	for range 60 {
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if log(a) < log(b) {
			hi = b
		} else {
			lo = a
		}
	}
	return math.Exp(log(lo))
}

// sameLogProb is a difference that is none.
const sameLogProb = 1e-9

// rank returns a number that is uniform on (0,1) for a token drawn from the distribution
// of the list of the likeliest, whatever that is: a + v·b, where a is the mass of the
// tokens that are likelier, b that of the equally likely ones, and v is uniform itself.
// The end of the list and what is not on it count as equally likely, since their order is
// not known.
func rank(logp float64, list []float64, v float64) float64 {
	last := list[len(list)-1]
	first, end := 0, 0 // of those as likely as the token
	for i, l := range list {
		if l > max(logp, last)+sameLogProb {
			first = i + 1
		}
		if l >= logp-sameLogProb {
			end = i + 1
		}
	}
	before := mass(list[:first])
	if logp <= last+sameLogProb {
		return before + v*max(0, 1-before)
	}
	return before + v*mass(list[first:end])
}

// binomialTail bounds, by Chernoff, the probability that k of n, each with probability p,
// is as far from n·p as it is, on its side: exp(−n·KL(k/n ‖ p)).
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
