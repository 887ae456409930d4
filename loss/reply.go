package loss

import (
	"math"
	"sync"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// ReplyTokens are the tokens of one reply that count, one after the other.
type ReplyTokens struct {
	LogProb   []float64 // log π(y_t|x, y_<t)
	LogRatio  []float64 // log ρ_t: what a [Ratio] makes of log π − log π_old
	Ratio     []float64 // ρ_t, +Inf where that exceeds every number
	Advantage []float64
}

// Clips counts the tokens that a bound changed, with the meaning of [RolloutsTotal].
type Clips struct{ Low, High, Dual int }

// reply is a workspace for one reply. Its slices are those of the batch where no mask is, and
// gathered where one is.
type reply struct {
	ReplyTokens
	old, ref, weight, entropy []float64 // nil where the batch has none
	diff                      []float64 // log π − log π_old of each token
	loss, slope               []float64 // of each token, before aggregation
	toRef, expToRef           []float64 // ℓ = log π − log π_ref and e^{−ℓ}, for KL terms
	entropySlope              float64   // of every token
	first                     int       // number of tokens that count before this reply

	gathered [6][]float64
	scratch  [7][]float64
}

var replies = sync.Pool{New: func() any { return new(reply) }}

// needs says which slices an objective uses.
type needs uint8

const (
	needsAdvantage needs = 1 << iota
	needsRef
	needsEntropy
)

// kernel makes losses and slopes of one reply, which has at least one token. Losses and
// slopes are 0 before it runs, and its weights are its own business.
type kernel interface{ run(r *reply) Clips }

// evalRollouts evaluates an objective reply by reply. err says which of its parameters, by
// among them, is outside its range.
func evalRollouts[K kernel](dst RolloutsOut, b Rollouts, k K, by Aggregation, need needs, err error) (RolloutsTotal, error) {
	b.check()
	dst.check(b)
	if need&needsAdvantage != 0 {
		b.advantaged()
	}
	if n := len(b.LogProb); n > 0 && (need&needsRef != 0 && b.Ref == nil || need&needsEntropy != 0 && b.Entropy == nil) {
		panic("loss: Rollouts without Ref or Entropy, which the objective uses")
	}
	if err != nil {
		return RolloutsTotal{}, err
	}
	if need&needsAdvantage == 0 {
		b.Advantage, b.Weight = nil, nil
	}
	if need&needsRef == 0 {
		b.Ref = nil
	}
	r := replies.Get().(*reply)
	defer replies.Put(r)
	clear(dst.LogProb)
	clear(dst.Entropy)
	t := RolloutsTotal{TokenTotal: TokenTotal{Sequences: b.Len()}}
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		n := b.Count(i)
		t.Masked += hi - lo - n
		if n == 0 {
			t.Empty++
			store(dst.Loss, i, 0)
			continue
		}
		r.first = t.Tokens
		t.Tokens += n
		r.take(b, i, n)
		if err := r.measure(b, i, &t); err != nil {
			return RolloutsTotal{}, err
		}
		clips := k.run(r)
		t.ClippedLow += clips.Low
		t.ClippedHigh += clips.High
		t.DualClipped += clips.Dual
		scale := 1.0
		if by == MeanTokens {
			scale = 1 / float64(n)
		}
		sum := 0.0
		for _, v := range r.loss {
			sum += v
		}
		sum *= scale
		if sum != sum {
			p := b.position(i, 0)
			return RolloutsTotal{}, &InputError{"LogProb", p, b.LogProb[p], "its reply has infinite losses of both signs"}
		}
		t.Sum += sum
		store(dst.Loss, i, sum)
		scatter(dst.LogProb, r.slope, b.Layout, i, scale)
		if dst.Entropy != nil && r.entropySlope != 0 {
			for p := lo; p < hi; p++ {
				if b.Counts(p) {
					dst.Entropy[p] = r.entropySlope * scale
				}
			}
		}
	}
	return t, nil
}

// weigh multiplies losses and slopes by the weights of their tokens.
func (r *reply) weigh() {
	for j, w := range r.weight {
		r.loss[j], r.slope[j] = product(w, r.loss[j]), product(w, r.slope[j])
	}
}

// position returns where the j-th token of reply i that counts lies in the flat slices.
func (l Layout) position(i, j int) int {
	lo, hi := l.Reply(i)
	for p := lo; p < hi; p++ {
		if l.Counts(p) {
			if j == 0 {
				return p
			}
			j--
		}
	}
	panic("loss: no such token")
}

// take makes r that of the n tokens of reply i.
func (r *reply) take(b Rollouts, i, n int) {
	for k := range r.scratch {
		r.scratch[k] = resize(r.scratch[k], n)
	}
	r.diff, r.loss, r.slope = r.scratch[0], r.scratch[1], r.scratch[2]
	r.LogRatio, r.Ratio = r.scratch[3], r.scratch[4]
	r.toRef, r.expToRef = r.scratch[5], r.scratch[6]
	clear(r.loss)
	clear(r.slope)
	r.entropySlope = 0
	r.LogProb = r.pick(0, b.LogProb, b.Layout, i, n)
	r.Advantage = r.pick(1, b.Advantage, b.Layout, i, n)
	r.ref = r.pick(2, b.Ref, b.Layout, i, n)
	r.weight = r.pick(3, b.Weight, b.Layout, i, n)
	r.entropy = r.pick(4, b.Entropy, b.Layout, i, n)
	r.old = r.pick(5, b.Old, b.Layout, i, n)
	if r.old == nil {
		clear(r.diff)
		return
	}
	for j, lp := range r.LogProb {
		r.diff[j] = lp - r.old[j]
	}
}

