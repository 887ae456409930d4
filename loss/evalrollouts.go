package loss

import (
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
)

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
	infinite := 0 // a reply whose loss is, if there is one
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
		sum := elem.Sum(r.loss) * scale
		if sum != sum {
			p := b.position(i, 0)
			return RolloutsTotal{}, &InputError{"LogProb", p, b.LogProb[p], "its reply has infinite losses of both signs"}
		}
		if j := undefined(r.slope); j >= 0 {
			p := b.position(i, j)
			return RolloutsTotal{}, &InputError{"LogProb", p, b.LogProb[p], noSlope}
		}
		if math.IsInf(sum, 0) {
			infinite = i
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
	if t.Sum != t.Sum {
		p := b.position(infinite, 0)
		return RolloutsTotal{}, &InputError{"LogProb", p, b.LogProb[p], "its reply and another have infinite losses of opposite signs"}
	}
	return t, nil
}

const noSlope = "its derivative is a sum of infinities of both signs"

// undefined returns the index of the first NaN of v, or −1.
func undefined(v []float64) int {
	if s := elem.Sum(v); s == s { // infinities of both signs, too, make a sum NaN, but they are rare
		return -1
	}
	return slices.IndexFunc(v, func(x float64) bool { return x != x })
}
