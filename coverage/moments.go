package coverage

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/record"
)

// MomentsConfig says what a [Moments] accumulates.
type MomentsConfig struct {
	Source     Source
	Orders     []float64 // the α ≥ 0 of E_ref[w^α], finite and distinct; ESS needs 1 and 2, χ² needs 2
	Replicates int       // of the bootstrap; 0: no intervals. 200 serve for 95% intervals
}

// Moments estimates moments of the weights w = π/π_ref over all samples together,
//
//	E_ref[w^α] = E_π[w^{α−1}]
//
// and from them Rényi divergences, χ² and the effective sample size, from one pass over
// samples of π, of π_ref or of a known mixture. Sums are kept as (largest exponent, scaled
// sum), so no weight overflows. Merging is commutative to the bit, and associative up to the
// rounding of sums. Samples count alike, whichever prompt they are of; intervals are by
// bootstrap over prompts. Memory does not depend on the number of samples. Make it with
// [NewMoments]; it is not safe for concurrent use.
//
// An estimate is as good as the tail of its weights: see [Pareto.Reliable]. Samples of π_ref
// show nothing of the mass of π where π_ref = 0; one sample of π that falls there makes
// every order α ≥ 1 infinite. Beside the largest term of an order, terms below e^−708 of it are 0: a
// replicate without that sample then has no moment, and neither has the interval a lower end.
type Moments struct {
	config  MomentsConfig
	boot    bootstrap
	largest []float64 // for each order: the largest exponent, −Inf at first
	sum     []float64 // for each order: Σ exp(exponent − largest)
	sums    []float64 // the same for each order and replicate
	before  []float64 // largest and sum before an Add, which is undone if it fails
	scratch []float64 // chunk for each order
	ratio   []float64 // log-ratios of a chunk
}

// NewMoments returns an empty accumulator. An order that is negative, not finite or there
// twice, none at all, negative Replicates or an unknown source is an error.
func NewMoments(c MomentsConfig) (*Moments, error) {
	c.Orders = slices.Clone(c.Orders)
	for i, a := range c.Orders {
		if !(a >= 0) || math.IsInf(a, 1) || slices.Contains(c.Orders[:i], a) {
			return nil, fmt.Errorf("coverage: Orders[%d] = %v, must be ≥ 0, finite and there once", i, a)
		}
	}
	switch {
	case len(c.Orders) == 0:
		return nil, errors.New("coverage: no Orders")
	case c.Replicates < 0:
		return nil, fmt.Errorf("coverage: Replicates = %d, must be ≥ 0", c.Replicates)
	case c.Source < FromPolicy || c.Source > FromMixture:
		return nil, fmt.Errorf("coverage: unknown Source %v", c.Source)
	}
	m := &Moments{config: c, boot: newBootstrap(c.Replicates)}
	m.largest, m.sum = make([]float64, len(c.Orders)), make([]float64, len(c.Orders))
	for i := range m.largest {
		m.largest[i] = math.Inf(-1)
	}
	m.sums = make([]float64, len(c.Orders)*c.Replicates)
	m.before = make([]float64, 2*len(c.Orders))
	m.scratch, m.ratio = make([]float64, len(c.Orders)*chunk), make([]float64, chunk)
	return m, nil
}

// Merge adds what o has seen; o must not be m. It panics if the configurations differ.
func (m *Moments) Merge(o *Moments) {
	if m.config.Source != o.config.Source || m.config.Replicates != o.config.Replicates || !slices.Equal(m.config.Orders, o.config.Orders) {
		panic("coverage: merging accumulators of different configurations")
	}
	m.boot.merge(&o.boot)
	for k, top := range o.largest {
		if math.IsInf(top, -1) {
			continue
		}
		m.raise(k, top)
		f := 1.0 // also where both are infinite
		if top != m.largest[k] {
			f = math.Exp(top - m.largest[k])
		}
		m.sum[k] += float64(f * o.sum[k]) // rounded, for what raise scales is too: o.Merge(m) gives the same bits
		mine := m.replicates(k)
		for r, v := range o.replicates(k) {
			mine[r] += float64(f * v)
		}
	}
}

