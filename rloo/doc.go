// Package rloo holds the REINFORCE leave-one-out estimators: from k independent
// samples of each prompt to one weight per sample, which a policy's pullback turns
// into a gradient.
//
// # Notation
//
// For a prompt x, y₁ … y_k are independent draws from the current policy π = π_θ;
// ℓᵢ = log π(yᵢ|x) − log π_ref(yᵢ|x) is a log-ratio and rᵢ a reward. Slices are flat:
// the samples of one prompt are k consecutive elements, and their length is a
// multiple of k.
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
// draws biases the estimate. [KL] and [Reward] apply it to f = ℓ and to f = r − β·ℓ; ℓ
// itself depends on θ, but the extra term E_π[∇ℓ] = E_π[∇ log π] is 0.
//
// The estimate is unbiased. Its variance need not be smaller than that of REINFORCE
// without a baseline: per coordinate of the score s, with c = ℓ − KL and g the
// gradient,
//
//	Var = (1/k)·[E s²c² − ((k−2)/(k−1))·g² + E[s²]·E[c²]/(k−1)]
//
// # Denominators
//
// Weights are those of a sum over samples. The caller divides by the number of
// samples of the whole step, so splitting a step into micro-batches changes nothing.
// Groups are never split.
package rloo
