package main

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

type number = jsonnum.Float

// result is what -json prints.
type result struct {
	N        counts         `json:"n"`
	KL       *klResult      `json:"kl"`
	Chi2     *sourced       `json:"chi2"`
	Renyi    *renyiResult   `json:"renyi"`
	ESS      *essResult     `json:"ess"`
	Khat     *khatResult    `json:"khat"`
	Profile  []profilePoint `json:"profile"`
	Worst    []worstPrompt  `json:"worst_prompts"`
	Features *featureResult `json:"features"`
	Verdict  string         `json:"verdict"`
	Reasons  []string       `json:"reasons"`

	facts facts
}

// facts is what verdict and text know beyond the JSON.
type facts struct {
	source     coverage.Source // of everything but k̂ and ESS
	kl         estimate        // k1, by importance weights where there are no samples of the policy
	prompts    int             // with samples of that source
	outside    bool            // a sample of the policy has π_ref = 0
	beyond     profilePoint    // the profile at the ratio of the verdict
	meanWeight *estimate       // E_ref[w], which is 1; nil without samples of the reference
	tied       bool            // k̂ says no, but the largest weight is a common one
	perPrompt  float64         // samples of the source on a prompt
	length     float64         // mean, in tokens; NaN: unknown
	pairs      int
}

type counts struct {
	Policy  int `json:"policy"`
	Ref     int `json:"ref"`
	Prompts int `json:"prompts"`
	Skipped int `json:"skipped"`
}

type estimate struct {
	Value number `json:"value"`
	SE    number `json:"se"`
	Lo    number `json:"lo"`
	Hi    number `json:"hi"`
}

type klResult struct {
	K1 estimate `json:"k1"`
	K3 estimate `json:"k3"`
}

type sourced struct {
	estimate
	Source string `json:"source"`
}

type renyiResult struct {
	Half    estimate `json:"0.5"`
	Two     estimate `json:"2"`
	InfSeen number   `json:"inf_seen"`
	Source  string   `json:"source"`
}

type essResult struct {
	Value    number `json:"value"`
	Fraction number `json:"fraction"`
}

type khatResult struct {
	Value     number `json:"value"`
	Threshold number `json:"threshold"`
	Reliable  bool   `json:"reliable"`
}

type profilePoint struct {
	N  number `json:"n"`
	P  number `json:"p"`
	Lo number `json:"lo"`
	Hi number `json:"hi"`
}

type worstPrompt struct {
	Prompt      json.RawMessage `json:"prompt"`
	KL          number          `json:"kl"`
	MaxLogRatio number          `json:"max_log_ratio"`
}

type featureResult struct {
	Kappa   number `json:"kappa"`
	Outside number `json:"outside"`

	rank, dim, pairs int // of the data
}

