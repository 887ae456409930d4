package main

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/coverage"
)

const (
	offline     = "offline"
	addOnlineKL = "add-online-kl"
	unreliable  = "unreliable"
)

// words puts a verdict into words.
var words = map[string]string{
	offline:     "no evidence against training offline",
	addOnlineKL: "add online KL regularisation",
	unreliable:  "these estimates cannot be trusted",
}

// origin names a source in a sentence.
var origin = map[coverage.Source]string{coverage.FromPolicy: "policy", coverage.FromRef: "reference"}

// finding is one reason, and the verdict that it speaks for.
type finding struct{ verdict, reason string }

// verdict weighs what was found. Evidence that the policy is far counts first, for one way to
// be far is enough; then doubts, for offline needs every one resolved.
func verdict(r *result, c *config) (string, []string) {
	findings := []finding{distant(r, c), beyond(r, c)}
	findings = append(findings, byFeatures(r, c)...)
	findings = append(findings, doubts(r, c)...)
	for _, v := range []string{addOnlineKL, unreliable, offline} {
		var reasons []string
		for _, f := range findings {
			if f.verdict == v {
				reasons = append(reasons, f.reason)
			}
		}
		if len(reasons) == 0 {
			continue
		}
		if more := moreSamples(r, c); more != "" {
			reasons = append(reasons, more)
		}
		return v, reasons
	}
	panic("coverage: no finding") // distant always has one
}

// certified says whether what was estimated may speak: that of the policy's own samples, and
// that of the reference's if the weights are.
func (r *result) certified() bool {
	return r.facts.source == coverage.FromPolicy || r.trusted()
}

// trusted says whether a few weights do not dominate: by k̂, or because the largest weight is
// a common one.
func (r *result) trusted() bool { return r.Khat.Reliable || r.facts.tied }

func distant(r *result, c *config) finding {
	f := &r.facts
	if f.outside {
		return finding{addOnlineKL, "KL(π‖π_ref) is infinite: the policy gave a reply that the reference never gives, and no offline sample can show"}
	}
	what := fmt.Sprintf("KL(π‖π_ref) is %s %s nats%s", num(f.kl.Value), interval(f.kl), f.by())
	switch {
	case float64(f.kl.Lo) > c.MaxKL && r.certified() && f.prompts >= c.MinPrompts:
		return finding{addOnlineKL, what + fmt.Sprintf(", above the limit of %g", c.MaxKL)}
	case float64(f.kl.Lo) > c.MaxKL:
		return finding{unreliable, what + fmt.Sprintf(", which is above the limit of %g if it can be trusted", c.MaxKL)}
	case float64(f.kl.Hi) <= c.MaxKL:
		return finding{offline, what + fmt.Sprintf(", below the limit of %g", c.MaxKL)}
	}
	return finding{unreliable, what + fmt.Sprintf(": on which side of the limit of %g it is remains open", c.MaxKL)}
}

// by says how KL and profile were estimated.
func (f *facts) by() string {
	if f.source == coverage.FromRef {
		return ", by importance weights"
	}
	return ""
}

func beyond(r *result, c *config) finding {
	p := r.facts.beyond
	what := fmt.Sprintf("%s %s of the policy's replies are ones that it gives at least %g times as often as the reference%s",
		percent(p.P), percentInterval(p), c.Ratio, r.facts.by())
	switch {
	case float64(p.Lo) > c.MaxShare && r.certified() && r.facts.prompts >= c.MinPrompts:
		return finding{addOnlineKL, what + fmt.Sprintf(", above the limit of %s", percent(number(c.MaxShare)))}
	case float64(p.Lo) > c.MaxShare:
		return finding{unreliable, what + fmt.Sprintf(", which is above the limit of %s if it can be trusted", percent(number(c.MaxShare)))}
	case float64(p.Hi) <= c.MaxShare:
		return finding{offline, what + fmt.Sprintf(", below the limit of %s", percent(number(c.MaxShare)))}
	}
	return finding{unreliable, what + fmt.Sprintf(": on which side of the limit of %s that is remains open", percent(number(c.MaxShare)))}
}

func byFeatures(r *result, c *config) []finding {
	f := r.Features
	if f == nil {
		return nil
	}
	switch {
	case float64(f.Outside) > c.MaxOutside:
		return []finding{{addOnlineKL, fmt.Sprintf("%s of the policy's replies differ in a direction of features in which no two replies of the data do (%d pairs span %d of %d dimensions)",
			percent(f.Outside), f.pairs, f.rank, f.dim)}}
	case f.Outside == 0 && float64(f.Kappa) > c.MaxKappa:
		return []finding{{addOnlineKL, fmt.Sprintf("in some direction of features the policy varies κ = %s times as much as the data, above the limit of %g", num(f.Kappa), c.MaxKappa)}}
	}
	return []finding{{offline, fmt.Sprintf("features: κ = %s, and %s of the policy's replies are outside of what the data spans", num(f.Kappa), percent(f.Outside))}}
}

func doubts(r *result, c *config) []finding {
	var out []finding
	doubt := func(format string, args ...any) { out = append(out, finding{unreliable, fmt.Sprintf(format, args...)}) }
	if r.facts.prompts < c.MinPrompts {
		doubt("%s: intervals need at least %d, for the samples of one are not independent", plural(r.facts.prompts, "prompt"), c.MinPrompts)
	}
	if r.Khat == nil {
		return out
	}
	switch {
	case r.Khat.Reliable:
		out = append(out, finding{offline, fmt.Sprintf("k̂ = %s, below %s: importance weights can be trusted", num(r.Khat.Value), num(r.Khat.Threshold))})
	case r.facts.tied:
		out = append(out, finding{offline, "the largest importance weight is a common one, so no rare sample dominates, and k̂ has no tail to fit"})
	case math.IsInf(float64(r.Khat.Value), 1):
		doubt("k̂ cannot be fitted: too few of the weights of the %s from the reference stand out", plural(r.N.Ref, "sample"))
	default:
		doubt("k̂ = %s, not below %s: a few of the reference's samples carry most of the weight", num(r.Khat.Value), num(r.Khat.Threshold))
	}
	if float64(r.ESS.Value) < c.MinESS {
		doubt("%s from the reference are worth %s of the policy (ESS), fewer than %g", plural(r.N.Ref, "sample"), num(r.ESS.Value), c.MinESS)
	}
	if m := r.facts.meanWeight; math.Abs(float64(m.Value-1)) > 3*float64(m.SE)+slack && (m.Lo > 1 || m.Hi < 1) {
		doubt("the importance weights have the mean %s %s, which should be 1: samples or log-probabilities are not those of the reference, or part of the policy is where no sample came",
			num(m.Value), interval(*m))
	}
	return out
}

// slack is what log-probabilities in float32 may do to a mean weight.
const slack = 1e-3

// moreSamples says how many more would help, where the variance of the weights exists.
func moreSamples(r *result, c *config) string {
	f := &r.facts
	half := float64(f.kl.Hi-f.kl.Lo) / 2
	if r.Khat == nil || float64(r.Khat.Value) >= 0.5 || !(half > c.Precision) || half > 1e3*c.Precision {
		return ""
	}
	prompts := math.Ceil(float64(f.prompts) * (half*half/(c.Precision*c.Precision) - 1))
	return fmt.Sprintf("to know the KL to ±%g nats takes about %s more of the %s, on %s more",
		c.Precision, plural(int(math.Ceil(prompts*f.perPrompt)), "sample"), origin[f.source], plural(int(prompts), "prompt"))
}
