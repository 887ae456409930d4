package loss

import "math"

// WPO is an objective on pairs of token sequences with each pair's loss multiplied by how
// likely the policy is to have written its replies,
//
//	w(y⁺)·w(y⁻)·L,   w(y) = exp( (1/|y|)·Σ_t (log π(y_t) − log Σ_v π(v)²) )
//
// where weights have no derivative (Zhou et al. 2024, arXiv:2406.11827, equation 2 with sampled
// alignment: for tokens drawn from π, π(y_t)/Σ_v π(v)² has mean 1). It lets off-policy pairs
// count as they would on-policy. A policy that minimises the loss of every pair is stationary
// whatever the weights are; where pairs disagree, weights move the minimiser.
//
// Cap > 0 limits the weight of a pair, and Total.Clipped counts how often, with what Loss
// clips; 0 is no limit. The authors' code has 1, TRL none. Rewards are Loss's.
//
// It uses LogProb and SumSq of [TokenPairs] and what Loss uses. A Loss that is [Coupled] has
// no loss of a pair alone, and panics; so does a Loss that is nil.
type WPO struct {
	Loss TokenPairwise
	Cap  float64
}

var _ TokenPairwise = WPO{}

// Eval implements [TokenPairwise].
func (l WPO) Eval(dst TokenPairsOut, b TokenPairs) (Total, error) {
	if l.Loss == nil || IsCoupled(l.Loss) {
		panic("loss: WPO without Loss, or of a batch-coupled one")
	}
	b.check()
	n := b.Len() / 2
	dst.check(n, len(b.LogProb))
	w := pairWorkPool.Get().(*pairWork)
	defer pairWorkPool.Put(w)
	w.resize(n)
	weights := w.chosen
	clipped, err := l.Weights(weights, b)
	if err != nil {
		return Total{}, err
	}
	out := dst
	if out.Loss == nil {
		out.Loss = w.loss
	}
	t, err := l.Loss.Eval(out, b)
	if err != nil {
		return Total{}, err
	}
	t.Sum = 0
	t.Clipped += clipped
	for i, a := range weights {
		out.Loss[i] = product(a, out.Loss[i])
		t.Sum += out.Loss[i]
		for p := b.Begin[2*i]; p < b.Begin[2*i+2]; p++ {
			if dst.LogProb != nil {
				dst.LogProb[p] = product(a, dst.LogProb[p])
			}
			if dst.KL != nil {
				dst.KL[p] = product(a, dst.KL[p])
			}
		}
	}
	return t, nil
}

// Weights stores the weight of each pair in dst, and returns how many Cap changed. A reply of
// which no token counts is an [*InputError], and so is a SumSq that is not a finite number
// where a token counts.
func (l WPO) Weights(dst []float64, b TokenPairs) (capped int, err error) {
	b.check()
	if b.SumSq == nil {
		panic("loss: WPO without SumSq")
	}
	if len(dst) != b.Len()/2 {
		panic(badLength)
	}
	if err := nonNegative("WPO.Cap", l.Cap); err != nil {
		return 0, err
	}
	if err := b.logProbs("LogProb", b.LogProb); err != nil {
		return 0, err
	}
	if err := b.finite("SumSq", b.SumSq); err != nil {
		return 0, err
	}
	for i := range dst {
		log := 0.0
		for s, field := range [2]string{"ChosenLen", "RejectedLen"} {
			n := b.Count(2*i + s)
			if n == 0 {
				return 0, &InputError{field, i, 0, noTokens}
			}
			sum := 0.0
			lo, hi := b.Reply(2*i + s)
			for p := lo; p < hi; p++ {
				if b.Counts(p) {
					sum += b.LogProb[p] - b.SumSq[p]
				}
			}
			log += sum / float64(n)
		}
		dst[i] = math.Exp(log)
		if l.Cap > 0 && dst[i] > l.Cap {
			dst[i] = l.Cap
			capped++
		}
		if !isFinite(dst[i]) {
			return 0, &InputError{"SumSq", b.Begin[2*i], b.SumSq[b.Begin[2*i]], "its pair's weight exceeds every number"}
		}
	}
	return capped, nil
}
