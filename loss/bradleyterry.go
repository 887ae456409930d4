package loss

import (
	"cmp"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Rewards is a batch of pairs scored by a reward model.
type Rewards struct {
	Chosen, Rejected []float64 // r̂(x, y⁺), r̂(x, y⁻)
	Margin           []float64 // nil, or by how much the chosen reply ought to win
}

// BradleyTerry fits a reward model to preference pairs,
//
//	−log σ(r⁺ − r⁻ − m) + Center·(r⁺ + r⁻)²
//
// the negative log-likelihood under P(y⁺ ≻ y⁻) = σ(r⁺ − r⁻) (Bradley and Terry 1952; for
// language models Ouyang et al. 2022, arXiv:2203.02155, equation 1), with a margin m per
// pair where given (Touvron et al. 2023, arXiv:2307.09288, equation 2). Preferences leave
// a reward free up to a constant per prompt; Center ≥ 0 pins it by a penalty on the sum
// (Eisenstein et al. 2023, arXiv:2312.09244), 0 leaves it free.
//
// Soft labels on pairs that connect all replies have a minimiser that is unique up to that
// constant: the rewards they follow. Center > 0 makes it unique and pulls rewards towards 0.
// Where labels are deterministic and Center = 0 there is none; rewards grow for ever.
type BradleyTerry struct {
	Center float64
}

// Eval stores per-pair losses and ∂/∂r⁺, ∂/∂r⁻ in dst.Loss, dst.Chosen and dst.Rejected;
// dst.RewardChosen and dst.RewardRejected are the rewards themselves. Correct and Ties
// count r⁺ > r⁻ and r⁺ = r⁻, whatever the margin. A reward or margin that is not finite is
// an [*InputError].
func (l BradleyTerry) Eval(dst PairsOut, b Rewards) (Total, error) {
	n := len(b.Chosen)
	dst.check(n)
	if len(b.Rejected) != n {
		panic(badLength)
	}
	sized(n, b.Margin)
	if err := cmp.Or(
		nonNegative("BradleyTerry.Center", l.Center),
		finite("Chosen", b.Chosen), finite("Rejected", b.Rejected), finite("Margin", b.Margin),
	); err != nil {
		return Total{}, err
	}
	t := Total{Count: n}
	for i, c := range b.Chosen {
		r := b.Rejected[i]
		z := c - r
		if z > 0 {
			t.Correct++
		} else if z == 0 {
			t.Ties++
		}
		if b.Margin != nil {
			z -= b.Margin[i]
		}
		value, slope, pull := num.Softplus(-z), -num.Sigmoid(-z), 0.0
		if l.Center != 0 { // 0 times a sum that overflows would be NaN
			value += l.Center * (c + r) * (c + r)
			pull = 2 * l.Center * (c + r)
		}
		t.Sum += value
		store(dst.Loss, i, value)
		store(dst.Chosen, i, slope+pull)
		store(dst.Rejected, i, pull-slope)
		store(dst.RewardChosen, i, c)
		store(dst.RewardRejected, i, r)
	}
	return t, nil
}

// store sets dst[i] unless dst is nil.
func store(dst []float64, i int, v float64) {
	if dst != nil {
		dst[i] = v
	}
}
