package loss

import "math"

// Unclipped is the gain ρ·A: importance-weighted policy gradient. It grows without bound.
type Unclipped struct{}

// Losses implements [Gain].
func (Unclipped) Losses(loss, slope []float64, t ReplyTokens) Clips {
	for i, a := range t.Advantage {
		loss[i] = -product(t.Ratio[i], a)
		slope[i] = loss[i]
	}
	return Clips{}
}

// Check implements [Gain].
func (Unclipped) Check() error { return nil }

// Clip is the gain
//
//	min(ρ·A, clip(ρ, 1−Low, 1+High)·A),    and if Dual is set not below Dual·A for A < 0
//
// of [PPO] (Schulman et al. 2017, arXiv:1707.06347, equation 7; the second bound Ye et al. 2019,
// arXiv:1912.09729). A positive advantage does not push a ratio beyond 1+High, nor
// a negative one below 1−Low; without Dual, a negative one has no limit to the other side. With
// Dual = δ ≥ 1+High it is the two-sided clip, in which min(ρ, δ) stands for ρ.
//
// The slope is −ρ·A, and 0 beyond a bound. At a bound itself it is −ρ·A: what automatic
// differentiation makes of the formula at 1−Low and 1+High, and twice what it makes at Dual.
//
// Low is in (0, 1], where 1 is no bound. High is positive, +Inf for no bound. Dual is above 1,
// 0 for no bound.
type Clip struct{ Low, High, Dual float64 }

// Losses implements [Gain].
func (c Clip) Losses(loss, slope []float64, t ReplyTokens) Clips {
	var n Clips
	low, high, dual := 1-c.Low, 1+c.High, c.Dual
	if dual == 0 {
		dual = math.Inf(1)
	}
	loss, slope, ratio := loss[:len(t.Advantage)], slope[:len(t.Advantage)], t.Ratio[:len(t.Advantage)]
	for i, a := range t.Advantage {
		r := ratio[i]
		switch {
		case a > 0 && r > high:
			n.High++
			loss[i], slope[i] = -high*a, 0
		case a < 0 && r < low:
			n.Low++
			loss[i], slope[i] = -low*a, 0
		case a < 0 && r > dual:
			n.High++
			n.Dual++
			loss[i], slope[i] = -dual*a, 0
		case a == 0:
			loss[i], slope[i] = 0, 0
		default:
			v := -r * a
			loss[i], slope[i] = v, v
		}
	}
	return n
}

// Check implements [Gain].
func (c Clip) Check() error { return c.check("Clip.Low", "Clip.High", "Clip.Dual") }

func (c Clip) check(low, high, dual string) error {
	switch {
	case !(c.Low > 0 && c.Low <= 1):
		return &ParamError{low, c.Low, "in (0, 1]"}
	case !(c.High > 0):
		return &ParamError{high, c.High, "positive"}
	case c.Dual != 0 && !(c.Dual > 1):
		return &ParamError{dual, c.Dual, "above 1, or 0 for none"}
	}
	return nil
}

// SoftGate is the gain
//
//	A·(4/τ)·σ(τ·(ρ − 1)),    τ = Positive for A > 0 and Negative for A < 0
//
// of [SAPO], whose slope in log ρ at ρ = 1 is A, and vanishes far from there: exponentially
// for large ratios. Both temperatures are positive.
type SoftGate struct{ Positive, Negative float64 }

// Losses implements [Gain].
func (g SoftGate) Losses(loss, slope []float64, t ReplyTokens) Clips {
	for i, a := range t.Advantage {
		tau := g.Positive
		if a < 0 {
			tau = g.Negative
		}
		x := tau * (t.Ratio[i] - 1)
		e := math.Exp(-math.Abs(x))
		s, rest := 1/(1+e), e/(1+e) // σ(|x|) and σ(−|x|), neither by subtraction
		if x < 0 {
			s, rest = rest, s
		}
		loss[i] = -product(4*s/tau, a)
		slope[i] = -product(product(4*s*rest, t.Ratio[i]), a)
	}
	return Clips{}
}

// Check implements [Gain].
func (g SoftGate) Check() error { return g.check("SoftGate.Positive", "SoftGate.Negative") }

func (g SoftGate) check(pos, neg string) error {
	if err := positive(pos, g.Positive); err != nil {
		return err
	}
	return positive(neg, g.Negative)
}

// clips reports whether the token at position p is beyond a bound, Dual aside.
func (c Clip) clips(b Rollouts, p int) bool {
	if b.Old == nil {
		return false
	}
	r, a := math.Exp(b.LogProb[p]-b.Old[p]), b.Advantage[p]
	return a > 0 && r > 1+c.High || a < 0 && r < 1-c.Low
}
