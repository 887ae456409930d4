package loss

// LogRatioOf says over what a log-ratio is taken, where published implementations of one
// formula disagree. It has no default.
type LogRatioOf uint8

const (
	Sum  LogRatioOf = iota + 1 // the whole reply, Σ_t log π/π_ref
	Mean                       // the mean over its tokens; needs ChosenLen and RejectedLen
)

// IPO is Identity Preference Optimization,
//
//	(h − 1/(2τ))²,   h = ℓ(y⁺) − ℓ(y⁻)
//
// (Azar et al. 2023, arXiv:2310.12036, equation 17). Unlike [DPO] it has a minimiser even
// for deterministic labels: a margin of 1/(2τ), or (p − ½)/τ for labels won with
// probability p. At initialisation each pair costs 1/(4τ²).
//
// The paper's h is a sum over tokens, and so is OpenRLHF's; TRL and the paper's authors'
// later advice take the mean per token. LogRatio says which, and must be set. Tau must be
// positive; 0.1 is common with means.
type IPO struct {
	Tau      float64
	LogRatio LogRatioOf
}

// Eval implements [Pairwise]. Its implicit rewards are the log-ratios, without a factor.
func (l IPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	link := Squared{1 / (2 * l.Tau)}
	if !(l.Tau > 0) || !isFinite(l.Tau) || !isFinite(link.Target) {
		return Total{}, &ParamError{"IPO.Tau", l.Tau, "positive and finite, and so must 1/(2·Tau) be"}
	}
	var t Total
	var err error
	switch l.LogRatio {
	case Sum:
		t, err = contrast(dst, b, LogRatio{}, link, 1, 0)
	case Mean:
		t, err = contrast(dst, b, MeanLogRatio{}, link, 1, 0)
	default:
		err = &ParamError{"IPO.LogRatio", float64(l.LogRatio), "loss.Sum or loss.Mean"}
	}
	return t, err
}
