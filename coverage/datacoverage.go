package coverage

import (
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/record"
)

// DataMass returns how much of a policy's mass falls where preference pairs are, for
// enumerable responses: Σ π(y) over the responses that occur in at least one pair. For
// several prompts give the log-probabilities of [Joint]. It panics if the lengths differ.
func DataMass(logp []float64, pairs []int) float64 {
	if len(logp) != len(pairs) {
		panic("coverage: slices of different lengths")
	}
	sum := 0.0
	for y, lp := range logp {
		if pairs[y] > 0 {
			sum += math.Exp(lp)
		}
	}
	return sum
}

// FeatureCoverage measures how well preference pairs cover a policy, by features: pairs of
// samples of the policy, against the [Metric] of the pairs of the data. Merging is exact for
// counts and the largest leverage, and otherwise up to the rounding of sums. Make it with
// [NewFeatureCoverage]; it is not safe for concurrent use.
type FeatureCoverage struct {
	data       *Metric
	moment     *SecondMoment
	n, outside uint64
	sum, top   float64
}

// FeatureResult is what a [FeatureCoverage] found.
type FeatureResult struct {
	N       int
	Outside float64 // share of pairs in a direction that no data pair has
	// Kappa is the relative condition number κ of the policy's Σ against that of the data:
	// the reward error of the data, times κ, bounds that of the policy. +Inf if a pair is
	// outside.
	Kappa        float64
	MeanLeverage float64 // of the pairs that are not outside; of the data's own pairs it is the rank
	MaxLeverage  float64 // the largest seen among those
}

// NewFeatureCoverage returns an empty accumulator against the metric of the data.
func NewFeatureCoverage(data *Metric) *FeatureCoverage {
	return &FeatureCoverage{data: data, moment: NewSecondMoment(data.dim), top: math.Inf(-1)}
}

// AddPair adds two independent samples of the policy for one prompt, by their features. A
// feature that is not finite is an error, and then nothing is added. It panics on other
// lengths.
func (f *FeatureCoverage) AddPair(a, b []float64) error {
	if err := f.moment.AddPair(a, b); err != nil {
		return err
	}
	f.n++
	l := f.data.Leverage(f.moment.diff)
	if math.IsInf(l, 1) {
		f.outside++
		return nil
	}
	f.sum += l
	f.top = max(f.top, l)
	return nil
}

// Merge adds what o has seen, against the same metric. It panics if the dimensions differ.
func (f *FeatureCoverage) Merge(o *FeatureCoverage) {
	f.moment.Merge(o.moment)
	f.n += o.n
	f.outside += o.outside
	f.sum += o.sum
	f.top = max(f.top, o.top)
}

// Result returns what was found. Without pairs all but N are NaN; without pairs inside the
// range, the leverages are.
func (f *FeatureCoverage) Result() FeatureResult {
	nan := math.NaN()
	r := FeatureResult{int(f.n), float64(f.outside) / float64(f.n), nan, nan, nan}
	switch {
	case f.outside > 0:
		r.Kappa = math.Inf(1)
	case f.n > 0:
		r.Kappa = f.data.Kappa(f.moment.Matrix())
	}
	if f.n > f.outside {
		r.MeanLeverage, r.MaxLeverage = f.sum/float64(f.n-f.outside), f.top
	}
	return r
}

const featuresKind, featuresVersion = "coverage.features", 1

// MarshalBinary implements [encoding.BinaryMarshaler]. The metric of the data is not part of
// it.
func (f *FeatureCoverage) MarshalBinary() ([]byte, error) {
	moment, err := f.moment.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return encode(featuresKind, featuresVersion, record.Uints(f.n, f.outside), record.Floats([]float64{f.sum, f.top}), moment)
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: f must be made with the metric
// of the data, whose dimension must agree; what else it was is replaced.
func (f *FeatureCoverage) UnmarshalBinary(b []byte) error {
	if f.data == nil {
		return errors.New("coverage: a FeatureCoverage without a metric")
	}
	var head [2]uint64
	s, err := decode(b, featuresKind, featuresVersion, 3, head[:])
	if err != nil {
		return err
	}
	var v [2]float64
	var moment SecondMoment
	if err := errors.Join(record.PutFloats(v[:], s[1]), moment.UnmarshalBinary(s[2])); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	if moment.dim != f.data.dim {
		return fmt.Errorf("coverage: %d features, the metric has %d", moment.dim, f.data.dim)
	}
	*f = FeatureCoverage{f.data, &moment, head[0], head[1], v[0], v[1]}
	return nil
}
