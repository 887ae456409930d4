package logits

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/vec"
)

// Gradient stores in row i of dz
//
//	∂/∂z (w.LogProb[i]·log p_y + w.Entropy[i]·H + w.SumSq[i]·log Σp² + w.KL[i]·KL(p‖q) + w.ReverseKL[i]·KL(q‖p) + w.LogZ[i]·log Z),
//
// the factor 1/T included; a nil slice of w is a weight of 0. It stores the values of
// the quantities that are wanted in dst on the way, as [Forward] does.
//
// dz has the shape of b.Logits and may be b.Logits itself, which is then overwritten;
// any other overlap gives nonsense. A padded row, and a row whose weights are all 0,
// is set to 0, and is not read unless dst wants its values.
//
// All gradients but that of KL(p‖q) are finite for every
// admissible row: where z_v = −Inf they are the limit. The errors are those of
// Forward, a weight that is not finite, and a nonzero weight on an infinite KL(p‖q),
// which has no gradient.
func Gradient(dz Rows, dst, w Stats, b Batch) error {
	inv, err := b.check(dst, w)
	if err != nil {
		return err
	}
	if dz.N != b.Logits.N || dz.Vocab != b.Logits.Vocab {
		panic("logits: gradient and logits of different shapes")
	}
	dz.check()
	if b.Workers > 1 {
		return b.gradientShared(dz, dst, w, inv)
	}
	for i := range b.Logits.N {
		if err := b.gradient(i, dz.Row(i), &dst, &w, inv); err != nil {
			return err
		}
	}
	return nil
}

// gradient is Gradient for row i.
func (b *Batch) gradient(i int, dz []float32, dst, w *Stats, inv float64) error {
	if b.padded(i) {
		dst.store(i, &moments{}, 0)
		clear(dz)
		return nil
	}
	g, err := w.row(i)
	if err != nil {
		return err
	}
	values := dst.LogProb != nil || dst.moments() || dst.pair() || dst.LogZ != nil
	if g == (weights{}) {
		if values {
			_, err = b.forwardRow(i, dst, &Stats{}, inv)
		}
		clear(dz)
		return err
	}
	if b.LogZ != nil && !values && g.logpOnly() {
		if err := b.checkLabel(i); err != nil {
			return err
		}
		z, y := b.Logits.Row(i), int(b.Labels[i])
		g.scoreRow(dz, z, inv, b.LogZ[i], float64(z[y])*inv-b.LogZ[i], y)
		return nil
	}
	m, err := b.forwardRow(i, dst, w, inv)
	if err != nil {
		return err
	}
	if g[kl] != 0 && math.IsInf(m.kl, 1) {
		return &RowError{i, fmt.Errorf("KL(p‖q) is +Inf and has no gradient, its weight is %v", g[kl])}
	}
	y := -1
	if g[logProb] != 0 {
		y = int(b.Labels[i])
	}
	if g.logpOnly() && !m.p.wide {
		g.scoreRow(dz, m.p.z, inv, m.p.full(), m.p.logp(y), y)
	} else {
		g.mixedRow(dz, &m, y)
	}
	return nil
}

// weights are the weights of one row, in the order of Stats.
type weights [6]float64

const (
	logProb = iota
	entropy
	sumSq
	kl
	reverse
	logZ
)

// row returns the weights of row i.
func (s *Stats) row(i int) (g weights, err error) {
	for f, v := range [...][]float64{s.LogProb, s.Entropy, s.SumSq, s.KL, s.ReverseKL, s.LogZ} {
		if v == nil {
			continue
		}
		if v[i]*0 != 0 {
			name := [...]string{"LogProb", "Entropy", "SumSq", "KL", "ReverseKL", "LogZ"}[f]
			return g, &RowError{i, fmt.Errorf("weight of %s is %v", name, v[i])}
		}
		g[f] = v[i]
	}
	return g, nil
}

func (g weights) logpOnly() bool { return g == weights{g[logProb]} }

// scoreRow is mixedRow for a weight on log p_y = logp alone: w(1{v=y} − p_v)/T.
func (g *weights) scoreRow(dz, z []float32, inv, logZ, logp float64, y int) {
	w := g[logProb]
	vec.Score(dz, z, inv, w, logZ)
	dz[y] = float32(w * inv * -math.Expm1(logp))
}

// mixedRow stores the weighted sum of all derivatives. y is −1 if the weight on log p_y is 0. dz
// may be the row of logits.
func (g *weights) mixedRow(dz []float32, m *moments, y int) {
	mix := g.mix(m)
	if m.p.wide || m.q.z != nil && !m.close || !mix.Regular() {
		for v := range dz {
			dz[v] = float32(g.derivative(m, v, y))
		}
		return
	}
	var label float32
	if y >= 0 {
		label = float32(g.derivative(m, y, y)) // before it is overwritten
	}
	if m.q.z == nil {
		mix.Row(dz, m.p.z, &m.p.at)
	} else {
		mix.Pair(dz, m.p.z, m.q.z, &m.p.at, &m.q.at)
	}
	if y >= 0 {
		dz[y] = label
	}
}

// derivative returns the weighted sum of all derivatives with respect to logit v.
func (g *weights) derivative(m *moments, v, y int) float64 {
	sum := 0.0
	if logp := m.p.logp(v); logp > math.Inf(-1) { // else p is 0, and all but the reference's term
		p := math.Exp(logp)
		sum = -g[logProb] - g[entropy]*(logp+m.entropy) + 2*g[sumSq]*(p*math.Exp(-m.sumSq)-1) + g[reverse] + g[logZ]
		if g[kl] != 0 {
			sum += g[kl] * (logp - m.q.logp(v) - m.kl)
		}
		sum *= p
	}
	if g[reverse] != 0 {
		sum -= g[reverse] * math.Exp(m.q.logp(v))
	}
	if v == y {
		sum += g[logProb]
	}
	return sum * m.p.at.Inv
}

// mix returns the coefficients of derivative, but for what the label adds.
func (g *weights) mix(m *moments) vec.Mix {
	inv := m.p.at.Inv
	norm := inv * math.Exp(-m.p.logZ)
	mix := vec.Mix{
		E:  norm * (-g[logProb] - g[entropy]*(m.entropy-m.p.logZ) - 2*g[sumSq] + g[reverse] + g[logZ]),
		D:  -norm * inv * g[entropy],
		E2: 2 * g[sumSq] * norm * math.Exp(-m.sumSq-m.p.logZ),
	}
	if g[kl] != 0 {
		mix.E += norm * g[kl] * (m.q.logZ - m.p.logZ - m.kl)
		mix.Diff = norm * inv * g[kl]
	}
	if g[reverse] != 0 {
		mix.Q = -inv * g[reverse] * math.Exp(-m.q.logZ)
	}
	return mix
}
