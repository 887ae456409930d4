package loss

// HyPO is Hybrid Preference Optimization (Song, Swamy, Singh, Bagnell, Sun 2024,
// arXiv:2406.01462),
//
//	L_offline(pairs) + λ·KL(π‖π_ref)
//
// an offline objective on preference pairs, [DPO] in the paper, plus the reverse KL on
// fresh samples from the policy, whose gradient is the leave-one-out estimate of
// [KLPenalty]. The samples need no reward and no labels. They bound what DPO alone cannot,
// the policy's distance from the reference where no pair reaches, so that the guarantee
// needs coverage within a KL ball instead of coverage of every policy.
//
// With Lambda = 0 it is the offline objective, bit for bit. For λ > 0 the policy
// π_ref·e^{r/β} at which DPO alone is stationary is no longer stationary, unless it is
// π_ref: a λ adapted to a KL budget (rloo.Dual) is what keeps it a solution, if the budget
// is at least its KL.
//
// Another method, "Hybrid-DPO" (arXiv:2602.11902), is called HyPO too; this is not it.
type HyPO struct {
	Offline Pairwise
	Lambda  float64
}

// HyPOOut receives the derivatives with respect to both batches.
type HyPOOut struct {
	Pairs   PairsOut
	Samples SamplesOut
}

// HyPOTotal keeps the two sums apart: they have different denominators. The loss is
// Pairs.Mean() + KL.Mean(), or Pairs.Mean() where there were no samples.
type HyPOTotal struct {
	Pairs Total // Σ over pairs of the offline loss
	KL    Total // Σ over samples of λ·ℓ
}

// Eval evaluates both terms. Weights in dst.Samples include λ. With Lambda = 0 the samples
// may be the zero value; if there are any, they are checked and get weights of 0.
func (h HyPO) Eval(dst HyPOOut, pairs Pairs, samples Samples) (HyPOTotal, error) {
	if h.Offline == nil {
		panic("loss: HyPO without Offline")
	}
	var t HyPOTotal
	var err error
	if t.Pairs, err = h.Offline.Eval(dst.Pairs, pairs); err != nil {
		return t, err
	}
	if h.Lambda == 0 && samples.LogProb == nil {
		sized(0, dst.Samples.Loss, dst.Samples.LogProb)
		return t, nil
	}
	penalty := KLPenalty{h.Lambda}
	t.KL, err = penalty.Eval(dst.Samples, samples)
	return t, rename(err, "HyPO.Lambda")
}
