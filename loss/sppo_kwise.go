package loss

import "cmp"

// SPPOKWise is Self-Play Preference Optimization on K replies per prompt with estimated win
// rates, a regression of each log-ratio,
//
//	(ℓ(y) − (P − ½)/β)²
//
// where P is the probability that y beats a reply of the policy π_ref that drew it, as
// [WinRates] estimates it from all K replies (Wu et al. 2024, arXiv:2405.00675; 1/β is the
// paper's η). With P = 1 for the winner and 0 for the loser of a pair it is the hard form,
// (ℓ⁺ − 1/2β)² + (ℓ⁻ + 1/2β)².
//
// It is separable and strictly convex in the log-ratios; its unique minimiser is
// π_ref·e^{(P−½)/β}, without normalisation: one multiplicative-weights step towards the Nash
// equilibrium, as far as e^{(P−½)/β} has mean 1 under π_ref. A normalised policy takes the
// nearest it can represent, reply by reply under the distribution of the data.
//
// Beta must be positive, and so large that 1/(2·Beta) is finite; the authors use 0.001.
type SPPOKWise struct {
	Beta float64 // β = 1/η, an inverse step size: win rate per nat of log-ratio
}

// Eval stores losses, derivatives and the log-ratios (the score's rewards, without a factor)
// in dst, for replies whose win rates are win; the verdicts and Mismatch slices of b are not
// read, and may be nil. Correct counts replies whose log-ratio has the sign of P − ½, and Ties
// those where one of the two is 0. A win rate outside [0, 1] is an [*InputError].
func (l SPPOKWise) Eval(dst UnpairedOut, b Unpaired, win []float64) (Total, error) {
	n := len(b.LogProb)
	dst.check(n)
	sized(n, b.Ref, b.Weight)
	if len(win) != n {
		panic(badLength)
	}
	if !(l.Beta > 0) || !isFinite(l.Beta) || !isFinite(0.5/l.Beta) {
		return Total{}, &ParamError{"SPPOKWise.Beta", l.Beta, "positive and finite, and so must 1/(2·Beta) be"}
	}
	if err := cmp.Or(b.finite(), probabilities("Win", win)); err != nil {
		return Total{}, err
	}
	w := scoresPool.Get().(*scores)
	defer scoresPool.Put(w)
	w.s, w.ds = resize(w.s, n), resize(w.ds, n)
	if err := (LogRatio{}).Score(w.s, w.ds, b.replies(0, n)); err != nil {
		return Total{}, err
	}
	t := Total{Count: n}
	for i, s := range w.s {
		edge := win[i] - 0.5
		switch {
		case s == 0 || edge == 0:
			t.Ties++
		case s > 0 == (edge > 0):
			t.Correct++
		}
		d, weight := s-edge/l.Beta, 1.0
		if b.Weight != nil {
			weight = b.Weight[i]
		}
		value, slope := product(weight, d*d), product(weight, 2*d)
		if slope == 0 {
			t.Flat++
		}
		t.Sum += value
		store(dst.Loss, i, value)
		store(dst.LogProb, i, slope)
		store(dst.Reward, i, s)
	}
	return t, nil
}

// WinRates stores in dst, for each of K replies to each prompt, the mean probability of beating
// the K replies: prefer holds K×K numbers per prompt, row by row, prefer[i·K+j] = P(yᵢ ≻ yⱼ).
// The diagonal counts, and is ½ for a fair judge. A number outside [0, 1] is an
// [*InputError]. It panics if K < 2 or the lengths do not fit.
func WinRates(dst, prefer []float64, k int) error {
	if k < 2 || len(dst)%k != 0 || len(prefer) != len(dst)*k {
		panic("loss: K < 2, or preferences that are not K×K per prompt")
	}
	if err := probabilities("Prefer", prefer); err != nil {
		return err
	}
	for i := range dst {
		sum := 0.0
		for _, p := range prefer[i*k : (i+1)*k] {
			sum += p
		}
		dst[i] = sum / float64(k)
	}
	return nil
}

// probabilities returns an error for the first element of v outside [0, 1].
func probabilities(field string, v []float64) error {
	for i, x := range v {
		if !(x >= 0 && x <= 1) {
			return &InputError{field, i, x, "not a probability"}
		}
	}
	return nil
}
