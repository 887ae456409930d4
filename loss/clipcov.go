package loss

import (
	"cmp"
	"math/rand/v2"
)

// ClipCov leaves out of an update a few tokens that would lower the entropy most: a share of
// the batch's tokens, drawn at random from those whose covariance
//
//	(A_t − mean A)·(log π_t − mean log π)
//
// is between Min and Max, both excluded, and which [PPO] with these bounds does not clip anyway
// (Cui et al. 2025, arXiv:2505.22617). Means are over all n tokens that count, and Share·n is
// rounded down, but one token at least is drawn if there is one to draw. It is no loss but a
// weight: [ClipCov.Weights] and then PPO with these weights is Clip-Cov.
//
// ClipLow and ClipHigh are as in [Clip]. Min is finite, Max above it, +Inf for none, and Share in (0, 1]:
// 1, 5 and 2e-4 in verl.
type ClipCov struct {
	ClipLow, ClipHigh float64
	Min, Max          float64
	Share             float64
}

// Weights stores the weight of each token of b in dst, Weight or 1, but 0 for those drawn, and
// returns how many those are; dst may be Weight itself. Elements of dst where no token counts
// are 0. The draw is from g, and a batch must not be split before it. Log-probabilities must be
// finite.
func (c ClipCov) Weights(dst []float64, b Rollouts, g *rand.Rand) (drawn int, err error) {
	b.check()
	b.advantaged()
	if len(dst) != len(b.LogProb) {
		panic(badLength)
	}
	clip := Clip{Low: c.ClipLow, High: c.ClipHigh}
	if err := cmp.Or(clip.check("ClipCov.ClipLow", "ClipCov.ClipHigh", ""), finiteParam("ClipCov.Min", c.Min), checkShare("ClipCov.Share", c.Share)); err != nil {
		return 0, err
	}
	if !(c.Max > c.Min) {
		return 0, &ParamError{"ClipCov.Max", c.Max, "above ClipCov.Min"}
	}
	w := covs.Get().(*covWork)
	defer covs.Put(w)
	if err := w.covariances(b); err != nil {
		return 0, err
	}
	if b.Old != nil {
		if err := b.finite("Old", b.Old); err != nil {
			return 0, err
		}
	}
	want := share(c.Share, len(w.at))
	weight := func(p int) float64 {
		if b.Weight == nil {
			return 1
		}
		return b.Weight[p]
	}
	j := 0
	for p := range dst {
		if j < len(w.at) && w.at[j] == p {
			dst[p] = weight(p)
			j++
		} else {
			dst[p] = 0
		}
	}
	able := w.at[:0]
	for j, p := range w.at {
		if v := w.cov[j]; v > c.Min && v < c.Max && !clip.clips(b, p) {
			able = append(able, p)
		}
	}
	for ; drawn < want && drawn < len(able); drawn++ {
		k := drawn + g.IntN(len(able)-drawn)
		able[drawn], able[k] = able[k], able[drawn]
		dst[able[drawn]] = 0
	}
	return drawn, nil
}