// result computes what the samples say, and the verdict.
func (a *audit) result(c *config) (*result, error) {
	for _, s := range a.sides {
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
	policy, ref := a.sides[coverage.FromPolicy], a.sides[coverage.FromRef]
	r := &result{N: counts{policy.n(), ref.n(), len(a.names), a.skipped}}
	main := policy
	if r.N.Policy == 0 {
		main = ref
	}
	if err := ref.weights(r, c.MaxKhat); err != nil {
		return nil, err
	}
	main.distance(r)
	r.Renyi.InfSeen = number(max(policy.top, ref.top))
	r.Worst = a.worst(main)
	var err error
	if r.Features, err = a.features.result(); err != nil {
		return nil, err
	}
	r.facts.pairs = a.pairs
	r.Verdict, r.Reasons = verdict(r, c)
	return r, nil
}

// distance fills in what either source says about how far the policy is.
func (s *side) distance(r *result) {
	k1, k3 := s.kl.Result()
	f := &r.facts
	f.source, f.kl, f.prompts = s.source, ofMean(k1), k1.N
	f.perPrompt = float64(s.n()) / float64(k1.N)
	f.length = float64(s.tokens) / float64(s.lengths)
	if s.source == coverage.FromPolicy {
		f.outside = math.IsInf(s.top, 1)
		if f.outside { // with certainty
			f.kl.SE, f.kl.Lo, f.kl.Hi = 0, f.kl.Value, f.kl.Value
		}
		r.KL = &klResult{f.kl, ofMean(k3)}
		if f.outside {
			r.KL.K3 = f.kl
		}
	}
	source := s.source.String()
	r.Chi2 = &sourced{ofInterval(s.moments.ChiSquare()), source}
	r.Renyi = &renyiResult{Half: ofInterval(s.moments.Renyi(0.5)), Two: ofInterval(s.moments.Renyi(2)), Source: source}
	r.Profile = s.curve()
	f.beyond = ofPoint(s.beyond.Profile()[0])
	switch {
	case math.IsNaN(float64(f.beyond.Lo)):
	case s.source == coverage.FromPolicy:
		f.beyond.widen(s.n())
	default: // what no sample of the reference shows is beyond: Cov_N = 1 − E_ref[w·1{w < N}]
		f.beyond.Hi = max(f.beyond.Hi, 1-f.meanWeight.Lo+f.beyond.P)
	}
}

// widen gives the end of an interval that no replicate has moved, because no sample or all of
// n are beyond, the bound of as many independent ones.
func (p *profilePoint) widen(n int) {
	switch p.P {
	case 0:
		_, hi := coverage.ClopperPearson(0, n, 0.95)
		p.Hi = max(p.Hi, number(hi))
	case 1:
		lo, _ := coverage.ClopperPearson(n, n, 0.95)
		p.Lo = min(p.Lo, number(lo))
	}
}

// curve is the profile from the first bin with samples, or N = 1, to where it is 0, or N = 1.
func (s *side) curve() []profilePoint {
	below, bins, above := s.profile.Counts()
	points := s.profile.Profile()
	one := slices.IndexFunc(points, func(p coverage.ProfilePoint) bool { return p.LogN == 0 })
	first, last := one, one
	for k, n := range bins {
		if n > 0 {
			first, last = min(first, k), max(last, k+1)
		}
	}
	if below > 0 {
		first = 0
	}
	if above > 0 {
		last = len(bins)
	}
	var out []profilePoint
	for _, p := range points[first : last+1] {
		if s.source == coverage.FromPolicy {
			p.Hi = math.Min(p.Hi, 1) // NaN stays NaN
		}
		out = append(out, ofPoint(p))
	}
	return out
}

// common is how many samples must have the largest weight, to the bit, for it to be no rare
// one: replies are few then, and the weights have no tail of a Pareto distribution.
const common = 10

// weights fills in what only samples of the reference say: k̂ and ESS.
func (s *side) weights(r *result, maxKhat float64) error {
	n := s.n()
	if n == 0 {
		return nil
	}
	share := s.moments.ESS().Value
	r.ESS = &essResult{number(share * float64(n)), number(share)}
	mean := ofLog(s.moments.LogMean(1))
	r.facts.meanWeight = &mean
	k := coverage.Pareto{K: math.Inf(1), N: n}
	if math.IsInf(s.top, -1) {
		r.ESS = &essResult{} // no weight is positive: the policy gives none of these replies
	} else {
		var err error
		if k, err = s.tail.Pareto(); err != nil {
			return err
		}
	}
	threshold := min(k.Threshold(), maxKhat)
	r.Khat = &khatResult{number(k.K), number(threshold), k.K < threshold}
	r.facts.tied = !r.Khat.Reliable && !math.IsInf(s.top, -1) && s.tail.Quantile((common-0.5)/float64(n)) == s.top
	return nil
}

const worstPrompts = 10

func (a *audit) worst(s *side) []worstPrompt {
	var out []worstPrompt
	for _, p := range s.kl.Worst(worstPrompts) {
		out = append(out, worstPrompt{json.RawMessage(a.names[p.Prompt]), number(p.K1), number(p.MaxLogRatio)})
	}
	slices.SortStableFunc(out, func(p, q worstPrompt) int { // ties by log-ratio, and not by hash
		return cmp.Or(cmp.Compare(q.KL, p.KL), cmp.Compare(q.MaxLogRatio, p.MaxLogRatio), slices.Compare(p.Prompt, q.Prompt))
	})
	return out
}

func ofMean(e coverage.Estimate) estimate {
	lo, hi := e.Interval(0.95)
	return estimate{number(e.Value), number(e.SE), number(lo), number(hi)}
}

func ofInterval(i coverage.Interval) estimate {
	return estimate{number(i.Value), number(i.SE), number(i.Lo), number(i.Hi)}
}

// ofLog turns an interval of a logarithm into one of the quantity.
func ofLog(i coverage.Interval) estimate {
	v, lo, hi := math.Exp(i.Value), math.Exp(i.Lo), math.Exp(i.Hi)
	se := v * i.SE
	if hi == 0 { // all weights are
		se = 0
	}
	return estimate{number(v), number(se), number(lo), number(hi)}
}

func ofPoint(p coverage.ProfilePoint) profilePoint {
	return profilePoint{number(math.Exp(p.LogN)), number(p.P), number(p.Lo), number(p.Hi)}
}

// encode prints one object. Ids of prompts are printed as they were spelled.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
