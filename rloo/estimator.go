package rloo

import "fmt"

// RegularisedReward estimates the gradient, uphill, of the KL-regularised reward
//
//	E_π[r] − β·KL(π‖π_ref)
//
// from groups of samples of π, with any [Advantage] as baseline and scale. With [Reward]'s
// leave-one-out advantages it is unbiased; what another Advantage makes of it is documented
// there. It has no state of its own.
type RegularisedReward struct {
	Advantage Advantage // required
	Beta      float64   // β, the KL coefficient: reward per nat; finite and not negative. At 0 log-probabilities are not read and may be nil

	// Penalty is what stands for the KL in the reward of Eval; 0 means [K1], the only one
	// that gives the gradient of the reverse KL. See [KLValue] for what K2 and K3 give.
	Penalty KLValue
}

// Eval stores in dst one weight per sample, the advantage of r − β·k(ℓ): the KL is taken
// off the reward before the baseline is formed, and before any division by a standard
// deviation. reward[i], logp[i] and ref[i] belong to sample i; dst may be any of them.
//
// Errors: fields out of range, a number that is not finite, those of the Advantage. Eval
// panics on different lengths, and as the Advantage does. dst is unspecified after an error.
func (e RegularisedReward) Eval(dst, reward, logp, ref []float64, g Groups) (Signal, error) {
	penalty, err := e.check()
	if err != nil {
		return Signal{}, err
	}
	if len(reward) != len(dst) || e.Beta != 0 && (len(logp) != len(dst) || len(ref) != len(dst)) {
		panic(badLength)
	}
	for i, r := range reward {
		if !isFinite(r) {
			return Signal{}, fmt.Errorf("rloo: reward[%d] = %v, must be finite", i, r)
		}
		if e.Beta != 0 {
			l, err := ratio(logp[i], ref[i], i)
			if err != nil {
				return Signal{}, err
			}
			k := penalty.At(l)
			if r -= e.Beta * k; !isFinite(r) {
				return Signal{}, overflow(penalty.String(), i, l)
			}
		}
		dst[i] = r
	}
	return e.Advantage.Eval(dst, dst, g)
}

// Tokens stores in seq the advantage of each reply's reward, and in dst the weight of each
// token,
//
//	dst[it] = seq[i] − β·(Σ_{u≥t} ℓ_iu − b_it)
//
// with the KL as a reward of the tokens that are still to come: the weights of [ReverseKL].
// That is k1, whatever Penalty says about whole replies; a Penalty other than K1 is an error
// here. Divide by the number of replies. A group of one has the advantage that Advantage
// gives it, and a KL without a baseline.
//
// reward and seq have an element for each reply and may be the same slice; dst, logp and ref
// have one for each token of l, and dst may be either. The rest is as for Eval.
func (e RegularisedReward) Tokens(dst, seq, reward, logp, ref []float64, l Layout, g Groups) (Signal, error) {
	penalty, err := e.check()
	if err != nil {
		return Signal{}, err
	}
	if penalty != K1 {
		return Signal{}, fmt.Errorf("rloo: RegularisedReward.Penalty = %v, must be k1 for tokens", penalty)
	}
	if n := l.check(len(dst)); len(reward) != n || len(seq) != n {
		panic(badLength)
	}
	s, err := e.Advantage.Eval(seq, reward, g)
	if err != nil {
		return s, err
	}
	if e.Beta == 0 {
		Spread(dst, seq, l)
		return s, nil
	}
	if err := ReverseKL(dst, logp, ref, l, g); err != nil {
		return s, err
	}
	for i, a := range seq {
		lo, hi := l.reply(i)
		for p := lo; p < hi; p++ {
			if l.counts(p) {
				dst[p] = a - e.Beta*dst[p]
			}
		}
	}
	return s, nil
}

func (e RegularisedReward) check() (KLValue, error) {
	if e.Advantage == nil {
		panic("rloo: RegularisedReward without Advantage")
	}
	if !(e.Beta >= 0) || !isFinite(e.Beta) {
		return 0, fmt.Errorf("rloo: RegularisedReward.Beta = %v, must be finite and not negative", e.Beta)
	}
	switch {
	case e.Penalty == 0:
		return K1, nil
	case e.Penalty > K3:
		return 0, fmt.Errorf("rloo: RegularisedReward.Penalty = %v, must be k1, k2 or k3", e.Penalty)
	}
	return e.Penalty, nil
}

// Spread stores v[i] at every token of reply i that counts, and 0 elsewhere: a weight of
// log π(y) as weights of its terms log π(y_t). It panics if v has another length than l has
// replies. dst may be v with the zero Layout only.
func Spread(dst, v []float64, l Layout) {
	if l.check(len(dst)) != len(v) {
		panic(badLength)
	}
	from := 0
	for i, x := range v {
		lo, hi := l.reply(i)
		clear(dst[from:lo])
		for p := lo; p < hi; p++ {
			dst[p] = 0
			if l.counts(p) {
				dst[p] = x
			}
		}
		from = hi
	}
}
