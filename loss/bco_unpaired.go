package loss

// BCOUnpaired is Binary Classifier Optimization, the log-loss of a classifier of single
// replies whose logit is the implicit reward,
//
//	−log σ(β·ℓ(y) − δ)   for a desirable reply
//	−log σ(δ − β·ℓ(y))   for an undesirable one
//
// (Jung et al. 2024, arXiv:2404.04656). On pairs it is an upper bound of [DPO], and the
// reward shift δ tightens it; [RewardShift] keeps it. The paper's weights of undesirable
// replies, by how much their prompts resemble those of desirable ones, go into
// Unpaired.Weight.
//
// With δ held it is a logistic regression: where a reply gets both verdicts its log-ratio
// has a unique minimiser, β·ℓ(y) = δ + log(P(desirable)/P(undesirable)); for deterministic
// verdicts there is none and rewards grow for ever.
//
// Beta must be positive; 0.1 is common. Delta is δ, finite, in units of reward: the zero
// value is no shift. It uses LogProb, Ref, Desirable and Weight of [Unpaired].
type BCOUnpaired struct {
	Beta  float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Delta float64
}

var _ Pointwise = BCOUnpaired{}

// Eval implements [Pointwise].
func (l BCOUnpaired) Eval(dst UnpairedOut, b Unpaired) (Total, error) {
	return classifier[LogRatio, Logistic]{beta: l.Beta, shift: l.Delta, desirable: 1, undesirable: 1}.eval(dst, b,
		positive("BCOUnpaired.Beta", l.Beta), finiteParam("BCOUnpaired.Delta", l.Delta))
}
