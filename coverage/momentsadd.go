package coverage

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Add adds a batch. A log-probability that a sample of the source cannot have is an error
// that names it, and then nothing is added. It panics if lengths differ.
func (m *Moments) Add(b Batch) error {
	b.lengths(m.config.Source)
	if m.config.Replicates > 0 { // they take much longer than a look ahead
		if err := b.check(m.config.Source); err != nil {
			return err
		}
		return b.chunks(m.addChunk)
	}
	orders := len(m.config.Orders)
	copy(m.before, m.largest)
	copy(m.before[orders:], m.sum)
	if b.chunks(m.addChunk) != nil {
		copy(m.largest, m.before)
		copy(m.sum, m.before[orders:])
		return b.check(m.config.Source) // of the whole, for the index
	}
	m.boot.samples += uint64(len(b.Prompt))
	return nil
}

func (m *Moments) addChunk(b Batch) error {
	l := m.ratio[:len(b.Prompt)]
	if m.config.Replicates == 0 && m.config.Source != FromMixture {
		// That the largest exponents are known already is likely.
		sums, lo, hi, finite := elem.SubPowers(l, b.LogP, b.LogRef, m.factor(0), m.largest[0])
		if finite {
			m.addPowers(sums, l, lo, hi)
			return nil
		}
	}
	lo, hi, finite := elem.Sub(l, b.LogP, b.LogRef)
	finite = finite && m.config.Source != FromMixture
	if err := b.check(m.config.Source); err != nil {
		return err
	}
	for k, alpha := range m.config.Orders {
		e := m.scratch[k*chunk:][:len(l)]
		if finite {
			m.finite(k, e, l, lo, hi)
			continue
		}
		for i := range e {
			e[i] = m.exponent(b, i, alpha)
		}
		m.raise(k, floats.Max(e))
		scale(e, m.largest[k])
	}
	if m.config.Replicates == 0 {
		for k := range m.config.Orders {
			m.sum[k] += elem.Sum(m.scratch[k*chunk:][:len(l)])
		}
		return nil
	}
	b.runs(func(lo, hi int) {
		weights := m.boot.take(b.Prompt[lo], hi-lo)
		for k := range m.config.Orders {
			s := elem.Sum(m.scratch[k*chunk:][lo:hi])
			m.sum[k] += s
			floats.AddScaled(m.replicates(k), s, weights)
		}
	})
	return nil
}

// addPowers adds the terms of finite log-ratios in [lo, hi], given those of the first order for the exponent that is its
// largest so far. An order that doubles the one before takes its powers.
func (m *Moments) addPowers(sums elem.PowerSums, l []float64, lo, hi float64) {
	before := m.largest[0]
	for k := range m.config.Orders {
		m.raiseTo(k, lo, hi)
	}
	for k := 0; k < len(m.config.Orders); {
		if m.coarse(k) {
			e := m.scratch[k*chunk:][:len(l)]
			m.finite(k, e, l, lo, hi)
			m.sum[k] += elem.Sum(e)
			k++
			continue
		}
		if k > 0 || m.largest[0] != before {
			sums = elem.Powers(l, m.factor(k), m.largest[k])
		}
		for j, s := range sums {
			if j > 0 && (k == len(m.config.Orders) || !m.doubles(k)) {
				break
			}
			m.sum[k] += s
			k++
		}
	}
}

// finite stores e^{c·ℓ − largest} of order k for log-ratios in [lo, hi], where c is the order's factor
// of ℓ.
func (m *Moments) finite(k int, e, l []float64, lo, hi float64) {
	m.raiseTo(k, lo, hi)
	switch c := m.factor(k); {
	case m.coarse(k):
		for i, v := range l {
			e[i] = c * v
		}
		scale(e, m.largest[k])
	case m.doubles(k):
		for i, v := range m.scratch[(k-1)*chunk:][:len(l)] {
			e[i] = v * v
		}
	default:
		elem.Exp(e, l, c, m.largest[k])
	}
}

// coarse reports whether exponents of order k are rounded as they are multiplied. Neighbours of the largest are then
// more than 1 apart, and a product that is not rounded, less one that is, may be anything.
func (m *Moments) coarse(k int) bool { return math.Abs(m.largest[k]) > 1<<53 }

// raiseTo rescales the sums of an order to the largest exponent of log-ratios in [lo, hi].
func (m *Moments) raiseTo(k int, lo, hi float64) {
	c := m.factor(k)
	m.raise(k, max(c*lo, c*hi)+0) // never −0, so that equal exponents have equal bits
}

// doubles reports whether the terms of order k are the squares of those of the order before.
func (m *Moments) doubles(k int) bool {
	return k > 0 && m.factor(k) == 2*m.factor(k-1) && m.largest[k] == 2*m.largest[k-1]
}

// factor is what ℓ is multiplied by in the exponent of order k.
func (m *Moments) factor(k int) float64 {
	if m.config.Source == FromPolicy {
		return m.config.Orders[k] - 1
	}
	return m.config.Orders[k]
}

// scale replaces exponents x by exp(x − largest); of infinite ones, 1 and 0.
func scale(x []float64, largest float64) {
	switch {
	case math.IsInf(largest, -1): // nothing but zeros
		clear(x)
	case math.IsInf(largest, 1):
		for i, v := range x {
			x[i] = 0
			if v == largest {
				x[i] = 1
			}
		}
	default:
		elem.Exp(x, x, 1, largest)
	}
}

// exponent is the logarithm of what a sample adds to order α: π^α·π_ref^{1−α}/from.
func (m *Moments) exponent(b Batch, i int, alpha float64) float64 {
	switch lp, lr := b.LogP[i], b.LogRef[i]; {
	case math.IsInf(lp, -1):
		return lp // 0⁰ = 0, too
	case math.IsInf(lr, -1):
		if alpha < 1 {
			return lr
		}
		return logRatio(0, lr)
	case m.config.Source == FromPolicy:
		return (alpha-1)*(lp-lr) + 0
	case m.config.Source == FromRef:
		return alpha*(lp-lr) + 0
	default:
		return alpha*(lp-lr) + lr - b.LogFrom[i]
	}
}

func (m *Moments) replicates(k int) []float64 {
	return m.sums[k*m.config.Replicates : (k+1)*m.config.Replicates]
}

// raise rescales the sums of an order to a larger exponent.
func (m *Moments) raise(k int, top float64) {
	if top <= m.largest[k] {
		return
	}
	f := math.Exp(m.largest[k] - top)
	m.largest[k] = top
	m.sum[k] *= f
	for r, v := range m.replicates(k) {
		m.replicates(k)[r] = v * f
	}
}
