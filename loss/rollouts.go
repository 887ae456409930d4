package loss

// Rollouts is a batch of replies that were drawn from a policy, with what a policy-gradient
// loss needs to know of each token. Slices that an objective does not use may be nil, and are
// as long as the others if not; an objective panics where one that it does use is nil.
//
// Three distributions must be told apart. The behaviour μ is what replies were really drawn
// from: a server with its own numerics, with temperature or top-p. π_old is the policy as it
// was then, recomputed with the numerics of π, so that ρ = π/π_old is exactly 1 before the first
// step. π is the policy that is trained. Ratios and their clipping are of π and π_old; how far
// μ is from π_old goes into Weight or a mask.
type Rollouts struct {
	Layout
	LogProb []float64 // log π(y_t|x, y_<t)
	// Old is log π_old(y_t|x, y_<t). Nil is LogProb itself: a batch that is used for one step
	// has ρ = 1, with a derivative all the same.
	Old []float64
	Ref []float64 // log π_ref(y_t|x, y_<t), for a KL term
	// Advantage is A_t. An advantage of a whole reply stands at each of its tokens.
	Advantage []float64
	// Weight, nil for 1, is a factor of each token's surrogate loss, finite and not negative,
	// without a derivative: a truncated π_old/μ, for instance. Terms that have no advantage, a
	// KL or an entropy, are not weighted.
	Weight    []float64
	Entropy   []float64 // H(π(·|x, y_<t)), nats, for [EntropyBonus] and [TopEntropy]
	Behaviour []float64 // log μ(y_t|x, y_<t), for masks; no loss reads it
	Truncated []bool    // per reply, whether it was cut off, for [DropTruncated]; no loss reads it
}

// RolloutsOut receives what an objective makes of Rollouts; slices may be nil where not wanted.
type RolloutsOut struct {
	Loss []float64 // the loss of each reply, aggregated over its tokens
	// LogProb is ∂L/∂log π(y_t), L = Σ Loss, with what the objective detaches held: then it is the
	// weight of ∇ log π(y_t) and no derivative of the value in Loss.
	LogProb []float64
	Entropy []float64 // ∂L/∂H_t, of each token's entropy
}

// RolloutsTotal sums up a batch: sums and counts alone, so that micro-batches and objectives
// add. What is a fraction to a reader is a count over Tokens here.
type RolloutsTotal struct {
	TokenTotal

	// ClippedLow and ClippedHigh count tokens that a bound on the ratio changed: where it took
	// the derivative away or, for a factor without a derivative, limited it. DualClipped counts
	// those of negative advantage that the second upper bound changed; they are in ClippedHigh
	// as well.
	ClippedLow, ClippedHigh, DualClipped int

	// K1 and K3 are Σ (log π_old − log π) and Σ (ρ − 1 − log ρ) over tokens. Over Tokens, both
	// estimate KL(π_old‖π) per token, if replies are from π_old.
	K1, K3 float64

	Entropy float64 // Σ H_t, if Rollouts.Entropy is there
	Signals int     // tokens with an advantage other than 0
	Masked  int     // reply tokens that Mask leaves out
	Empty   int     // replies of which no token counts: they are in Sequences, and have a loss of 0
}

// Add adds o to t.
func (t *RolloutsTotal) Add(o RolloutsTotal) {
	t.TokenTotal.Add(o.TokenTotal)
	t.ClippedLow += o.ClippedLow
	t.ClippedHigh += o.ClippedHigh
	t.DualClipped += o.DualClipped
	t.K1 += o.K1
	t.K3 += o.K3
	t.Entropy += o.Entropy
	t.Signals += o.Signals
	t.Masked += o.Masked
	t.Empty += o.Empty
}

// PolicyGradient is an objective on replies drawn from a policy, whose advantages are given;
// train.PolicyGradient draws, rates and takes one of these. Its [InputError]s name
// positions in flat slices. Implementations are values without state, safe for concurrent use.
//
// Values are sums and the caller owns the denominator, which with the [Aggregation] is what
// papers and libraries disagree on:
//
//	token mean                   SumTokens     Sum / Tokens
//	sequence mean of sums        SumTokens     Sum / Sequences
//	constant length L            SumTokens     Sum / (Sequences·L), or Sum / L where a library has that
//	sequence mean of means       MeanTokens    Sum / Sequences
//
// each over the whole step. A reply of which no token counts is in Sequences; a mean over the
// others has the denominator Sequences − Empty.
type PolicyGradient interface {
	Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error)
}

// check panics where lengths do not fit.
func (b Rollouts) check() {
	n := len(b.LogProb)
	b.Layout.check(n)
	sized(n, b.Old, b.Ref, b.Advantage, b.Weight, b.Entropy, b.Behaviour)
	sized(b.Len(), b.Truncated)
}

func (o RolloutsOut) check(b Rollouts) {
	sized(b.Len(), o.Loss)
	sized(len(b.LogProb), o.LogProb, o.Entropy)
}

// advantaged panics without advantages.
func (b Rollouts) advantaged() {
	if b.Advantage == nil && len(b.LogProb) > 0 {
		panic(noAdvantage)
	}
}

const noAdvantage = "loss: Rollouts without Advantage, which the objective uses"