// N returns the number of samples.
func (m *Moments) N() int { return int(m.boot.samples) }

// logMean returns log of the mean of an order, of all samples for r < 0, or of a replicate.
func (m *Moments) logMean(k, r int) float64 {
	sum, n := m.sum[k], float64(m.boot.samples)
	if r >= 0 {
		sum, n = m.replicates(k)[r], m.boot.counts[r]
	}
	if n > 0 && math.IsInf(m.largest[k], 0) {
		return m.largest[k]
	}
	return m.largest[k] + math.Log(sum) - math.Log(n)
}

func (m *Moments) index(alpha float64) int {
	k := slices.Index(m.config.Orders, alpha)
	if k < 0 {
		panic("coverage: an order that is not accumulated")
	}
	return k
}

// result applies a function to the logarithms of the means of some orders. One sample of the
// policy outside the reference makes a value infinite with certainty: SE is then 0.
func (m *Moments) result(f func(logMean ...float64) float64, orders ...int) Interval {
	at := func(r int) float64 {
		var args [2]float64
		for i, k := range orders {
			args[i] = m.logMean(k, r)
		}
		return f(args[:len(orders)]...)
	}
	if v := at(-1); math.IsInf(v, 1) {
		return Interval{v, 0, v, v}
	}
	return m.boot.interval(at(-1), at)
}

// LogMean returns log E_ref[w^α]. It panics, as the other results do, if an order that it
// needs is not accumulated. Without samples all are NaN.
func (m *Moments) LogMean(alpha float64) Interval {
	return m.result(func(v ...float64) float64 { return v[0] }, m.index(alpha))
}

// Renyi returns D_α(π‖π_ref) = log E_ref[w^α]/(α−1). It panics for α = 1, which is the KL.
func (m *Moments) Renyi(alpha float64) Interval {
	if alpha == 1 {
		panic("coverage: D_1 is the KL divergence")
	}
	return m.result(func(v ...float64) float64 { return v[0] / (alpha - 1) }, m.index(alpha))
}

// ChiSquare returns χ²(π‖π_ref) = E_ref[w²] − 1.
func (m *Moments) ChiSquare() Interval {
	return m.result(func(v ...float64) float64 { return math.Expm1(v[0]) }, m.index(2))
}

// ESS returns the effective share of samples, (Σw)²/(n·Σw²) ∈ [0, 1]; times [Moments.N] it is
// the effective sample size. It is about weights on samples of π_ref: it panics for another
// source.
func (m *Moments) ESS() Interval {
	if m.config.Source != FromRef {
		panic("coverage: ESS is that of samples of the reference")
	}
	return m.result(func(v ...float64) float64 { return math.Exp(2*v[0] - v[1]) }, m.index(1), m.index(2))
}

const momentsKind, momentsVersion = "coverage.moments", 1

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Moments) MarshalBinary() ([]byte, error) {
	return encode(momentsKind, momentsVersion, m.boot.head(uint64(m.config.Source)), record.Floats(m.boot.counts),
		record.Floats(m.config.Orders), record.Floats(m.largest), record.Floats(m.sum), record.Floats(m.sums))
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler], in place of what m was.
func (m *Moments) UnmarshalBinary(b []byte) error {
	var head [5]uint64
	s, err := decode(b, momentsKind, momentsVersion, 6, head[:])
	if err != nil {
		return err
	}
	c := MomentsConfig{Source: Source(head[0]), Orders: make([]float64, len(s[2])/8)}
	if err := record.PutFloats(c.Orders, s[2]); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	var boot bootstrap
	if err := boot.restore(head[1:], s[1]); err != nil {
		return err
	}
	c.Replicates = boot.replicates
	if uint64(len(c.Orders)*c.Replicates*8) != uint64(len(s[5])) {
		return fmt.Errorf("coverage: a %s record that contradicts itself", momentsKind)
	}
	n, err := NewMoments(c)
	if err != nil {
		return err
	}
	n.boot = boot
	if err := errors.Join(record.PutFloats(n.largest, s[3]), record.PutFloats(n.sum, s[4]), record.PutFloats(n.sums, s[5])); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	*m = *n
	return nil
}
