package rloo

import (
	"fmt"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// SequenceSum stores the weights of the full gradient of E_π[Σ_t f_t] for a quantity f_t of
// the next-token distribution after y_<t that the backend computes and differentiates
// exactly: KL(π(·|y_<t)‖π_ref(·|y_<t)), whose sum is KL(π‖π_ref) of sequences, and the entropy,
// whose sum is the entropy of sequences. Σ_t f_t along samples is their Rao–Blackwellised
// value, of less variance than k1 or −log π. Its derivative alone drops that the prefixes
// depend on π, too:
//
//	∇ E_π[Σ_t f_t] = E_π[Σ_t ∇f_t + Σ_t f_t·∇ log π(y_<t)]
//	               = E_π[Σ_t ∇f_t + Σ_t (Σ_{u>t} f_u − b_t)·∇ log π(y_t)]
//
// dstF gets the weights of f_t (policy.TokenStats.KL or .Entropy), 1 at tokens that count,
// and dstLogProb those of log π(y_t): a reverse cumulative sum, less the mean over the other
// replies of the prompt at the same place. Divide by the number of replies. A group of one
// has no baseline. dstLogProb may be f, dstF not.
//
// f that is not finite is an error that names its index, as are dependent groups. It panics
// on different lengths.
func SequenceSum(dstLogProb, dstF, f []float64, l Layout, g Groups) error {
	if len(dstF) != len(dstLogProb) || len(f) != len(dstLogProb) {
		panic(badLength)
	}
	err := l.fill(dstLogProb, func(p int) (float64, error) {
		if !isFinite(f[p]) {
			return 0, fmt.Errorf("rloo: f[%d] = %v, must be finite", p, f[p])
		}
		return f[p], nil
	})
	if err != nil {
		return err
	}
	l.after(dstLogProb)
	if err := l.leaveOneOut(dstLogProb, g); err != nil {
		return err
	}
	return l.fill(dstF, func(int) (float64, error) { return 1, nil })
}

// Entropy stores in dst the weights that estimate the gradient of the entropy of sequences
// from log π alone,
//
//	∇ H(π) = −E_π[Σ_t (Σ_{u≥t} log π(y_u) − b_t)·∇ log π(y_t)]
//
// with the baseline of [ReverseKL], whose errors and panics it has. Where the backend has
// exact entropies, [SequenceSum] has less variance.
func Entropy(dst, logp []float64, l Layout, g Groups) error {
	if len(logp) != len(dst) {
		panic(badLength)
	}
	err := l.fill(dst, func(p int) (float64, error) {
		if !isFinite(logp[p]) {
			return 0, fmt.Errorf("rloo: logp[%d] = %v, must be finite", p, logp[p])
		}
		return -logp[p], nil
	})
	if err != nil {
		return err
	}
	return l.toGo(dst, g)
}

// toGo replaces v_t by Σ_{u≥t} v_u less its baseline.
func (l Layout) toGo(v []float64, g Groups) error {
	if err := (RewardToGo{Gamma: 1}).Eval(v, v, l); err != nil {
		return err
	}
	return l.leaveOneOut(v, g)
}

// after replaces v_t by Σ_{u>t} v_u.
func (l Layout) after(v []float64) {
	for i := range l.check(len(v)) {
		lo, hi := l.reply(i)
		sum := 0.0
		for p := hi - 1; p >= lo; p-- {
			v[p], sum = sum, sum+v[p]
		}
	}
}

// leaveOneOut subtracts from each element that counts the mean over the other replies of its
// group at the same place, counted in elements that count; replies that have ended count
// there as 0. The place of a token does not depend on the token, and so neither does its
// baseline. Masked elements become 0. A group of one is left as it is.
func (l Layout) leaveOneOut(v []float64, g Groups) error {
	n := l.check(len(v))
	g.check(n)
	if g.Dependent {
		return ErrDependent
	}
	l.compact(v)
	work := pool.Get().(*scratch)
	defer pool.Put(work)
	for i := range g.Len(n) {
		first, end := g.Group(i)
		switch k := end - first; {
		case k < 2:
		case l.Begin == nil:
			elem.Deviations(v[first:end], v[first:end], k, float64(k)/float64(k-1))
		default:
			l.deviations(v, first, end, work)
		}
	}
	l.expand(v)
	if _, _, finite := elem.Extent(v); finite {
		return nil
	}
	return fmt.Errorf("rloo: the weight at position %d overflows", slices.IndexFunc(v, func(x float64) bool { return !isFinite(x) }))
}

// deviations is leaveOneOut for the replies first … end−1, two at least.
func (l Layout) deviations(v []float64, first, end int, work *scratch) {
	longest := 0
	for s := first; s < end; s++ {
		lo, hi := l.reply(s)
		longest = max(longest, hi-lo)
	}
	// Differences to one reply, added up as in the function deviations: equal ones give exactly 0.
	work.value = append(work.value[:0], make([]float64, 5*longest)...)
	base := work.value[:longest]
	var sums [4][]float64
	for lane := range sums {
		sums[lane] = work.value[(lane+1)*longest:][:longest]
	}
	lo, hi := l.reply(first)
	copy(base, v[lo:hi])
	k := end - first
	whole := k &^ 3
	if k < 8 {
		whole = 0
	}
	for j := range k {
		lane := j % 4
		if j >= whole {
			lane = 0
		}
		lo, hi := l.reply(first + j)
		sum, base := sums[lane], base[:len(sums[lane])]
		for t, x := range v[lo:hi] {
			sum[t] += x - base[t]
		}
		for t := hi - lo; t < longest; t++ {
			sum[t] -= base[t]
		}
	}
	m, mean := float64(k), sums[0]
	for t := range mean {
		mean[t] = ((mean[t] + sums[2][t]) + (sums[1][t] + sums[3][t])) / m
	}
	for s := first; s < end; s++ {
		lo, hi := l.reply(s)
		for t, x := range v[lo:hi] {
			v[lo+t] = (x - base[t] - mean[t]) * (m / (m - 1))
		}
	}
}

// compact moves the elements of each reply that count to its front, and fills up with 0.
func (l Layout) compact(v []float64) {
	if l.Mask == nil {
		return
	}
	for i := range l.check(len(v)) {
		lo, hi := l.reply(i)
		at := lo
		for p := lo; p < hi; p++ {
			if l.Mask[p] {
				v[at] = v[p]
				at++
			}
		}
		clear(v[at:hi])
	}
}

// expand moves them back.
func (l Layout) expand(v []float64) {
	if l.Mask == nil {
		return
	}
	for i := range l.check(len(v)) {
		lo, hi := l.reply(i)
		at := lo
		for _, counts := range l.Mask[lo:hi] {
			if counts {
				at++
			}
		}
		for p := hi - 1; p >= lo; p-- {
			if !l.Mask[p] {
				v[p] = 0
				continue
			}
			at--
			v[p] = v[at]
		}
	}
}
