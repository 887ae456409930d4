package loss

// ChosenNLL is the term −log π(y⁺) (Over = Sum) or −log π(y⁺)/|y⁺| (Over = Mean) on the
// chosen replies of pairs, for weighted sums such as [MPO] and [RPO]: supervised
// fine-tuning on what was preferred. Over must be set: published objectives differ.
//
// By itself its minimiser is the distribution of the chosen replies, for means weighted by
// 1/|y|. It uses Chosen, ChosenLen for means, and Weight of [Pairs]. Nothing is compared, so there
// are no implicit rewards (0), Correct and Ties stay 0, and so do derivatives for a reference.
type ChosenNLL struct{ Over LogRatioOf }

// Eval implements [Pairwise].
func (l ChosenNLL) Eval(dst PairsOut, b Pairs) (Total, error) {
	n := len(b.Chosen)
	b.reading(n, readsWeight)
	dst.sized(n)
	t := Total{Count: n}
	if err := l.Over.check("ChosenNLL.Over"); err != nil {
		return t, err
	}
	if err := b.finite(); err != nil {
		return t, err
	}
	clear(dst.Loss)
	clear(dst.Chosen)
	clear(dst.Rejected)
	clear(dst.RefChosen)
	clear(dst.RefRejected)
	clear(dst.RewardChosen)
	clear(dst.RewardRejected)
	return t, addNLL(dst, &t, b, 1, l.Over)
}

// addNLL adds a·(−log π(y⁺)), or its mean per token, to what is in dst and t.
func addNLL(dst PairsOut, t *Total, b Pairs, a float64, over LogRatioOf) error {
	if a == 0 {
		return nil
	}
	if err := logProbs("Chosen", b.Chosen); err != nil {
		return err
	}
	if over == Mean && len(b.ChosenLen) != len(b.Chosen) {
		panic(badLength)
	}
	for i, lp := range b.Chosen {
		w := a
		if over == Mean {
			if b.ChosenLen[i] < 1 {
				return &InputError{"ChosenLen", i, float64(b.ChosenLen[i]), noTokens}
			}
			w /= float64(b.ChosenLen[i])
		}
		if b.Weight != nil {
			if w *= b.Weight[i]; w == 0 { // wins over a log-probability of −Inf
				continue
			}
		}
		t.Sum -= w * lp
		if dst.Loss != nil {
			dst.Loss[i] -= w * lp
		}
		if dst.Chosen != nil {
			dst.Chosen[i] -= w
		}
	}
	return nil
}

const noTokens = "a mean over no tokens"