// pick returns those n elements of v that count in reply i; nil stays nil.
func (r *reply) pick(k int, v []float64, l Layout, i, n int) []float64 {
	if v == nil {
		return nil
	}
	lo, hi := l.Reply(i)
	if hi-lo == n {
		return v[lo:hi]
	}
	dst := resize(r.gathered[k], n)[:0]
	for p := lo; p < hi; p++ {
		if l.Mask[p] {
			dst = append(dst, v[p])
		}
	}
	r.gathered[k] = dst
	return dst
}

// scatter stores scale times the elements of v at the tokens of reply i that count.
func scatter(dst, v []float64, l Layout, i int, scale float64) {
	if dst == nil {
		return
	}
	lo, hi := l.Reply(i)
	if hi-lo == len(v) {
		for j, x := range v {
			dst[lo+j] = x * scale
		}
		return
	}
	j := 0
	for p := lo; p < hi; p++ {
		if l.Mask[p] {
			dst[p] = v[j] * scale
			j++
		}
	}
}

// measure checks the numbers of a reply and adds up what every objective reports. It leaves
// the ratio of each token in r.Ratio.
func (r *reply) measure(b Rollouts, i int, t *RolloutsTotal) error {
	k1, k3 := 0.0, 0.0
	if r.old == nil {
		for j, lp := range r.LogProb {
			if !(lp <= math.MaxFloat64) {
				return &InputError{"LogProb", b.position(i, j), lp, notLogProb}
			}
			r.Ratio[j] = 1
		}
	} else {
		regular := true
		for j, d := range r.diff {
			if math.Abs(d) <= elem.Far {
				continue
			}
			regular = false
			// A finite difference tells that both are right, and −Inf that π may be 0.
			if !isFinite(d) {
				if err := r.fault(b, i, j); err != nil {
					return err
				}
			}
		}
		exps(r.Ratio, r.diff, 1, regular)
		for j, d := range r.diff {
			k1 -= d
			k3 += excess(d, r.Ratio[j])
		}
	}
	for j, a := range r.Advantage {
		if !isFinite(a) {
			return &InputError{"Advantage", b.position(i, j), a, notFinite}
		}
		if a != 0 {
			t.Signals++
		}
	}
	for j, w := range r.weight {
		if !(w >= 0 && w <= math.MaxFloat64) {
			return &InputError{"Weight", b.position(i, j), w, "not finite, or negative"}
		}
	}
	h := 0.0
	for j, e := range r.entropy {
		if !isFinite(e) {
			return &InputError{"Entropy", b.position(i, j), e, notFinite}
		}
		h += e
	}
	for j, ref := range r.ref {
		if !(ref <= math.MaxFloat64) {
			return &InputError{"Ref", b.position(i, j), ref, notLogProb}
		}
		if math.IsInf(ref, -1) && math.IsInf(r.LogProb[j], -1) {
			return &InputError{"Ref", b.position(i, j), ref, "LogProb is −Inf, too, and their ratio has no limit"}
		}
	}
	t.K1 += k1
	t.K3 += k3
	t.Entropy += h
	return nil
}

// fault says what is wrong with LogProb and Old of a token, if that is not only that π is 0.
func (r *reply) fault(b Rollouts, i, j int) error {
	p := b.position(i, j)
	switch lp := b.LogProb[p]; {
	case !(lp <= math.MaxFloat64):
		return &InputError{"LogProb", p, lp, notLogProb}
	case !isFinite(b.Old[p]):
		return &InputError{"Old", p, b.Old[p], "not finite, so the token cannot have been drawn"}
	case isFinite(lp):
		return &InputError{"Old", p, b.Old[p], "its difference to LogProb exceeds every number"}
	}
	return nil
}

// exps stores e^{a·x} in dst, for a = ±1; regular says that no |x| exceeds elem.Far.
func exps(dst, x []float64, a float64, regular bool) {
	elem.Exp(dst, x, a, 0)
	if regular {
		return
	}
	for j, v := range x {
		if !(math.Abs(v) <= elem.Far) {
			dst[j] = math.Exp(a * v)
		}
	}
}

// near is up to which |z| the terms of e^z − 1 − z are said to cancel.
const near = 0.25

// excess is e^z − 1 − z ≥ 0, given e = e^z.
func excess(z, e float64) float64 {
	if math.Abs(z) < near {
		return z * z * series(z)
	}
	if e > math.MaxFloat64 {
		return e
	}
	return e - 1 - z
}

// series is (e^z − 1 − z)/z² for |z| < near.
func series(z float64) float64 {
	z2 := z * z
	z4 := z2 * z2
	low := 1.0/2 + z*(1.0/6) + z2*(1.0/24+z*(1.0/120))
	mid := 1.0/720 + z*(1.0/5040) + z2*(1.0/40320+z*(1.0/362880))
	high := 1.0/3628800 + z*(1.0/39916800) + z2*(1.0/479001600)
	return low + z4*(mid+z4*high)
}
