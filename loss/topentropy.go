package loss

import (
	"math"
	"sync"
)

// TopEntropy keeps the tokens of largest entropy, at which a reply forks (Wang et al. 2025,
// arXiv:2506.01939): those whose entropy is not below the (1−Share)-quantile of the batch's
// tokens that count, interpolated linearly, as in TRL. Of n tokens that is
// Share·n up to rounding, and all that tie at the quantile.
//
// Share is in (0, 1], 0.2 in the paper; 1 keeps all. It looks at the batch as a whole:
// [Coupled]. It uses Entropy of [Rollouts].
type TopEntropy struct{ Share float64 }

var (
	_ TokenMask = TopEntropy{}
	_ Coupled   = TopEntropy{}
	_ Coupled   = TokenMasks{}
)

// Coupled implements [Coupled]: true.
func (TopEntropy) Coupled() bool { return true }

// entropies is a workspace for the entropies of a batch.
var entropies = sync.Pool{New: func() any { return new([]float64) }}

// Keep implements [TokenMask]. It panics without Entropy.
func (m TopEntropy) Keep(dst []bool, b Rollouts) (dropped int, err error) {
	if err := checkShare("TopEntropy.Share", m.Share); err != nil {
		return 0, err
	}
	if b.Entropy == nil && len(b.LogProb) > 0 {
		panic("loss: TopEntropy without Rollouts.Entropy")
	}
	b.check()
	if err := b.finite("Entropy", b.Entropy); err != nil {
		return 0, err
	}
	w := entropies.Get().(*[]float64)
	defer entropies.Put(w)
	v := (*w)[:0]
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			if b.Counts(p) {
				v = append(v, b.Entropy[p])
			}
		}
	}
	*w = v
	least := math.Inf(-1)
	if len(v) > 0 {
		least = quantileFromTop(v, m.Share)
	}
	return b.keepTokens(dst, func(_, p, _ int) (bool, error) { return b.Entropy[p] >= least, nil })
}

// quantileFromTop returns the smallest element that is not below the quantile which a share of
// v is above: interpolation would end between it and the next one. It reorders v.
func quantileFromTop(v []float64, share float64) float64 {
	at := share * float64(len(v)-1)
	if near := math.Round(at); math.Abs(at-near) < 1e-9 {
		at = near // what rounding has moved off an element
	}
	return nth(v, int(at))
}
