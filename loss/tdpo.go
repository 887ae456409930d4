package loss

// TDPO1 is Token-level DPO,
//
//	−log σ(β·[h − (D(y⁻) − D(y⁺))]),   h = ℓ(y⁺) − ℓ(y⁻),   D(y) = Σ_t KL(π_ref(·|x, y_<t) ‖ π(·|x, y_<t))
//
// (Zeng et al. 2024, arXiv:2404.11999): [DPO] of the rewards β·(ℓ + D), with the sequential
// forward KL of each reply. Nothing is detached: the loss has derivatives with respect to the
// KLs of both replies. At π = π_ref these KLs are 0 and stationary, so value and gradient are
// DPO's.
//
// Soft labels have their minimum where differences of ℓ + D are those of r/β. D depends on the
// policy at every token, so that policy is not DPO's. For deterministic labels there is none.
//
// Beta must be positive; 0.1 is common. It uses LogProb, Ref and KL of [TokenPairs].
type TDPO1 struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref and of D
}

// TDPO2 is the practical form of [TDPO1],
//
//	−log σ(β·[h − α·(D(y⁻) − sg D(y⁺))])
//
// in which the chosen reply's KL has no derivative (sg), so that only that of rejected ones is
// driven (Zeng et al. 2024, arXiv:2404.11999; as the authors' code, which reports rewards with
// α = 1, here with the α of the loss). Alpha = 0 is [DPO].
//
// Because of sg its derivatives are those of no function of the policy, so that there is no
// minimiser to speak of. For deterministic labels margins grow for ever.
//
// Beta must be positive; 0.1 is common. Alpha is finite and not negative; 0.5 in the paper. It
// uses LogProb, Ref and KL of [TokenPairs].
type TDPO2 struct {
	Beta  float64 // β, the KL coefficient: reward per nat of log π/π_ref and of D
	Alpha float64
}

var (
	_ TokenPairwise = TDPO1{}
	_ TokenPairwise = TDPO2{}
)

// Eval implements [TokenPairwise]. Implicit rewards are β·(ℓ + D).
func (l TDPO1) Eval(dst TokenPairsOut, b TokenPairs) (Total, error) {
	t, err := reduction{tail: 1, kl: 1}.tdpo(dst, b, l.Beta)
	return t, rename(err, "TDPO1.Beta")
}

// Eval implements [TokenPairwise]. Implicit rewards are β·(ℓ + α·D).
func (l TDPO2) Eval(dst TokenPairsOut, b TokenPairs) (Total, error) {
	if err := nonNegative("TDPO2.Alpha", l.Alpha); err != nil {
		return Total{}, err
	}
	t, err := reduction{tail: 1, kl: l.Alpha, detached: true}.tdpo(dst, b, l.Beta)
	return t, rename(err, "TDPO2.Beta")
}

// tdpo is DPO with the KLs of a reduction. A KL that is NaN or infinite where tokens count is
// an InputError.
func (r reduction) tdpo(dst TokenPairsOut, b TokenPairs, beta float64) (Total, error) {
	if b.KL == nil || b.Ref == nil {
		panic("loss: TDPO without KL or Ref")
	}
	b.check()
	if err := b.finite("KL", b.KL); err != nil {
		return Total{}, err
	}
	return evalReduced(dst, b, r, DPO{Beta: beta})
}
