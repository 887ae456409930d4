package loss

// ODPO is DPO with an offset,
//
//	−log σ(β·(ℓ(y⁺) − ℓ(y⁻)) − mᵢ)
//
// where mᵢ, Margin of [Pairs], is by how much the chosen reply is better, on the scale of
// implicit rewards: α·f(score⁺ − score⁻) in the paper (Amini, Vieira, Cotterell 2024,
// arXiv:2402.10571). A nil Margin makes it [DPO]. Deterministic
// labels have no minimiser; soft labels whose two orders have opposite offsets ±m have the
// log-odds of the label plus m.
//
// Beta must be positive. It uses Chosen, Rejected, RefChosen, RefRejected, Margin and
// Weight of [Pairs].
type ODPO struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

// Eval implements [Pairwise].
func (l ODPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l ODPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l ODPO) parts() margined[LogRatio, Logistic] {
	e := compose(LogRatio{}, Logistic{}, l.Beta, 0, positive("ODPO.Beta", l.Beta))
	e.reads |= readsMargin
	return e
}
