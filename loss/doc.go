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
// followed by a [Link] on the margin of the two scores, or by a [JointLink] on both:
//
//	Σᵢ link(β·(s⁺ᵢ − s⁻ᵢ) − γ)     [Contrast]
//	Σᵢ link(β·s⁺ᵢ, β·s⁻ᵢ)          [Joint]
//
// The named objectives are short names for such compositions, and whoever needs one that has
// no name writes it down in a line. By what they change of [DPO]:
//
//   - the link: [RobustDPO], [IPO], [RSO], [EXO], [DiscoPOP], any other by [GPO];
//   - the score: [FDPO] and [ChiPO] for other divergences, [NormDPO] and [RDPO] for lengths,
//     [DPOP]; without a reference [CPO], [SimPO], [AlphaPO], [ORPO], and with a third reply
//     [TPO], [TPOL], [SLiC];
//   - the margin: [ODPO];
//   - both rewards instead of their difference: [NCA], [BCOPair], [SPPO], [CalDPO], [APOZero],
//     [APODown];
//   - further terms: [RPO] and [ChosenNLL], [XPO] and [VPO], and [MPO], which adds any.
//
// Single replies with a verdict have [Binary], of which [KTO], [BCOUnpaired] and
// [APOUnpaired] are instances; rankings have [PlackettLuce] and [SPPOKWise]. [AOT],
// [AOTUnpaired] and [BetaDPO] look at a batch as a whole and say so: [Coupled]. [LDDPO],
// [TDPO1], [TDPO2] and [WPO] look at tokens, and [Summed] or [Averaged] make a token-level
// objective of a pairwise one. [NLL], [TokenNLL] and [DFT] train on demonstrations,
// [BradleyTerry] and [ProcessReward] fit reward models. The online objectives, [RLHF] and
// [KLPenalty], take samples from π; [HyPO] is a pairwise objective plus a KLPenalty.
//
// docs/losses.md has all of them in one table, with what each optimises and where it fails.
//
// # Policy gradients
//
// A [PolicyGradient] takes [Rollouts], replies drawn from an older policy π_old with an advantage
// A_t at each token, and is a [Ratio], which says what stands for π/π_old, and a [Gain], which
// says what it is worth, or a [Factor], by which A_t·log π is multiplied:
//
//	Σᵢ Σ_t scaleᵢ·Weight_t·loss(ρ_t, A_t)                   [Surrogate]
//	−Σᵢ Σ_t scaleᵢ·Weight_t·sg(c(ρ_t, A_t))·A_t·log π_t     [Detached]
//
// where sg(·) is held while differentiating, and scale by the [Aggregation] 1 or 1/|y|. Of the
// first kind are [PPO], [RLOO], [GRPO], [DrGRPO], [DAPO], [GSPO], [GSPOToken], [LUSPO], [GMPO] and
// [SAPO]; of the second [Reinforce], [CISPO] and [VESPO]. [KLCov] adds a penalty on chosen tokens, and
// [ClipCov] and the masks ([TokenMask]) take tokens away before a loss sees them. [ReverseKLTerm],
// [ForwardKLTerm] and [EntropyBonus] are terms, and [PolicyTerms] adds them. [AStarPO] and
// [REBEL] are regressions, [ValueLoss] is that of a value function. Advantages come from package
// rloo. Where clipping and the like have a bias, the type says so.
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
// Log-probabilities above 0 are those of densities, and legal but for odds. A derivative is
// the limit where the chain rule multiplies 0 by ∞.
//
// [Curved] and [JointCurved] objectives are convex and smooth, and give second derivatives,
// with which a policy that is linear in its parameters can be fitted by Newton's method.
package loss
