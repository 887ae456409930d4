package loss

// APOUnpaired is Anchored Preference Optimization, APO-zero, on single replies,
//
//	λ_D·σ(−β·ℓ(y))   for a desirable reply
//	λ_U·σ(β·ℓ(y))    for an undesirable one
//
// (D'Oosterlinck et al. 2024, arXiv:2408.06266, equation 7, one reply at a time): [KTO] with
// its reference point at 0, the reference policy itself, so that replies need no others. As
// there, the loss is bounded, not convex, and has no minimiser; what is far on either side
// has a gradient that fades but does not vanish, down to the least number.
//
// Beta must be positive; 0.1 is common. Desirable and Undesirable are λ_D and λ_U, positive,
// 1 and 1 in the paper. It uses LogProb, Ref, Desirable and Weight of [Unpaired].
type APOUnpaired struct {
	Beta        float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Desirable   float64
	Undesirable float64
}

var _ Pointwise = APOUnpaired{}

// Eval implements [Pointwise].
func (l APOUnpaired) Eval(dst UnpairedOut, b Unpaired) (Total, error) {
	return classifier[LogRatio, Sigmoid]{beta: l.Beta, desirable: l.Desirable, undesirable: l.Undesirable}.eval(dst, b,
		positive("APOUnpaired.Beta", l.Beta), positive("APOUnpaired.Desirable", l.Desirable),
		positive("APOUnpaired.Undesirable", l.Undesirable))
}
