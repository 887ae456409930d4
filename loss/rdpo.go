package loss

// LengthRegularised is the score s = ℓ(y) + PerToken·|y| of a reward that length is charged
// to: ∂s = 1. PerToken is finite; a negative length is an error.
type LengthRegularised struct{ PerToken float64 }

// Score implements [Score].
func (l LengthRegularised) Score(s, ds []float64, r Responses) error {
	if !isFinite(l.PerToken) {
		return &ParamError{"LengthRegularised.PerToken", l.PerToken, "finite"}
	}
	if len(r.Len) != len(r.LogProb) {
		panic(badLength)
	}
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	for i, n := range r.Len {
		if n < 0 {
			return &InputError{"Len", i, float64(n), "negative"}
		}
		s[i] += l.PerToken * float64(n)
	}
	return nil
}

// Relative implements [RelativeScore].
func (LengthRegularised) Relative() {}

// RDPO is length-regularised DPO,
//
//	−log σ(β·(ℓ(y⁺) − ℓ(y⁻)) + α·(|y⁺| − |y⁻|))
//
// (Park et al. 2024, arXiv:2403.19159). The sign follows from its derivation:
// the optimum of E[r − α·|y|] − β·KL has r = β·ℓ + α·|y| + const, so that a long chosen reply
// needs a smaller log-ratio. Public code has both signs. Full coverage and soft labels have
// the minimiser π_ref·e^{(r − α|y|)/β}.
//
// Beta must be positive, Alpha finite. Implicit rewards are β·ℓ + α·|y|. It uses Chosen,
// Rejected, RefChosen, RefRejected, ChosenLen, RejectedLen and Weight of [Pairs].
type RDPO struct {
	Beta  float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Alpha float64
}

// Eval implements [Pairwise].
func (l RDPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l RDPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l RDPO) parts() margined[LengthRegularised, Logistic] {
	per := l.Alpha / l.Beta
	err := finiteParam("RDPO.Alpha", l.Alpha)
	if err == nil && !isFinite(per) {
		err = &ParamError{"RDPO.Alpha", l.Alpha, "finite, and so must Alpha/Beta be"}
	}
	return compose(LengthRegularised{per}, Logistic{}, l.Beta, 0, positive("RDPO.Beta", l.Beta), err)
}
