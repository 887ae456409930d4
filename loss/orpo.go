package loss

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Odds is the score of ORPO, the log-odds s = log(p̄/(1−p̄)) of the geometric mean
// p̄ = e^{log π(y)/|y|} of a reply's token probabilities, with ∂s = 1/((1−p̄)·|y|). At p̄ = 1
// both are +Inf. A length below 1 and p̄ > 1, of densities, are errors.
type Odds struct{}

// Score implements [Score].
func (Odds) Score(s, ds []float64, r Responses) error {
	if err := (MeanLogProb{}).Score(s, ds, r); err != nil {
		return err
	}
	for i, x := range s {
		if x > 0 {
			return &InputError{"LogProb", i, r.LogProb[i], noOdds}
		}
		s[i], ds[i] = logOdds(x), ds[i]/-math.Expm1(x)
	}
	return nil
}

const noOdds = "a probability above 1 has no odds"

// ORPO is Odds Ratio Preference Optimization,
//
//	−log p̄⁺ − λ·log σ(s⁺ − s⁻),   s = log(p̄/(1−p̄))
//
// supervised fine-tuning on the chosen reply and a contrast of log-odds, without a reference
// (Hong, Lee, Thorne 2024, arXiv:2403.07691, equations 6 and 7; λ = 0.1). p̄ is the geometric
// mean of token probabilities, so −log p̄⁺ is the mean NLL per token of the reply; TRL's mean
// counts the tokens of the prompt too.
//
// Soft labels by which every reply is chosen at times have a minimiser, since the likelihood
// keeps all of them possible. It is not that of the contrast alone, at which the odds of p̄ are
// e^{r−Z}. Deterministic labels have none.
//
// Lambda is finite and not negative. Implicit rewards are the log-odds. A chosen reply with
// p̄ = 1 is legal; if both have it, their odds have no ratio, which is an error. It uses
// Chosen, Rejected, ChosenLen, RejectedLen and Weight of [Pairs].
type ORPO struct{ Lambda float64 }

// Eval implements [Pairwise].
func (l ORPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	return engine[MeanLogProb, MeanLogProb, onOdds]{
		link: onOdds(l), beta: 1, reads: readsWeight, err: nonNegative("ORPO.Lambda", l.Lambda),
	}.eval(dst, b)
}

// onOdds is the linker of ORPO, a function of mean log-probabilities x and y: with the odds
// as scores slope and derivative would be 0 and ∞ at p̄ = 1, where their product is finite.
type onOdds struct{ Lambda float64 }

func (onOdds) Check() error { return nil }

func (l onOdds) run(w *scratch, b Pairs, _ float64, lo, m int) error {
	for i, x := range w.chosen[:m] {
		y := w.rejected[i]
		if x > 0 {
			return &InputError{"Chosen", lo + i, b.Chosen[lo+i], noOdds}
		}
		if y > 0 {
			return &InputError{"Rejected", lo + i, b.Rejected[lo+i], noOdds}
		}
		sx, sy := logOdds(x), logOdds(y)
		z := sx - sy
		if z != z {
			return &InputError{"Chosen", lo + i, b.Chosen[lo+i], fmt.Sprintf(
				"its odds and those of Rejected[%d] = %v have no ratio", lo+i, b.Rejected[lo+i])}
		}
		gx, gy := oddsSlopes(x, y, z)
		w.value[i] = product(l.Lambda, num.Softplus(-z)) - x
		w.gChosen[i], w.gRejected[i] = l.Lambda*gx-1, product(l.Lambda, gy)
		w.chosen[i], w.rejected[i] = sx, sy // the implicit rewards
	}
	return nil
}

func (onOdds) growth(float64) float64 { return 0 }

// oddsSlopes is the gradient of −log σ(z), z = logOdds(x) − logOdds(y), with respect to x
// and y: −σ(−z)/(1−eˣ) and σ(−z)/(1−eʸ). Where eˣ is near 1 the factors of the first go to 0
// and ∞, and it is formed without z.
func oddsSlopes(x, y, z float64) (gx, gy float64) {
	miss := num.Sigmoid(-z)
	notP, notQ := math.Abs(math.Expm1(x)), math.Abs(math.Expm1(y))
	if x > -1 {
		p, q := math.Exp(x), math.Exp(y)
		return -q / (notP*q + p*notQ), miss / notQ
	}
	return -miss / notP, miss / notQ
}
