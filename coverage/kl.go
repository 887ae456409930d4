package coverage

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/internal/record"
)

// KL returns KL(p‖q) = Σ_y p(y)·(log p(y) − log q(y)) in nats, for distributions over
// the same responses given by their log-probabilities; rloo.KL weighs samples for its gradient. A term with p(y) = 0 is 0;
// p(y) > 0 = q(y) gives +Inf; NaN gives NaN. It panics if the lengths differ.
//
// What is summed is p·ℓ − p + q, with ℓ = log p − log q: every term is ≥ 0, so close
// distributions lose no digits to cancellation and the result is never negative. For
// inputs that do not sum to 1 this is the generalised KL, Σ p·ℓ − Σp + Σq.
func KL(logp, logq []float64) float64 {
	if len(logp) != len(logq) {
		panic("coverage: slices of different lengths")
	}
	sum := 0.0
	for i, lp := range logp {
		p, q := math.Exp(lp), math.Exp(logq[i])
		switch l := lp - logq[i]; {
		case math.IsInf(lp, -1):
			sum += q
		case math.IsInf(l, 1):
			sum += l
		case math.Abs(l) < 1:
			sum += p * num.Excess(-l)
		default:
			sum += p*l + (q - p)
		}
	}
	return sum
}

// Estimate is a mean with its standard error.
type Estimate struct {
	Value float64 // the mean
	SE    float64 // its standard error; NaN for fewer than two independent prompts
	N     int     // number of independent prompts
}

// Interval returns the t interval of the given level, such as 0.95, with N−1 degrees of
// freedom: NaN for fewer than two prompts.
func (e Estimate) Interval(level float64) (lo, hi float64) {
	if e.N < 2 {
		return math.NaN(), math.NaN()
	}
	half := distuv.StudentsT{Sigma: 1, Nu: float64(e.N - 1)}.Quantile(0.5+level/2) * e.SE
	return e.Value - half, e.Value + half
}

// KLEstimator estimates the reverse KL from samples of the policy, averaged over
// prompts:
//
//	KL ≈ (1/n)·Σ_x (1/k)·Σⱼ ℓ(y_xj),   y_xj ~ π(·|x)
//
// Its standard error is sd(prompt means)/√n, so it accounts for the samples of a
// prompt being alike. In place of ℓ any unbiased per-sample value may be given, such
// as the sum of exact per-token KLs along the sample, which varies less. The zero
// value is ready to use. Estimators merge, in any order up to rounding. It is not safe
// for concurrent use. All samples of a prompt belong into one call of Add: what comes
// later would count as another, independent prompt.
type KLEstimator struct {
	n        int
	mean, m2 float64 // of the prompt means (Welford; merged as in Chan, Golub, LeVeque 1983)
}

// Add adds the values of k samples for each of len(l)/k prompts, those of one prompt
// next to each other. A value that is not finite is an error that names its index, and
// then nothing is added. Add panics if k < 1 or len(l) is not a multiple of k.
func (e *KLEstimator) Add(l []float64, k int) error {
	if k < 1 || len(l)%k != 0 {
		panic("coverage: k < 1, or a length that is not a multiple of k")
	}
	before := *e
	size := min(512, len(l)/k) * k // so many prompts at a time
	for lo := 0; lo < len(l); lo += size {
		part := l[lo:min(lo+size, len(l))]
		c, finite := centred(part, k)
		if !finite {
			for i, v := range part {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					*e = before
					return fmt.Errorf("coverage: l[%d] = %v, must be finite", lo+i, v)
				}
			}
		}
		e.Merge(c)
	}
	return nil
}

// centred returns what the prompts of l add. finite is false if a value is not finite, or the sum.
//
// Values are taken relative to the mean of the first prompts. These deviate from the mean of all as the centre does, so
// that correcting for it loses no more digits of Σd² than n over their number has.
func centred(l []float64, k int) (e KLEstimator, finite bool) {
	n := len(l) / k
	first := l[:min(32, n)*k]
	center := elem.Sum(first) / float64(len(first))
	sum, squares := elem.Groups(l, k, center)
	off := sum / float64(k) / float64(n)
	m2 := squares/float64(k)/float64(k) - float64(float64(n)*off*off)
	return KLEstimator{n, center + off, max(0, m2)}, sum-sum == 0
}

// Merge adds what o has seen.
func (e *KLEstimator) Merge(o KLEstimator) {
	if o.n == 0 {
		return
	}
	n := float64(e.n + o.n)
	d := o.mean - e.mean
	e.m2 += o.m2 + float64(d*d*float64(e.n)*float64(o.n)/n)
	e.mean += float64(d * float64(o.n) / n)
	e.n += o.n
}

// Result returns the estimate; for no samples its value is NaN.
func (e *KLEstimator) Result() Estimate {
	r := Estimate{Value: math.NaN(), SE: math.NaN(), N: e.n}
	if e.n > 0 {
		r.Value = e.mean
	}
	if e.n > 1 {
		r.SE = math.Sqrt(e.m2 / float64(e.n-1) / float64(e.n))
	}
	return r
}

const klKind, klVersion = "coverage.kl", 1

// MarshalBinary implements [encoding.BinaryMarshaler].
func (e KLEstimator) MarshalBinary() ([]byte, error) {
	return encode(klKind, klVersion, record.Uints(uint64(e.n)), record.Floats([]float64{e.mean, e.m2}))
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler], in place of what e was.
func (e *KLEstimator) UnmarshalBinary(b []byte) error {
	var head [1]uint64
	s, err := decode(b, klKind, klVersion, 2, head[:])
	if err != nil {
		return err
	}
	var v [2]float64
	if err := record.PutFloats(v[:], s[1]); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	*e = KLEstimator{int(head[0]), v[0], v[1]}
	return nil
}
