package rloo

// RewardToGo is the discounted sum of the rewards of a token and those after it,
//
//	G_t = Σ_{u≥t} γ^{u−t}·r_u
//
// [GAE] with λ = 1 and no value function. The weights G_t give an unbiased gradient of the sum
// of rewards with γ = 1. Discounts below 1 leave out what later rewards owe to earlier tokens
// (and the factor γᵗ in front, as is usual), a bias for less variance. The zero value has γ = 0:
// each token answers for its own reward. Through is that of [GAE].
type RewardToGo struct {
	Gamma   float64 // in [0, 1]
	Through bool
}

// Eval stores in dst, which may be reward, the sums of reward, whose replies l divides; 0 at
// prompt and masked positions. Errors and panics are those of [GAE].
func (e RewardToGo) Eval(dst, reward []float64, l Layout) error {
	if err := unit("RewardToGo.Gamma", e.Gamma); err != nil {
		return err
	}
	if dst == nil && len(reward) > 0 {
		panic(badLength)
	}
	return discount(TokenAdvantages{Advantage: dst}, Trajectories{Layout: l, Reward: reward}, e.Gamma, 1, e.Through)
}

// ReinforcePlusPlus is the token level of REINFORCE++: [RewardToGo] of rewards that hold the
// KL of each token,
//
//	r_t = [t is the last token]·r − β·(log π(y_t|…) − log π_ref(y_t|…))
//
// which the caller forms, whitened over all tokens of the batch ([WhitenTokens]). It needs no
// group and no value function.
//
// Biased: the whitening divides by a spread of the same samples, and its mean is weighted by
// the lengths of replies. The call has to see the whole step. Of its zero value γ = 0 is
// seldom meant: the paper has γ = 1.
//
// Source: Hu et al. 2025 (arXiv:2501.03262).
type ReinforcePlusPlus struct {
	RewardToGo
	Std
}

// Eval stores in dst, which may be reward, the advantages of tokens that earn reward.
// Errors and panics are those of [RewardToGo.Eval] and [WhitenTokens].
func (e ReinforcePlusPlus) Eval(dst, reward []float64, l Layout) error {
	if err := e.RewardToGo.Eval(dst, reward, l); err != nil {
		return err
	}
	return WhitenTokens(dst, dst, l, e.Std)
}
