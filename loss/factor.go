package loss

import "math"

// Uniform is the factor 1, with which [Detached] is [Reinforce].
type Uniform struct{}

// Factors implements [Factor].
func (Uniform) Factors(factor []float64, _ ReplyTokens) Clips {
	fill(factor, 1)
	return Clips{}
}

// Check implements [Factor].
func (Uniform) Check() error { return nil }

// Truncated is the factor ρ, limited to [Min, Max]: that of [CISPO], a truncated importance
// weight. Min is not negative, Max positive, not below Min, and +Inf for none; without a Max a
// ratio that exceeds every number has an infinite factor.
type Truncated struct{ Min, Max float64 }

// Factors implements [Factor].
func (f Truncated) Factors(factor []float64, t ReplyTokens) Clips {
	var c Clips
	for i, r := range t.Ratio {
		switch {
		case r > f.Max:
			c.High++
			r = f.Max
		case r < f.Min:
			c.Low++
			r = f.Min
		}
		factor[i] = r
	}
	return c
}

// Check implements [Factor].
func (f Truncated) Check() error { return f.check("Truncated.Min", "Truncated.Max") }

func (f Truncated) check(lo, hi string) error {
	if err := nonNegative(lo, f.Min); err != nil {
		return err
	}
	if !(f.Max > 0 && f.Max >= f.Min) {
		return &ParamError{hi, f.Max, "positive and not below the lower bound"}
	}
	return nil
}

// Gamma is the factor
//
//	φ(ρ) = ρ^k·e^{λ(1−ρ)}
//
// of [VESPO]: 1 at ρ = 1 and largest at ρ = k/λ. It vanishes for small ratios as a power and
// for large ones exponentially, so that no size of ρ overflows. K and Lambda are positive; each
// sign of the advantage has its own.
type Gamma struct {
	K, Lambda                 float64 // for advantages that are not negative
	NegativeK, NegativeLambda float64 // for negative ones
}

// Factors implements [Factor].
func (g Gamma) Factors(factor []float64, t ReplyTokens) Clips {
	last, lastNegative := math.NaN(), false
	for i, z := range t.LogRatio {
		negative := t.Advantage[i] < 0
		if i > 0 && z == last && negative == lastNegative { // as in all but the first token of a reply
			factor[i] = factor[i-1]
			continue
		}
		last, lastNegative = z, negative
		k, lambda := g.K, g.Lambda
		if negative {
			k, lambda = g.NegativeK, g.NegativeLambda
		}
		factor[i] = 0
		if r := t.Ratio[i]; !math.IsInf(r, 1) {
			factor[i] = math.Exp(k*z + lambda*(1-r))
		}
	}
	return Clips{}
}

// Check implements [Factor].
func (g Gamma) Check() error {
	return g.check([4]string{"Gamma.K", "Gamma.Lambda", "Gamma.NegativeK", "Gamma.NegativeLambda"})
}

func (g Gamma) check(names [4]string) error {
	for i, v := range [4]float64{g.K, g.Lambda, g.NegativeK, g.NegativeLambda} {
		if err := positive(names[i], v); err != nil {
			return err
		}
	}
	return nil
}
