// Package loss holds the objectives of preference optimization as functions of
// log-probabilities: numbers in, a value and its exact derivative with respect to each
// log-probability out. It knows no model; a policy's pullback contracts the derivatives
// with ∇θ log π.
//
// # Notation
//
// For a prompt x with a chosen reply y⁺ and a rejected reply y⁻, π is the policy that is
// trained and π_ref the frozen reference. All log-probabilities are those of whole
// replies, in nats: sums over tokens.
//
//	ℓ(y) = log π(y|x) − log π_ref(y|x)          log-ratio
//	σ(z) = 1/(1+e⁻ᶻ),  log σ(z) = −log(1+e⁻ᶻ)   logistic function
//
// # How an objective is built
//
// A pairwise objective is a [Score], which maps a reply's log-probabilities to a score s,
// followed by a [Link] on the margin of the two scores: [Contrast] is
//
//	Σᵢ link(β·(s⁺ᵢ − s⁻ᵢ) − γ)
//
// and [DPO] and [IPO] are short names for such compositions. [NLL] trains on
// demonstrations, [BradleyTerry] fits a reward model. The online objectives, [RLHF] and
// [KLPenalty], take samples from π; [HyPO] is a pairwise objective plus a KLPenalty.
//
// # Conventions
//
// Batches are structures of slices. Destinations come first, are owned by the caller,
// and a nil slice means that the quantity is not wanted. They must not overlap the batch
// or each other. Nothing is allocated in steady state and nothing is retained.
//
// Values are sums over the batch, never means; the returned [Total] has the count, and
// the caller owns the denominator. So a batch split in any way gives the same gradient,
// up to the order of summation.
//
// Slices whose lengths do not fit together panic, also those that an objective does not
// use. NaN, a log-probability of +Inf, or two infinities whose difference has no limit are
// an [*InputError] that names field, index and value; a parameter outside its range is a
// [*ParamError]. After an error the destinations are unspecified. A log-probability of −Inf
// is legal where the loss has a limit there, and gives it, even if that limit is +Inf.
// Log-probabilities above 0 are those of densities, and legal.
package loss
