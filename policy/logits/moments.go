package logits

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// block is the number of logits that are worked on at a time: small enough for the
// first-level cache, large enough that the loops over a block cost nothing beside it.
const block = 256

// shifted is a row with the numbers that normalise it: log p_v = (z_v − max)/T − logZ.
type shifted struct {
	z    []float32
	max  float64 // of z
	inv  float64 // 1/T
	logZ float64 // log Σ exp((z_v − max)/T) ≥ 0
}

// logp returns log p_v.
func (s shifted) logp(v int) float64 { return (float64(s.z[v])-s.max)*s.inv - s.logZ }

// exp stores (z_v − max)/T in d and its exponential in e, for the first logits of z,
// and returns how many these are.
func (s shifted) exp(d, e *[block]float64, z []float32) int {
	z = z[:min(len(z), block)]
	for i, x := range z {
		d[i] = (float64(x) - s.max) * s.inv
	}
	num.ExpNonPositive(e[:len(z)], d[:len(z)])
	return len(z)
}

// moments are the quantities of one row, all but LogProb.
type moments struct {
	p, q           shifted
	entropy, sumSq float64
	kl, reverse    float64
}

// forwardRow computes what dst and w need of row i, and stores what dst wants.
func (b Batch) forwardRow(i int, dst, w Stats, inv float64) (m moments, err error) {
	if dst.LogProb != nil || w.LogProb != nil {
		if err := b.checkLabel(i); err != nil {
			return m, err
		}
	}
	if m.p, err = shift(b.Logits.Row(i), inv); err != nil {
		return m, &RowError{i, err}
	}
	switch {
	case dst.pair() || w.pair():
		if m.q, err = shift(b.Ref.Row(i), inv); err != nil {
			return m, &RowError{i, fmt.Errorf("reference: %w", err)}
		}
		m.two()
	case dst.Entropy != nil || w.Entropy != nil || dst.SumSq != nil || w.SumSq != nil:
		m.one()
	default:
		m.none()
	}
	var logp float64
	if dst.LogProb != nil {
		logp = m.p.logp(int(b.Labels[i]))
	}
	dst.store(i, m, logp)
	return m, nil
}

// checkLabel returns an error if the label of row i is outside the vocabulary.
func (b Batch) checkLabel(i int) error {
	if y := b.Labels[i]; y < 0 || int(y) >= b.Logits.Vocab {
		return &RowError{i, fmt.Errorf("label is %d, outside the vocabulary of %d", y, b.Logits.Vocab)}
	}
	return nil
}

// store stores the wanted quantities of row i.
func (s Stats) store(i int, m moments, logp float64) {
	if s.LogProb != nil {
		s.LogProb[i] = logp
	}
	if s.Entropy != nil {
		s.Entropy[i] = m.entropy
	}
	if s.SumSq != nil {
		s.SumSq[i] = m.sumSq
	}
	if s.KL != nil {
		s.KL[i] = m.kl
	}
	if s.ReverseKL != nil {
		s.ReverseKL[i] = m.reverse
	}
	if s.LogZ != nil {
		s.LogZ[i] = m.p.max*m.p.inv + m.p.logZ
	}
}

// shift finds the maximum, and the logits that make a distribution impossible.
func shift(z []float32, inv float64) (shifted, error) {
	top := float32(math.Inf(-1))
	for v, x := range z {
		if x > top {
			top = x
		} else if x != x {
			return shifted{}, fmt.Errorf("logit %d is NaN", v)
		}
	}
	s := shifted{z: z, max: float64(top), inv: inv}
	if math.IsInf(s.max, 1) {
		for v, x := range z {
			if x == top {
				return s, fmt.Errorf("logit %d is +Inf", v)
			}
		}
	}
	if math.IsInf(s.max, -1) {
		return s, fmt.Errorf("all %d logits are -Inf", len(z))
	}
	return s, nil
}

// none computes the normaliser of p alone.
func (m *moments) none() {
	var d, e [block]float64
	sum := 0.0
	for z := m.p.z; len(z) > 0; {
		n := m.p.exp(&d, &e, z)
		for _, x := range e[:n] {
			sum += x
		}
		z = z[n:]
	}
	m.p.logZ = math.Log(sum)
}

// one computes the quantities of p alone.
func (m *moments) one() {
	var d, e [block]float64
	var s, sd, s2 float64 // Σe, Σe·d, Σe²
	for z := m.p.z; len(z) > 0; {
		n := m.p.exp(&d, &e, z)
		for i, x := range e[:n] {
			if x != 0 {
				s += x
				sd += x * d[i]
				s2 += x * x
			}
		}
		z = z[n:]
	}
	m.p.logZ = math.Log(s)
	m.entropy = m.p.logZ - sd/s
	m.sumSq = math.Log(s2) - 2*m.p.logZ
}

// two computes the quantities of p, of q, and of both.
func (m *moments) two() {
	var d, e, dq, eq [block]float64
	var s, sd, s2, sq float64 // Σe, Σe·d, Σe², Σe_q
	var k, r float64          // Σe(d − d_q), Σe_q(d_q − d)
	for z, zq := m.p.z, m.q.z; len(z) > 0; {
		n := m.p.exp(&d, &e, z)
		m.q.exp(&dq, &eq, zq)
		for i, x := range e[:n] {
			y, diff := eq[i], d[i]-dq[i] // NaN if both are −Inf
			if x != 0 {
				s += x
				sd += x * d[i]
				s2 += x * x
				k += x * diff
			} else if diff > math.MaxFloat64 {
				k = diff // possible under p, however unlikely, and impossible under q
			}
			if y != 0 {
				sq += y
				r -= y * diff
			} else if -diff > math.MaxFloat64 {
				r = -diff
			}
		}
		z, zq = z[n:], zq[n:]
	}
	m.p.logZ, m.q.logZ = math.Log(s), math.Log(sq)
	m.entropy = m.p.logZ - sd/s
	m.sumSq = math.Log(s2) - 2*m.p.logZ
	m.kl = k/s - m.p.logZ + m.q.logZ
	m.reverse = r/sq - m.q.logZ + m.p.logZ
}
