package loss

import "cmp"

// penalised is ℓ − λ·max(0, −ℓ), with derivative 1 at ℓ ≥ 0 and 1+λ below.
type penalised struct{ lambda float64 }

// Score implements [Score].
func (p penalised) Score(s, ds []float64, r Responses) error {
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	for i, l := range s {
		if l < 0 && p.lambda > 0 { // 0 times an infinite log-ratio would be NaN
			s[i], ds[i] = l+p.lambda*l, 1+p.lambda
		}
	}
	return nil
}

// Relative implements [RelativeScore].
func (penalised) Relative() {}

// DPOP is DPO-Positive,
//
//	−log σ(β·(ℓ(y⁺) − ℓ(y⁻) − λ·max(0, −ℓ(y⁺))))
//
// which charges a chosen reply for having become less likely than under the reference (Pal
// et al. 2024, arXiv:2402.13228). At the kink, ℓ(y⁺) = 0, where training starts,
// the derivative is that of DPO. A pair whose chosen log-ratio is not negative costs what it
// costs with DPO; so for deterministic labels there is no minimiser, and under soft labels,
// where either reply is charged when it is the chosen one, π_ref·e^{r/β} is not stationary.
//
// Beta must be positive, Lambda finite and not negative; 50 is the paper's. The implicit
// reward of the chosen reply includes the charge. It uses Chosen, Rejected, RefChosen,
// RefRejected and Weight of [Pairs].
type DPOP struct {
	Beta   float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Lambda float64
}

// Eval implements [Pairwise].
func (l DPOP) Eval(dst PairsOut, b Pairs) (Total, error) {
	e := engine[penalised, LogRatio, onMargin[Logistic]]{
		chosen: penalised{l.Lambda}, beta: l.Beta, reads: readsWeight,
		err: cmp.Or(positive("DPOP.Beta", l.Beta), nonNegative("DPOP.Lambda", l.Lambda)),
	}
	return e.eval(dst, b)
}
