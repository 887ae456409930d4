package logits

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/vec"
)

// shifted is a row with the numbers that normalise it: log p_v = (z_v − Ref)·Inv − logZ.
type shifted struct {
	z    []float32
	at   vec.Point
	logZ float64 // log Σ exp((z_v − Ref)·Inv)
	wide bool    // the row is none for vector kernels; Ref is its maximum
}

// exponent returns (z_v − Ref)·Inv.
func (s *shifted) exponent(v int) float64 { return s.at.Exponent(float64(s.z[v])) }

// logp returns log p_v.
func (s *shifted) logp(v int) float64 { return s.exponent(v) - s.logZ }

// full returns log Σ exp(z_v/T).
func (s *shifted) full() float64 { return s.at.Ref*s.at.Inv + s.logZ }

// sum normalises the row z and returns its sums, those of the moments if wanted.
func (s *shifted) sum(z []float32, inv float64, moments bool) (sums vec.Sums, err error) {
	s.z = z
	var ok bool
	if s.at, sums, ok = vec.Row(z, inv, moments); !ok {
		top, err := largest(z)
		if err != nil {
			return sums, err
		}
		s.at, s.wide = vec.Point{Ref: top, Inv: inv}, true
		sums = s.plain()
	}
	s.logZ = math.Log(sums.E)
	return sums, nil
}

// plain forms the sums of a row of any range one by one, with d in units of T.
func (s *shifted) plain() (sums vec.Sums) {
	for v := range s.z {
		d := s.exponent(v)
		if e := math.Exp(d); e != 0 {
			sums.E += e
			sums.ED += e * d
			sums.EE += e * e
		}
	}
	sums.ED /= s.at.Inv
	return sums
}

// largest returns the largest logit, or which logit makes a distribution impossible.
func largest(z []float32) (float64, error) {
	top := float32(math.Inf(-1))
	for v, x := range z {
		if x > top {
			top = x
		} else if x != x {
			return 0, fmt.Errorf("logit %d is NaN", v)
		}
	}
	if math.IsInf(float64(top), 1) {
		for v, x := range z {
			if x == top {
				return 0, fmt.Errorf("logit %d is +Inf", v)
			}
		}
	}
	if math.IsInf(float64(top), -1) {
		return 0, fmt.Errorf("all %d logits are -Inf", len(z))
	}
	return float64(top), nil
}

// moments are the quantities of one row, all but LogProb.
type moments struct {
	p, q           shifted
	close          bool // vector kernels can compare p and q
	entropy, sumSq float64
	kl, reverse    float64
}

// forwardRow computes what dst and w need of row i, and stores what dst wants.
func (b *Batch) forwardRow(i int, dst, w *Stats, inv float64) (m moments, err error) {
	if dst.LogProb != nil || w.LogProb != nil {
		if err := b.checkLabel(i); err != nil {
			return m, err
		}
	}
	if dst.pair() || w.pair() {
		err = m.pair(b.Logits.Row(i), b.Ref.Row(i), inv)
	} else {
		err = m.row(b.Logits.Row(i), inv, dst.moments() || w.moments())
	}
	if err != nil {
		return m, &RowError{i, err}
	}
	var logp float64
	if dst.LogProb != nil {
		logp = m.p.logp(int(b.Labels[i]))
	}
	dst.store(i, &m, logp)
	return m, nil
}

// checkLabel returns an error if the label of row i is outside the vocabulary.
func (b *Batch) checkLabel(i int) error {
	if y := b.Labels[i]; y < 0 || int(y) >= b.Logits.Vocab {
		return &RowError{i, fmt.Errorf("label is %d, outside the vocabulary of %d", y, b.Logits.Vocab)}
	}
	return nil
}

// store stores the wanted quantities of row i.
func (s *Stats) store(i int, m *moments, logp float64) {
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
		s.LogZ[i] = m.p.full()
	}
}

// row computes the quantities of p alone.
func (m *moments) row(z []float32, inv float64, moments bool) error {
	sums, err := m.p.sum(z, inv, moments)
	if moments {
		m.of(&sums)
	}
	return err
}

// of computes the quantities of p from its sums.
func (m *moments) of(sums *vec.Sums) {
	m.entropy = m.p.logZ - m.p.at.Inv*sums.ED/sums.E
	m.sumSq = math.Log(sums.EE) - 2*m.p.logZ
}

// pair computes the quantities of p, of q, and of both.
func (m *moments) pair(z, zq []float32, inv float64) error {
	at, atQ, sums, ok := vec.Pair(z, zq, inv)
	if m.close = ok; ok {
		m.p, m.q = shifted{z: z, at: at, logZ: math.Log(sums.E)}, shifted{z: zq, at: atQ, logZ: math.Log(sums.Q)}
		m.of(&sums)
		m.kl = inv*sums.EDiff/sums.E - m.p.logZ + m.q.logZ
		m.reverse = inv*sums.QDiff/sums.Q - m.q.logZ + m.p.logZ
		return nil
	}
	if err := m.row(z, inv, true); err != nil {
		return err
	}
	if _, err := m.q.sum(zq, inv, false); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	m.plainKL()
	return nil
}

// plainKL computes the divergences of two rows of any range, term by term.
func (m *moments) plainKL() {
	var kl, reverse float64
	for v := range m.p.z {
		logp, logq := m.p.logp(v), m.q.logp(v)
		diff := logp - logq // NaN if both are −Inf
		if p := math.Exp(logp); p != 0 {
			kl += p * diff
		} else if diff > math.MaxFloat64 {
			kl = diff // possible under p, however unlikely, and impossible under q
		}
		if q := math.Exp(logq); q != 0 {
			reverse -= q * diff
		} else if -diff > math.MaxFloat64 {
			reverse = -diff
		}
	}
	m.kl, m.reverse = kl, reverse
}
