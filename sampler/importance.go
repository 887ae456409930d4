package sampler

import (
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// Importance turns what was drawn from one distribution, the behaviour μ, into an estimate
// under another, the target π, by weights ρ = π/μ:
//
//	E_π[f] = E_μ[ρ·f],    ρ_t = π(y_t|x, y_<t)/μ(y_t|x, y_<t)    or    ρ = Π_t ρ_t
//
// per token ([Importance.Tokens]) or per reply ([Importance.Sequences]). Only weights per
// reply, without bounds, are unbiased, if μ > 0 wherever π is; after top-k or top-p it is
// not. Weights per token leave out that the prefixes, too, come from μ; bounds trade bias
// for variance; self-normalised weights have a bias of order 1/n.
//
// The zero value is plain ρ. It is safe for concurrent use.
type Importance struct {
	// Max > 0 is an upper bound of ρ, 0 none; Min ≥ 0 a lower one. A weight outside becomes
	// the bound (truncated importance sampling), or 0 if Mask is set.
	Min, Max float64
	Mask     bool

	// SelfNormalise divides the weights by their mean, after the bounds. It happens before
	// any exponential, so no size of ρ overflows; all of them 0 is an error.
	SelfNormalise bool
}

// ImportanceStats says how much weights can be trusted, and what the bounds did.
type ImportanceStats struct {
	N       int     // weights
	ESS     float64 // (Σρ)²/Σρ² before bounds, in [1, N]; 0 if all ρ are 0
	LogMean float64 // log (1/N)·Σρ before bounds, NaN for N = 0; E[Σρ/N] is 1 for proper ratios
	Below   int     // weights that Min changed
	Above   int     // weights that Max changed
}

// Tokens stores the weight of each counted reply token in dst and 0 elsewhere. target and
// behaviour hold log π and log μ of each token; all three are as long as t.IDs, and what
// does not count is not read. dst may be target or behaviour.
//
// Errors: bounds out of range; a log-probability that is NaN or +Inf, or a behaviour of −Inf,
// under which the token could not have been drawn; a ρ that overflows where neither Max nor
// SelfNormalise is set; self-normalised weights that are all 0. It panics on different lengths.
func (c Importance) Tokens(dst, target, behaviour []float64, t policy.Tokens) (ImportanceStats, error) {
	if len(dst) != len(t.IDs) || len(target) != len(t.IDs) || len(behaviour) != len(t.IDs) {
		panic(badLength)
	}
	n := 0 // the ratios of the counted tokens move to the front, and their weights back
	for i := range t.Len() {
		lo, hi := t.Reply(i)
		for p := lo; p < hi; p++ {
			if !t.Counts(p) {
				continue
			}
			l, err := logRatio(target[p], behaviour[p], p)
			if err != nil {
				return ImportanceStats{}, err
			}
			dst[n] = l
			n++
		}
	}
	stats, err := c.Weights(dst[:n], dst[:n])
	if over, ok := err.(*overflowError); ok {
		over.index = position(t, over.index)
	}
	for i := t.Len() - 1; i >= 0; i-- {
		lo, hi := t.Reply(i)
		for p := hi - 1; p >= t.Begin[i]; p-- {
			if p < lo || !t.Counts(p) {
				dst[p] = 0
				continue
			}
			n--
			dst[p] = dst[n]
		}
	}
	return stats, err
}

// Sequences stores the weight of each reply, the product over its counted tokens, in dst,
// which has an element for each sequence of t and shares no memory with the others. The
// rest is as for Tokens.
func (c Importance) Sequences(dst, target, behaviour []float64, t policy.Tokens) (ImportanceStats, error) {
	if len(dst) != t.Len() || len(target) != len(t.IDs) || len(behaviour) != len(t.IDs) {
		panic(badLength)
	}
	for i := range dst {
		dst[i] = 0
		lo, hi := t.Reply(i)
		for p := lo; p < hi; p++ {
			if !t.Counts(p) {
				continue
			}
			l, err := logRatio(target[p], behaviour[p], p)
			if err != nil {
				return ImportanceStats{}, err
			}
			dst[i] += l
		}
	}
	return c.Weights(dst, dst)
}

// Weights stores the weights of log-ratios log ρ in dst, which may be logRatio: −Inf is a
// weight of 0, NaN and +Inf are errors. The rest is as for Tokens.
func (c Importance) Weights(dst, logRatio []float64) (ImportanceStats, error) {
	if len(dst) != len(logRatio) {
		panic(badLength)
	}
	lo, hi, err := c.bounds()
	if err != nil {
		return ImportanceStats{}, err
	}
	var raw, bounded moments
	s := ImportanceStats{N: len(dst)}
	for i, l := range logRatio {
		if l != l || l > math.MaxFloat64 {
			return ImportanceStats{}, fmt.Errorf("sampler: logRatio[%d] = %v", i, l)
		}
		raw.add(l)
		b := min(max(l, lo), hi)
		if l < lo {
			s.Below++
		} else if l > hi {
			s.Above++
		}
		if c.Mask && b != l {
			b = math.Inf(-1)
		}
		bounded.add(b)
		dst[i] = b
	}
	s.ESS, s.LogMean = raw.ess(), raw.logSum()-math.Log(float64(len(dst)))
	norm := 0.0
	if c.SelfNormalise && len(dst) > 0 {
		if norm = bounded.logSum() - math.Log(float64(len(dst))); math.IsInf(norm, -1) {
			return s, errors.New("sampler: self-normalised weights that are all 0")
		}
	}
	for i, l := range dst {
		if dst[i] = math.Exp(l - norm); math.IsInf(dst[i], 1) {
			return s, &overflowError{i, l}
		}
	}
	return s, nil
}

// overflowError says that a weight exceeds every number.
type overflowError struct {
	index int
	log   float64
}

func (e *overflowError) Error() string {
	return fmt.Sprintf("sampler: weight %d is e^%v, which overflows without Max or SelfNormalise", e.index, e.log)
}

// position returns where the n-th reply token of t that counts stands.
func position(t policy.Tokens, n int) int {
	for i := range t.Len() {
		lo, hi := t.Reply(i)
		for p := lo; p < hi; p++ {
			if !t.Counts(p) {
				continue
			}
			if n == 0 {
				return p
			}
			n--
		}
	}
	panic("sampler: no such token")
}

// bounds returns the logarithms of Min and Max.
func (c Importance) bounds() (lo, hi float64, err error) {
	hi = math.Inf(1)
	if c.Max != 0 {
		hi = math.Log(c.Max)
	}
	switch {
	case !(c.Min >= 0) || math.IsInf(c.Min, 1):
		err = fmt.Errorf("sampler: Importance.Min is %v, must be finite and not negative", c.Min)
	case !(c.Max >= 0):
		err = fmt.Errorf("sampler: Importance.Max is %v, must be positive, or 0 for none", c.Max)
	case c.Max != 0 && c.Max < c.Min:
		err = fmt.Errorf("sampler: Importance.Max is %v, below Min, which is %v", c.Max, c.Min)
	}
	return math.Log(c.Min), hi, err
}

// logRatio returns target − behaviour of position p.
func logRatio(target, behaviour float64, p int) (float64, error) {
	switch {
	case target != target || target > math.MaxFloat64:
		return 0, fmt.Errorf("sampler: target[%d] = %v", p, target)
	case !(math.Abs(behaviour) <= math.MaxFloat64):
		return 0, fmt.Errorf("sampler: behaviour[%d] = %v, must be finite", p, behaviour)
	}
	return target - behaviour, nil
}

// moments adds up w and w² of weights given by their logarithms, relative to the largest
// so far, so that nothing overflows. The zero value is empty.
type moments struct {
	top     float64 // the largest log w, where sum > 0
	sum, sq float64 // Σ w/e^top, Σ (w/e^top)²
}

func (m *moments) add(l float64) {
	switch {
	case math.IsInf(l, -1):
	case m.sum == 0:
		m.top, m.sum, m.sq = l, 1, 1
	case l > m.top:
		e := math.Exp(m.top - l)
		m.top, m.sum, m.sq = l, m.sum*e+1, m.sq*e*e+1
	default:
		e := math.Exp(l - m.top)
		m.sum, m.sq = m.sum+e, m.sq+e*e
	}
}

func (m *moments) logSum() float64 {
	if m.sum == 0 {
		return math.Inf(-1)
	}
	return m.top + math.Log(m.sum)
}

// ess returns (Σw)²/Σw², or 0 without a positive weight.
func (m *moments) ess() float64 {
	if m.sum == 0 {
		return 0
	}
	return m.sum * m.sum / m.sq
}
