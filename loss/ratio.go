package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Ratio says which ratio of π to π_old stands for a token in a [Surrogate]. From the
// differences d_t = log π − log π_old of one reply's tokens it makes log ρ_t.
type Ratio interface {
	// LogRatios stores log ρ_t for each token, and counts what bounds on it changed. The sign
	// of a token's advantage may matter.
	LogRatios(logRatio, diff, advantage []float64) Clips
	// Pullback replaces derivatives with respect to log ρ_t by those with respect to log π of
	// each token.
	Pullback(slope, diff, advantage []float64)
	// Check returns a [*ParamError] for a parameter outside its range.
	Check() error
}

// TokenRatio is the ratio of the token itself, ρ_t = π(y_t|x, y_<t)/π_old(y_t|x, y_<t), which
// leaves out that the prefixes, too, come from π_old.
type TokenRatio struct{}

// SequenceRatio is the ratio of the whole reply, ρ = Π_t π/π_old, for each of its tokens: the
// only one whose expectation under π_old is exact, and the one with the largest variance. Use
// it with [MeanTokens], which counts a reply once.
type SequenceRatio struct{}

// GeometricRatio is the geometric mean over a reply's tokens, s = exp(mean_t d_t), for each of
// them, with its whole derivative (GSPO; Zheng et al. 2025, arXiv:2507.18071).
type GeometricRatio struct{}

// GeometricTokenRatio has the values of [GeometricRatio], but a token's ratio has a derivative
// with respect to that token's log-probability alone: s_t = sg(s)·π_t/sg(π_t). With an
// advantage that is the same at all tokens the sum over tokens has GeometricRatio's
// derivatives.
type GeometricTokenRatio struct{}

// ClippedGeometricRatio is the geometric mean of token ratios each of which is bounded on the
// side that its advantage drives it to: exp(mean_t m_t) with m_t = min(d_t, High) for a
// positive advantage and max(d_t, −Low) for others (GMPO; Zhao et al. 2025, arXiv:2507.20673).
// A token at a bound has its derivative, one beyond has none.
//
// Low and High bound logarithms; both are positive, +Inf for none.
type ClippedGeometricRatio struct{ Low, High float64 }

// LogRatios implements [Ratio].
func (TokenRatio) LogRatios(logRatio, diff, _ []float64) Clips {
	copy(logRatio, diff)
	return Clips{}
}

// Pullback implements [Ratio].
func (TokenRatio) Pullback(_, _, _ []float64) {}

// Check implements [Ratio].
func (TokenRatio) Check() error { return nil }

// LogRatios implements [Ratio].
func (SequenceRatio) LogRatios(logRatio, diff, _ []float64) Clips {
	fill(logRatio, elem.Sum(diff))
	return Clips{}
}

// Pullback implements [Ratio].
func (SequenceRatio) Pullback(slope, _, _ []float64) { fill(slope, elem.Sum(slope)) }

// Check implements [Ratio].
func (SequenceRatio) Check() error { return nil }

// LogRatios implements [Ratio].
func (GeometricRatio) LogRatios(logRatio, diff, _ []float64) Clips {
	fill(logRatio, elem.Sum(diff)/float64(len(diff)))
	return Clips{}
}

// Pullback implements [Ratio].
func (GeometricRatio) Pullback(slope, _, _ []float64) {
	fill(slope, elem.Sum(slope)/float64(len(slope)))
}

// Check implements [Ratio].
func (GeometricRatio) Check() error { return nil }

// LogRatios implements [Ratio].
func (GeometricTokenRatio) LogRatios(logRatio, diff, advantage []float64) Clips {
	return GeometricRatio{}.LogRatios(logRatio, diff, advantage)
}

// Pullback implements [Ratio].
func (GeometricTokenRatio) Pullback(_, _, _ []float64) {}

// Check implements [Ratio].
func (GeometricTokenRatio) Check() error { return nil }

// LogRatios implements [Ratio].
func (r ClippedGeometricRatio) LogRatios(logRatio, diff, advantage []float64) Clips {
	var c Clips
	sum := 0.0
	for i, d := range diff {
		switch r.side(d, advantage[i]) {
		case 1:
			c.High++
			d = r.High
		case -1:
			c.Low++
			d = -r.Low
		}
		sum += d
	}
	fill(logRatio, sum/float64(len(diff)))
	return c
}

// Pullback implements [Ratio].
func (r ClippedGeometricRatio) Pullback(slope, diff, advantage []float64) {
	mean := elem.Sum(slope) / float64(len(slope))
	for i, d := range diff {
		slope[i] = mean
		if r.side(d, advantage[i]) != 0 {
			slope[i] = 0
		}
	}
}

// side returns which bound a token is beyond: 1 for High, −1 for Low, 0 for none.
func (r ClippedGeometricRatio) side(d, advantage float64) int {
	switch {
	case advantage > 0 && d > r.High:
		return 1
	case advantage <= 0 && d < -r.Low:
		return -1
	}
	return 0
}

// Check implements [Ratio].
func (r ClippedGeometricRatio) Check() error {
	return r.check("ClippedGeometricRatio.Low", "ClippedGeometricRatio.High")
}

func (r ClippedGeometricRatio) check(low, high string) error {
	if !(r.Low > 0) {
		return &ParamError{low, r.Low, "positive"}
	}
	if !(r.High > 0) {
		return &ParamError{high, r.High, "positive"}
	}
	return nil
}

// held is a ratio without a derivative.
type held[R Ratio] struct{ ratio R }

func (h held[R]) LogRatios(logRatio, diff, advantage []float64) Clips {
	return h.ratio.LogRatios(logRatio, diff, advantage)
}
func (held[R]) Pullback(_, _, _ []float64) {}
func (h held[R]) Check() error             { return h.ratio.Check() }

func fill(dst []float64, v float64) {
	for i := range dst {
		dst[i] = v
	}
}

// ratios makes r.Ratio what r.LogRatio says, given that of each token itself.
func (r *reply) ratios() {
	for j, z := range r.LogRatio {
		switch {
		case z == r.diff[j]:
		case j > 0 && z == r.LogRatio[j-1]:
			r.Ratio[j] = r.Ratio[j-1]
		default:
			r.Ratio[j] = math.Exp(z)
		}
	}
}
