// Package coverage measures how far a policy π has moved from its reference π_ref:
// the quantity on which the guarantees of offline and online preference optimization
// depend (Song et al. 2024, arXiv:2406.01462).
//
// Everything is a function of log-probabilities in nats. Exact quantities take whole
// distributions over enumerable responses; estimates take the log-probabilities of
// samples, and come with a standard error.
//
// # Notation
//
// ℓ(y) = log π(y|x) − log π_ref(y|x). "Reverse KL" is KL(π‖π_ref) = E_π[ℓ].
//
// # From samples
//
// With y ~ π, the mean of ℓ (called k1) is an unbiased estimate of the reverse KL.
// Samples of one prompt are not independent of each other, so the standard error is
// that of the mean over prompts: see [KLEstimator].
package coverage
