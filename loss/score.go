package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Responses is one side of a batch of pairs: what a [Score] sees.
type Responses struct {
	LogProb []float64 // log π(y|x)
	Ref     []float64 // log π_ref(y|x); nil for a score without reference
	Len     []int     // |y| in tokens; nil for a score that is not a mean over tokens
}

// Score maps log-probabilities to the score s that a [Contrast] compares; what rates replies is a
// sampler.Scorer. Hundreds of
// replies go through one call; what it makes of one does not depend on the others.
type Score interface {
	// Score stores the score of response i in s[i] and ∂s[i]/∂LogProb[i] in ds[i]. An
	// error is an [*InputError] whose Field is "LogProb", "Ref" or "Len" and whose Index
	// counts within r.
	Score(s, ds []float64, r Responses) error
}

// LogRatio is the score of DPO, s = ℓ(y) = log π(y|x) − log π_ref(y|x). Two infinite
// log-probabilities have no difference and are an error.
type LogRatio struct{}

// Score implements [Score].
func (LogRatio) Score(s, ds []float64, r Responses) error {
	if len(r.Ref) != len(r.LogProb) {
		panic(badLength)
	}
	units(ds[:len(r.LogProb)])
	if elem.Differences(s[:len(r.LogProb)], r.LogProb, r.Ref) { // which are finite only if all is well
		return nil
	}
	if err := logProbs("LogProb", r.LogProb); err != nil {
		return err
	}
	if err := logProbs("Ref", r.Ref); err != nil {
		return err
	}
	for i, lp := range r.LogProb {
		if s[i] != s[i] {
			return &InputError{"LogProb", i, lp, zeroOverZero("Ref")}
		}
	}
	return nil
}

// zeroOverZero is why a log-ratio of −Inf and −Inf is an error; ref is the other field, at the
// same index.
func zeroOverZero(ref string) string { return "0/0: " + ref + " is -Inf too" }

// Log implements [WideScore]; nothing overflows here.
func (LogRatio) Log(s, ds []float64, r Responses) {
	for i, lp := range r.LogProb {
		s[i], ds[i] = math.Log(math.Abs(lp-r.Ref[i])), 0
	}
}

// Relative implements [RelativeScore].
func (LogRatio) Relative() {}

// MeanLogRatio is the log-ratio per token, s = ℓ(y)/|y|. A length below 1 is an error.
type MeanLogRatio struct{}

// Score implements [Score].
func (MeanLogRatio) Score(s, ds []float64, r Responses) error {
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	return perToken(s, ds, r.Len)
}

// Relative implements [RelativeScore].
func (MeanLogRatio) Relative() {}

// LogProb is the score without reference s = log π(y|x).
type LogProb struct{}

// Score implements [Score].
func (LogProb) Score(s, ds []float64, r Responses) error {
	if err := logProbs("LogProb", r.LogProb); err != nil {
		return err
	}
	copy(s, r.LogProb)
	units(ds)
	return nil
}

// MeanLogProb is the log-probability per token, s = log π(y|x)/|y|, without a reference. A
// length below 1 is an error.
type MeanLogProb struct{}

// Score implements [Score].
func (MeanLogProb) Score(s, ds []float64, r Responses) error {
	if err := (LogProb{}).Score(s, ds, r); err != nil {
		return err
	}
	return perToken(s, ds, r.Len)
}

// units fills ds with derivatives of 1.
func units(ds []float64) {
	for len(ds) > 0 {
		ds = ds[copy(ds, ones[:]):]
	}
}

var ones = func() (v [block]float64) {
	fill(v[:], 1)
	return v
}()

// perToken divides scores and their derivatives by lengths.
func perToken(s, ds []float64, lens []int) error {
	if len(lens) != len(s) {
		panic(badLength)
	}
	for i, n := range lens {
		if n < 1 {
			return &InputError{"Len", i, float64(n), noTokens}
		}
		s[i] /= float64(n)
		ds[i] /= float64(n)
	}
	return nil
}
