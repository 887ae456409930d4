package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// ForwardKL is the score of the forward KL(π_ref‖π), s = −e⁻ˡ = −π_ref/π, with ∂s = e⁻ˡ.
// It exceeds float64 for ℓ < −709; the order of two such scores is kept. rloo.ForwardKL is the
// gradient of that divergence, estimated from samples.
type ForwardKL struct{}

// Score implements [Score].
func (ForwardKL) Score(s, ds []float64, r Responses) error {
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	exps(ds, s, -1)
	elem.Affine(s, ds, -1, 0)
	return nil
}

// Log implements [WideScore].
func (ForwardKL) Log(s, ds []float64, r Responses) {
	for i, lp := range r.LogProb {
		s[i] = r.Ref[i] - lp
		ds[i] = s[i]
	}
}

// Relative implements [RelativeScore].
func (ForwardKL) Relative() {}

// JensenShannon is the score of the Jensen–Shannon divergence, s = log σ(ℓ), with ∂s = σ(−ℓ).
// The constant log 2 of f′(u) = log(2u/(1+u)) is left out: it cancels in a margin, and next
// to it the small scores of large ratios would be lost.
type JensenShannon struct{}

// Score implements [Score].
func (JensenShannon) Score(s, ds []float64, r Responses) error {
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	copy(ds, s)
	elem.Smoothed(s, ds, ds, 0)
	elem.Affine(s, s, -1, 0)
	elem.Affine(ds, ds, -1, 0)
	return nil
}

// Log implements [WideScore].
func (JensenShannon) Log(s, ds []float64, r Responses) {
	for i, lp := range r.LogProb {
		l := lp - r.Ref[i]
		s[i] = math.Log(num.Softplus(-l))
		ds[i] = num.LogSigmoid(-l)
	}
}

// Relative implements [RelativeScore].
func (JensenShannon) Relative() {}

// AlphaDivergence is the score of the α-divergence in the convention of Wang et al. 2023
// (arXiv:2309.16240),
//
//	s = f′(eˡ) = (1 − e^{−αℓ})/α,   ∂s = e^{−αℓ}
//
// α → 0 is the reverse KL, s = ℓ, and α = 1 the forward KL, 1 − e⁻ˡ. TRL's coefficient is
// another: α_TRL = 1 − α. Alpha is finite; the zero value is [LogRatio].
type AlphaDivergence struct{ Alpha float64 }

// Score implements [Score].
func (a AlphaDivergence) Score(s, ds []float64, r Responses) error {
	if !isFinite(a.Alpha) {
		return &ParamError{"AlphaDivergence.Alpha", a.Alpha, "finite"}
	}
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	for i, l := range s {
		s[i], ds[i] = power(a.Alpha, l)
	}
	return nil
}

// Log implements [WideScore].
func (a AlphaDivergence) Log(s, ds []float64, r Responses) {
	for i, lp := range r.LogProb {
		s[i], ds[i] = logPower(a.Alpha, lp-r.Ref[i])
	}
}

// Relative implements [RelativeScore].
func (AlphaDivergence) Relative() {}

// ChiSquared is the score of χPO, s = φ(w) = w + log w with w = π/π_ref = eˡ, the derivative
// of KL + ½·χ²; ∂s = w + 1. It exceeds float64 for ℓ > 709.
type ChiSquared struct{}

// Score implements [Score].
func (ChiSquared) Score(s, ds []float64, r Responses) error {
	if err := (LogRatio{}).Score(s, ds, r); err != nil {
		return err
	}
	exps(ds, s, 1)
	for i, w := range ds {
		s[i], ds[i] = w+s[i], w+1
	}
	return nil
}

// Log implements [WideScore].
func (ChiSquared) Log(s, ds []float64, r Responses) {
	for i, lp := range r.LogProb {
		l := lp - r.Ref[i]
		s[i], ds[i] = l, num.Softplus(l)
		if l < 700 {
			s[i] = math.Log(math.Abs(l + math.Exp(l)))
		}
	}
}

// Relative implements [RelativeScore].
func (ChiSquared) Relative() {}

// Divergence is an f-divergence whose f′ makes a score of the ratio π/π_ref: [LogRatio]
// (reverse KL), [ForwardKL], [JensenShannon], [AlphaDivergence], [ChiSquared].
type Divergence interface {
	WideScore
	RelativeScore
}

// FDPO is f-DPO, the preference objective of the reward regularised by an f-divergence,
//
//	−log σ(β·f′(w⁺) − β·f′(w⁻)),   w = π/π_ref
//
// or smoothed as in [DPO] (Wang et al. 2023, arXiv:2309.16240). With
// Divergence = LogRatio{} it is DPO. Where soft labels follow a reward r its minimiser is
// the optimum of E_π[r] − β·D_f: β·f′(w) = r − Z, if the divergence keeps π > 0.
//
// Beta must be positive, LabelSmoothing in [0, ½), Divergence must be set. It uses Chosen,
// Rejected, RefChosen, RefRejected and Weight of [Pairs].
type FDPO struct {
	Beta           float64 // β, the coefficient of the divergence: reward per unit of f′
	Divergence     Divergence
	LabelSmoothing float64
}

// Eval implements [Pairwise].
func (l FDPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l FDPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l FDPO) parts() margined[Divergence, Smoothed] {
	if l.Divergence == nil {
		panic("loss: FDPO without Divergence")
	}
	return compose(l.Divergence, Smoothed{l.LabelSmoothing}, l.Beta, 0,
		positive("FDPO.Beta", l.Beta), belowHalf("FDPO.LabelSmoothing", l.LabelSmoothing))
}
