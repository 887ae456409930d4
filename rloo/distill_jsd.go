package rloo

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// JSD is the generalised Jensen–Shannon divergence of distillation between a teacher's
// next-token distribution T and the student's S, from two rows of logits (Agarwal et al. 2024,
// arXiv:2306.13649, equation 1),
//
//	JSD_β = β·KL(T‖M) + (1 − β)·KL(S‖M),    M = β·T + (1 − β)·S,    0 < β < 1
//
// with the forward KL, KL(T‖S), at β = 0 and the reverse KL, KL(S‖T), at β = 1 (they are the
// limits of JSD_β/β and JSD_β/(1 − β); JSD_β itself goes to 0). The derivatives with respect
// to the student's logits z, S = softmax(z/τ), are
//
//	(1 − β)·S_v·(log(S_v/M_v) − KL(S‖M))/τ,    (S_v − T_v)/τ at β = 0,    S_v·(log(S_v/T_v) − KL(S‖T))/τ at β = 1
//
// On rows along the student's own samples this leaves out that the prefixes depend on the
// student. There is no factor τ². It is safe for concurrent use.
type JSD struct {
	Beta        float64 // β, the weight of the teacher in M, in [0, 1], no KL coefficient; the zero value is the forward KL
	Temperature float64 // τ of both, positive; 0 means 1
}

// Eval stores the divergence of each row in value, in nats, and its derivatives with respect
// to the student's logits, times w, in grad. student, teacher and grad hold len(value) rows
// of vocab logits; w has the rows' weights, and nil means 1. A row of weight 0 is padding: it
// is not read, and gets zeros. grad may be nil, or student or teacher.
//
// −Inf is a logit of probability 0. A reverse KL is +Inf where the teacher excludes what the
// student does not, and a forward KL the other way round; a derivative that is infinite is
// then an error, as are a logit that is NaN or +Inf, a row of −Inf alone, a weight that is not
// finite and fields out of range. Divergences with 0 < β < 1 are at most log 2. Eval panics
// on different lengths, or if vocab < 1.
func (j JSD) Eval(value []float64, grad, student, teacher []float32, w []float64, vocab int) error {
	n := len(value)
	if vocab < 1 || len(student) != n*vocab || len(teacher) != n*vocab || grad != nil && len(grad) != n*vocab || w != nil && len(w) != n {
		panic(badLength)
	}
	tau := j.Temperature
	if tau == 0 {
		tau = 1
	}
	if !(j.Beta >= 0 && j.Beta <= 1) {
		return fmt.Errorf("rloo: JSD.Beta = %v, must be in [0, 1]", j.Beta)
	}
	if !(tau > 0) || !isFinite(tau) {
		return fmt.Errorf("rloo: JSD.Temperature = %v, must be positive and finite, or 0 for 1", j.Temperature)
	}
	for i := range n {
		weight := 1.0
		if w != nil {
			weight = w[i]
		}
		if !isFinite(weight) {
			return fmt.Errorf("rloo: w[%d] = %v, must be finite", i, weight)
		}
		row := jsdRow{beta: j.Beta, logBeta: math.Log(j.Beta), logRest: math.Log1p(-j.Beta)}
		lo, hi := i*vocab, (i+1)*vocab
		if weight == 0 {
			value[i] = 0
			if grad != nil {
				clear(grad[lo:hi])
			}
			continue
		}
		var err error
		if row.s, err = newLogits("student", i, student[lo:hi], tau); err != nil {
			return err
		}
		if row.t, err = newLogits("teacher", i, teacher[lo:hi], tau); err != nil {
			return err
		}
		var mean float64
		value[i], mean = row.sum()
		if grad == nil {
			continue
		}
		if err := row.gradient(grad[lo:hi], mean, weight/tau); err != nil {
			return fmt.Errorf("rloo: row %d: %w", i, err)
		}
	}
	return nil
}

// logits is a row that knows its normaliser.
type logits struct {
	z              []float32
	top, inv, logZ float64 // log p_v = (z_v − top)·inv − logZ
}

func newLogits(who string, row int, z []float32, tau float64) (logits, error) {
	top := math.Inf(-1)
	for v, x := range z {
		if x != x || x > math.MaxFloat32 {
			return logits{}, fmt.Errorf("rloo: row %d of the %s: logit %d is %v", row, who, v, x)
		}
		top = max(top, float64(x))
	}
	if math.IsInf(top, -1) {
		return logits{}, fmt.Errorf("rloo: row %d of the %s: all %d logits are -Inf", row, who, len(z))
	}
	l, sum := logits{z: z, top: top, inv: 1 / tau}, 0.0
	var room [chunk]float64
	for lo := 0; lo < len(z); lo += chunk {
		p := room[:min(chunk, len(z)-lo)]
		l.logProbs(p, lo)
		elem.Exp(p, p, 1, 0)
		sum += elem.Sum(p)
	}
	l.logZ = math.Log(sum)
	return l, nil
}

