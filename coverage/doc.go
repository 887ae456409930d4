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
// # Exact, for enumerable responses
//
// [KL], [ChiSquare], [Renyi], [MaxLogRatio] and [Profile] compare two distributions;
// [Joint] makes one of all prompts. Coverage coefficients bound the largest w = π/π_ref of
// a set of policies: [LogGlobal] of all policies, [LogBallPrompt] of those with
// KL(π‖π_ref) ≤ ε at each prompt, [LogBallAverage] of those with E_x KL(π‖π_ref) ≤ ε.
// [Concentrability] is that of one comparator, [BestOfN] an important one.
//
// Coefficients are returned as logarithms, for a reference may give a response the
// probability 1e-300, or 0: a budget in KL forbids mass there, C_glo is +Inf. Throughout,
// 0/0 is 0, and p > 0 = q gives +Inf and never NaN. An argument outside its domain gives
// NaN, as in package math.
//
// # Features
//
// For log-linear policies coverage is that of directions φ(y) − φ(y'). [SecondMoment] holds
// Σ_{μ×ν} = E_x E_{y~μ, y'~ν}[(φ(y)−φ(y'))(φ(y)−φ(y'))ᵀ], [Metric] measures directions
// against it: the leverage xᵀΣ†x, and the relative condition number κ. Outside the range of
// Σ both are +Inf. [GOptimal] says from which points to collect data, [LinearBallAverage]
// encloses C_ε of the class between two bounds. [GapClass] and its siblings turn coverage
// and a reward error into a guaranteed gap.
//
// # From samples
//
// With y ~ π, the mean of ℓ (called k1) is an unbiased estimate of the reverse KL.
// Samples of one prompt are not independent of each other, so the standard error is
// that of the mean over prompts: see [KLEstimator].
//
// With y ~ π_ref, the weights w = e^ℓ make means over π_ref those over π. Whether a few of
// them dominate is what k̂ tells, the shape of a Pareto distribution fitted to the largest:
// [PSIS] fits and smooths weights, [Tail] fits those of a stream. The largest ratio of a sample
// is a lower bound of the coverage, never an estimate of it.
//
// Accumulators take a [Batch] of samples of π, of π_ref or of a known mixture, one pass and
// bounded memory: [Moments] for Rényi divergences, χ² and ESS, [Histogram] for the coverage
// profile, [Tail] for k̂; [PromptKL] grows with the number of prompts, and names the worst.
// Each merges with others of its configuration and has a versioned binary encoding, so
// that shards can be computed anywhere. Intervals come from a Poisson bootstrap over prompts,
// whose weights are hashed from prompt id and replicate: shards agree on them. For
// independent samples, one for each prompt, [DKW], [ClopperPearson] and
// [EmpiricalBernstein] give intervals that hold for every number of them.
//
// [DataMass] and [FeatureCoverage] ask how much of a policy is where preference pairs are.
package coverage
