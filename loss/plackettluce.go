package loss

import (
	"cmp"
	"fmt"
)

// PlackettLuce fits a reward model to rankings of K replies, best first,
//
//	−Σₖ log( e^{rₖ} / Σ_{j≥k} e^{rⱼ} ),   k = 1 … min(Top, K−1)
//
// the negative log-likelihood of choosing the best reply, then the best of the rest, and so on
// (Luce 1959; Plackett 1975; for reward models Zhu, Jiao, Jordan 2023, arXiv:2301.11270). With
// Top = m > 0 only the first m choices count: the order of the others is not known. Top = 0, the
// zero value, means all of them; a negative Top is a [*ParamError]. For K = 2 it is
// [BradleyTerry].
//
// It is convex. Rewards are free up to a constant per prompt; where rankings of the same
// replies disagree often enough that no set of replies always beats the others, the rewards
// are unique but for that, else they grow for ever.
type PlackettLuce struct {
	Top int
}

// Eval evaluates rankings of replies with scores score: ranking i is elements begin[i] …
// begin[i+1]−1, best first. It stores losses per ranking in dst.Loss, derivatives with respect to
// scores in dst.LogProb, and the scores themselves in dst.Reward. Correct and Ties count the
// rankings whose first reply has the highest score, alone or shared. A score that is not
// finite is an [*InputError]. It panics if begin does not split the scores into rankings of
// at least two.
func (l PlackettLuce) Eval(dst RankingsOut, score []float64, begin []int) (Total, error) {
	dst.check(begin, len(score))
	if err := cmp.Or(topChoices("PlackettLuce.Top", l.Top), finite("Score", score)); err != nil {
		return Total{}, err
	}
	return rankings(dst, score, nil, begin, 1, l.Top)
}

// PlackettLuceDPO is Direct Preference Optimization on rankings of K replies: [PlackettLuce]
// with the implicit rewards r = β·ℓ(y) (Rafailov et al. 2023, arXiv:2305.18290, appendix A.3).
// For K = 2 it is [DPO].
//
// Over rankings that follow Plackett–Luce with rewards r and cover all replies, its unique
// minimiser is π_ref·e^{r/β}, normalised, as for DPO and for any Top: each choice is a
// proper log-loss.
//
// Beta must be positive; 0.1 is common. Top is as for PlackettLuce.
type PlackettLuceDPO struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Top  int
}

// Eval evaluates a batch. Correct and Ties count the rankings whose first reply has the
// highest reward, alone or shared. A log-probability of −Inf gives the limit; where two
// choices are both impossible, or both new, there is none, and that is an [*InputError]. It
// panics if b.Begin does not split the replies into rankings of at least two.
func (l PlackettLuceDPO) Eval(dst RankingsOut, b Rankings) (Total, error) {
	dst.check(b.Begin, len(b.LogProb))
	if len(b.Ref) != len(b.LogProb) {
		panic(badLength)
	}
	if err := cmp.Or(
		positive("PlackettLuceDPO.Beta", l.Beta), topChoices("PlackettLuceDPO.Top", l.Top),
		logProbs("LogProb", b.LogProb), logProbs("Ref", b.Ref),
	); err != nil {
		return Total{}, err
	}
	return rankings(dst, b.LogProb, b.Ref, b.Begin, l.Beta, l.Top)
}

func topChoices(param string, top int) error {
	if top < 0 {
		return &ParamError{param, float64(top), "positive, or 0 for all choices"}
	}
	return nil
}

// rankings evaluates rankings of replies with rewards beta·(v − ref), where a nil ref is 0.
func rankings(dst RankingsOut, v, ref []float64, begin []int, beta float64, top int) (Total, error) {
	w := scoresPool.Get().(*scores)
	defer scoresPool.Put(w)
	t := Total{}
	for i := 1; i < len(begin); i++ {
		lo, hi := begin[i-1], begin[i]
		w.s = resize(w.s, hi-lo)
		s := w.s
		for k := range s {
			s[k] = v[lo+k]
			if ref != nil {
				s[k] -= ref[lo+k]
			}
			if s[k] != s[k] {
				return Total{}, &InputError{"LogProb", lo + k, v[lo+k], zeroOverZero("Ref")}
			}
			s[k] *= beta
			store(dst.Reward, lo+k, s[k])
		}
		choices := len(s) - 1
		if top > 0 {
			choices = min(choices, top)
		}
		best := s[0]
		rival := s[1]
		for _, r := range s[2:] {
			rival = max(rival, r)
		}
		if best > rival {
			t.Correct++
		} else if best == rival {
			t.Ties++
		}
		value, at := plackettLuce(s, s, choices)
		if value != value {
			return Total{}, &InputError{"LogProb", lo + at, v[lo+at], fmt.Sprintf(
				"its reward is infinite, and so is a later one's in the ranking of replies %d … %d: they have no difference", lo, hi-1)}
		}
		t.Sum += value
		t.Count++
		store(dst.Loss, i-1, value)
		for k, d := range s {
			store(dst.LogProb, lo+k, beta*d)
		}
	}
	return t, nil
}
