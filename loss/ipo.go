package loss

// LogRatioOf says over what a log-ratio or a likelihood is taken, where published
// implementations of one formula disagree. It has no default.
type LogRatioOf uint8

const (
	Sum  LogRatioOf = iota + 1 // the whole reply, Σ_t log π/π_ref
	Mean                       // the mean over its tokens; needs ChosenLen and RejectedLen
)

func (of LogRatioOf) check(param string) error {
	if of != Sum && of != Mean {
		return &ParamError{param, float64(of), "loss.Sum or loss.Mean"}
	}
	return nil
}

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
// positive; 0.1 is common with means. It uses Chosen, Rejected, RefChosen, RefRejected and
// Weight of [Pairs], and ChosenLen and RejectedLen for means.
type IPO struct {
	Tau      float64
	LogRatio LogRatioOf
}

// Eval implements [Pairwise]. Its implicit rewards are the log-ratios, without a factor.
func (l IPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	if l.LogRatio == Mean {
		return ipo(l, MeanLogRatio{}).eval(dst, b)
	}
	return ipo(l, LogRatio{}).eval(dst, b)
}

// Curvature implements [Curved].
func (l IPO) Curvature(dst []float64, b Pairs) error {
	if l.LogRatio == Mean {
		return curvature(ipo(l, MeanLogRatio{}), dst, b)
	}
	return curvature(ipo(l, LogRatio{}), dst, b)
}

func ipo[S Score](l IPO, score S) margined[S, Squared] {
	target := 1 / (2 * l.Tau)
	var err error
	if !(l.Tau > 0) || !isFinite(l.Tau) || !isFinite(target) {
		err = &ParamError{"IPO.Tau", l.Tau, "positive and finite, and so must 1/(2·Tau) be"}
	}
	return compose(score, Squared{target}, 1, 0, err, l.LogRatio.check("IPO.LogRatio"))
}
