// Package rloo holds what stands between rewards and the weights of a policy gradient:
// advantages of samples and of tokens, estimators of the gradient of a KL, and what is
// known of their bias and variance. REINFORCE with a leave-one-out baseline (RLOO) is the
// first of them.
//
// # Notation
//
// For a prompt x, y₁ … y_k are draws from the current policy π = π_θ; ℓᵢ = log π(yᵢ|x) −
// log π_ref(yᵢ|x) is a log-ratio and rᵢ a reward. Slices are flat: the samples of a prompt
// stand together, k for each prompt or as [Groups] says. Tokens of replies stand in flat
// slices that a [Layout] divides.
//
// # The estimator
//
// For a quantity f(y) that does not depend on θ, ∇ E_π[f] = E_π[f(y)·∇ log π(y)].
// Subtracting from fᵢ the mean of the other k−1 samples leaves the expectation as it
// is, because that mean is independent of yᵢ and E_π[∇ log π] = 0:
//
//	Aᵢ = fᵢ − (1/(k−1))·Σ_{j≠i} f_j = (k/(k−1))·(fᵢ − mean f)
//	∇ E_π[f] ≈ (1/k)·Σᵢ Aᵢ·∇ log π(yᵢ)
//
// (Kool, van Hoof, Welling 2019; Ahmadian et al. 2024, arXiv:2402.14740.) The draws
// must be independent: a leave-one-out baseline of antithetic, stratified or distinct
// draws biases the estimate, and is refused with [ErrDependent] where Groups say so.
//
// The estimate is unbiased. Its variance need not be smaller than that of REINFORCE
// without a baseline: per coordinate of the score s, with c = f − E_π[f] and g the
// gradient,
//
//	Var = (1/k)·[E s²c² − ((k−2)/(k−1))·g² + E[s²]·E[c²]/(k−1)]
//
// # Advantages
//
// An [Advantage] turns the rewards of a batch into weights. What the mean of
// (1/n)·Σᵢ Aᵢ·∇ log π(yᵢ) is, if all groups have k of the n samples:
//
//	                  baseline                       mean
//	RLOO              mean of the others             ∇ E[r]
//	ReMax             greedy reply, or V(x)          ∇ E[r]
//	OptimalBaseline   weighted mean of the others    ∇ E[r]
//	ControlVariate    line in V(x), of the others    ∇ E[r]
//	PassAtK           best of K−1 others             ∇ E[max of K rewards]
//	MaxRL             mean, over it; r is 0 or 1     ∇ log p, its first k−1 terms
//	GroupMean         mean                           (k−1)/k·∇ E[r]
//	GPG               mean; over n/m                 a factor for each prompt
//	RLOOStandardised  mean and spread of the others  a factor for each prompt
//	Whitened          mean and spread of the batch   nearly one factor for all prompts
//	Standardised      mean and spread                another direction, unless r is 0 or 1
//	GDPO              the same of several rewards    another direction
//	OPO               mean weighted by lengths       another direction
//
// Each type says more. A factor for each prompt means that prompts are weighed by what the
// policy does on them. Groups of one and groups of equal rewards are counted in [Signal]:
// they have advantages 0 where the baseline is from their own samples. No advantage is NaN,
// and statistics are taken of differences to a first element: a common offset costs no
// digits, and equal rewards give exactly 0, with ε = 0 too.
//
// # Tokens
//
// [Spread] gives each token of a reply the advantage of the reply, which is exact for rewards
// of whole replies. [RewardToGo] gives a token the rewards from it on, [GAE] takes a value
// function to trade variance for bias and tells replies that ended from those that were cut
// off; [OptimalTokenBaseline] compares tokens with those of the other replies;
// [ReinforcePlusPlus] and [WhitenTokens] divide by the spread of the batch. Masked tokens
// are never read, and whether time passes in them is said.
//
// # KL
//
// [KL] and [Reward] apply the leave-one-out baseline to f = ℓ and to f = r − β·ℓ; ℓ itself
// depends on θ, but the extra term E_π[∇ℓ] = E_π[∇ log π] is 0. A [KLValue] (k1, k2, k3) is a
// value; which gradient it gives depends on whether it is differentiated. These functions are
// named by the divergence whose gradient they give. For replies (the zero [Layout]) and for
// sequences by tokens they are
//
//	                    mean, replies      mean, tokens
//	ReverseKL           ∇ KL(π‖π_ref)      ∇ KL(π‖π_ref) of sequences
//	ForwardKL           ∇ KL(π_ref‖π)      ∇ KL(π_ref‖π) of sequences
//	ReverseKLInLoss     ∇ KL(π‖π_ref)      next-token KLs, prefixes held fixed
//	ForwardKLInLoss     ∇ KL(π_ref‖π)      next-token KLs, prefixes held fixed
//	SequenceSum                            ∇ KL(π‖π_ref), or ∇ H(π), with exact next-token terms
//	Entropy             ∇ H(π)             ∇ H(π) of sequences
//	Distill             −∇ KL(π‖π_T)       γ = 1: of sequences; γ = 0: prefixes held fixed
//
// [RegularisedReward] joins an [Advantage] and the KL. A [Controller] moves the coefficient:
// [Fixed], [Adaptive] by a factor, [Dual] to a budget. [JSD] is the divergence from a teacher's
// logits with its derivatives.
//
// # Other policies' samples
//
// [Reweight] multiplies weights by importance ratios, exact for those of whole replies;
// [Rejection] leaves tokens or replies out, which is a bias.
//
// # Bias and variance
//
// [GradientStats] measures the noise of an estimator, [Components] splits it into what more
// samples and what more prompts reduce, and [Exact] computes mean, bias and variance without
// sampling where responses can be enumerated.
//
// # Denominators
//
// Weights are those of a sum over samples. The caller divides by the number of
// samples of the whole step, so splitting a step into micro-batches changes nothing, where
// advantages are formed within groups; those that look at the whole batch say so. Groups are
// never split. Ragged groups weigh prompts by their samples; to weigh prompts alike, multiply
// by n/(prompts·k) for each group of k.
//
// docs/online.md says which of them is for which situation, and what goes wrong.
package rloo
