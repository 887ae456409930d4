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
	excess                    []float64 // e^{−ℓ} − 1 + ℓ
	entropySlope              float64   // of every token
	first                     int       // number of tokens that count before this reply

	gathered [6][]float64
	scratch  [8][]float64
}

var replies = sync.Pool{New: func() any { return new(reply) }}

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
	r.toRef, r.expToRef, r.excess = r.scratch[5], r.scratch[6], r.scratch[7]
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
	elem.Differences(r.diff, r.LogProb, r.old)
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
		elem.Affine(dst[lo:hi], v, scale, 0)
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
		if j := notLogProbAt(r.LogProb); j >= 0 {
			return &InputError{"LogProb", b.position(i, j), r.LogProb[j], notLogProb}
		}
		fill(r.Ratio, 1)
	} else {
		if _, _, ok := elem.Extent(r.diff); !ok {
			// A finite difference tells that both are right, and −Inf that π may be 0.
			for j, d := range r.diff {
				if !isFinite(d) {
					if err := r.fault(b, i, j); err != nil {
						return err
					}
				}
			}
		}
		exps(r.Ratio, r.diff, 1)
		elem.Excess(r.excess, r.diff, r.Ratio)
		k1, k3 = -elem.Sum(r.diff), elem.Sum(r.excess)
	}
	if j := notFiniteAt(r.Advantage); j >= 0 {
		return &InputError{"Advantage", b.position(i, j), r.Advantage[j], notFinite}
	}
	t.Signals += len(r.Advantage) - elem.Tally(r.Advantage, r.Advantage, r.Advantage).Ties
	if j := badWeightAt(r.weight); j >= 0 {
		return &InputError{"Weight", b.position(i, j), r.weight[j], badWeight}
	}
	if j := notFiniteAt(r.entropy); j >= 0 {
		return &InputError{"Entropy", b.position(i, j), r.entropy[j], notFinite}
	}
	if _, _, ok := elem.Extent(r.ref); !ok {
		for j, ref := range r.ref {
			if !(ref <= math.MaxFloat64) {
				return &InputError{"Ref", b.position(i, j), ref, notLogProb}
			}
			if math.IsInf(ref, -1) && math.IsInf(r.LogProb[j], -1) {
				return &InputError{"Ref", b.position(i, j), ref, "LogProb is −Inf, too, and their ratio has no limit"}
			}
		}
	}
	t.K1 += k1
	t.K3 += k3
	t.Entropy += elem.Sum(r.entropy)
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
