package loss

import (
	"cmp"

	"github.com/prefgrad/prefgrad/internal/elem"
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
	t, sum := Total{Count: n}, compensated{}
	inBlocks(n, func(w *linkScratch, lo, hi int) {
		c, r, z := b.Chosen[lo:hi], b.Rejected[lo:hi], w.u[:hi-lo]
		elem.Differences(z, c, r)
		counts := elem.Tally(z, z, z)
		t.Correct += counts.Correct
		t.Ties += counts.Ties
		if b.Margin != nil {
			elem.Differences(z, z, b.Margin[lo:hi])
		}
		w.below(z)
		value, slope, pull := w.lost[:hi-lo], w.miss[:hi-lo], w.v[:hi-lo]
		clear(pull)
		if l.Center != 0 { // 0 times a sum that overflows would be NaN
			for i := range pull {
				value[i] += l.Center * (c[i] + r[i]) * (c[i] + r[i])
				pull[i] = 2 * l.Center * (c[i] + r[i])
			}
		}
		sum.add(elem.Sum(value))
		for i, p := range pull {
			store(dst.Loss, lo+i, value[i])
			store(dst.Chosen, lo+i, slope[i]+p)
			store(dst.Rejected, lo+i, p-slope[i])
		}
		scaled(dst.RewardChosen, c, 1, lo)
		scaled(dst.RewardRejected, r, 1, lo)
	})
	t.Sum = sum.value()
	return t, nil
}

// store sets dst[i] unless dst is nil.
func store(dst []float64, i int, v float64) {
	if dst != nil {
		dst[i] = v
	}
}