// logProbs stores log p of the entries from lo on.
func (l logits) logProbs(dst []float64, lo int) {
	for j, x := range l.z[lo : lo+len(dst)] {
		dst[j] = (float64(x)-l.top)*l.inv - l.logZ
	}
}

// jsdRow is one row of a divergence.
type jsdRow struct {
	s, t                   logits
	beta, logBeta, logRest float64 // β, log β, log(1 − β)
}

// jsdChunk is a part of both distributions: log S_v, log T_v, S_v, T_v.
type jsdChunk struct{ ls, lt, s, t [chunk]float64 }

// at fills c with entries from lo on and returns their number.
func (c *jsdChunk) at(r jsdRow, lo int) int {
	n := min(chunk, len(r.s.z)-lo)
	r.s.logProbs(c.ls[:n], lo)
	r.t.logProbs(c.lt[:n], lo)
	elem.Exp(c.s[:n], c.ls[:n], 1, 0)
	elem.Exp(c.t[:n], c.lt[:n], 1, 0)
	return n
}

// sum returns the divergence, and the mean under S of what [jsdRow.slope] gives.
func (r jsdRow) sum() (value, mean float64) {
	var kt, ks float64 // Σ of KL(T‖·) and KL(S‖·), every term ≥ 0
	var c jsdChunk
	for lo := 0; lo < len(r.s.z); lo += chunk {
		for j := range c.at(r, lo) {
			ls, lt, s, t := c.ls[j], c.lt[j], c.s[j], c.t[j]
			if math.IsInf(ls, -1) && math.IsInf(lt, -1) {
				continue
			}
			switch {
			case r.beta == 0:
				kt += klTerm(t, s, lt-ls)
			case r.beta == 1:
				ks += klTerm(s, t, ls-lt)
			default:
				d := lt - ls
				if math.Abs(d) < 1 { // two logarithms would cancel where S and T are close
					x := r.logMix(d)
					kt += t * num.Excess(x-d)
					ks += s * num.Excess(x)
					break
				}
				m, lm := r.mix(ls, lt, s, t)
				kt += klTerm(t, m, lt-lm)
				ks += klTerm(s, m, ls-lm)
			}
		}
	}
	switch r.beta {
	case 0:
		return kt, 0
	case 1:
		return ks, ks
	}
	return r.beta*kt + (1-r.beta)*ks, ks
}

// klTerm is p·l − p + q, l = log(p/q).
func klTerm(p, q, l float64) float64 {
	switch {
	case p == 0 && !math.IsInf(l, 1):
		return q
	case math.Abs(l) < 1:
		return p * num.Excess(-l)
	case math.IsInf(l, 1):
		return l
	}
	return p*l + (q - p)
}

// logMix is log(M_v/S_v) = log((1 − β) + β·e^d), d = log(T_v/S_v).
func (r jsdRow) logMix(d float64) float64 { return math.Log1p(r.beta * math.Expm1(d)) }

// mix is M_v and its logarithm.
func (r jsdRow) mix(ls, lt, s, t float64) (m, logM float64) {
	m = r.beta*t + (1-r.beta)*s
	if m > 0x1p-900 {
		return m, math.Log(m)
	}
	return m, num.LogAddExp(r.logBeta+lt, r.logRest+ls)
}

// slope is log(S_v/M_v), or log(S_v/T_v) at β = 1.
func (r jsdRow) slope(ls, lt, s, t float64) float64 {
	switch d := lt - ls; {
	case r.beta == 1:
		return -d
	case math.Abs(d) < 1:
		return -r.logMix(d)
	}
	_, lm := r.mix(ls, lt, s, t)
	return ls - lm
}

// gradient stores the derivatives times scale in dst, which may be a row of logits.
func (r jsdRow) gradient(dst []float32, mean, scale float64) error {
	var c jsdChunk
	for lo := 0; lo < len(dst); lo += chunk {
		for j := range c.at(r, lo) {
			ls, lt, s, t := c.ls[j], c.lt[j], c.s[j], c.t[j]
			var g float64
			switch {
			case r.beta == 0:
				if g = s - t; math.Abs(lt-ls) < 0.1 {
					g = -s * math.Expm1(lt-ls)
				}
			case s > 0:
				g = s * (r.slope(ls, lt, s, t) - mean)
				if r.beta < 1 {
					g *= 1 - r.beta
				}
			}
			if g *= scale; !(math.Abs(g) <= math.MaxFloat32) {
				return fmt.Errorf("derivative %d is %v", lo+j, g)
			}
			dst[lo+j] = float32(g)
		}
	}
	return nil
}
