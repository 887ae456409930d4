package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/policy/served"
)

// summary is the result of a run, in the form that -json prints.
type summary struct {
	Problem string        `json:"problem"`
	Config  *config       `json:"config"`
	Policy  served.Report `json:"policy"`
	Ref     served.Report `json:"ref"`

	Prompts  int            `json:"prompts"`
	Failed   int            `json:"failed"`
	Samples  map[string]int `json:"samples"` // by who drew them
	Tokens   int            `json:"tokens"`  // of the samples
	Ended    int            `json:"ended"`
	KL       *klEstimate    `json:"kl,omitempty"`
	KLBad    string         `json:"kl_bad,omitempty"` // why there is no estimate
	Best     int            `json:"best"`
	Pairs    int            `json:"pairs"`
	Skipped  map[string]int `json:"skipped"` // prompts without a pair, by reason
	Requests int64          `json:"requests"`
	Rate     jsonnum.Float  `json:"tokens_per_second"` // drawn and scored by this process
	Files    []string       `json:"files"`

	// FirstScore is the mean score of one reply, BestScore that of the best of k.
	FirstScore jsonnum.Float `json:"first_score"`
	BestScore  jsonnum.Float `json:"best_score"`

	prompts int
}

// klEstimate is KL(π‖π_ref) in nats, from the policy's samples.
type klEstimate struct {
	Value jsonnum.Float `json:"value"`
	SE    jsonnum.Float `json:"se"`
	N     int           `json:"n"`
}

// identity is what log-probabilities under a model depend on, besides the texts.
func (m model) identity(c *config) []string {
	return []string{m.Report().Name, c.Template, m.System, m.BOS, strconv.FormatFloat(m.Temperature, 'g', -1, 64)}
}

func (j *job) newSummary() *summary {
	return &summary{
		Problem: "served", Config: j.config, Policy: j.policy.Report(), Ref: j.ref.Report(),
		Prompts: len(j.journal.done), Failed: int(j.failed.Load()), Samples: map[string]int{}, Skipped: map[string]int{},
		Requests: j.policy.Requests() + j.ref.Requests(), Rate: jsonnum.Float(j.rate()),
	}
}

// count adds the samples of a prompt.
func (s *summary) count(samples []sample, kl *coverage.KLEstimator) {
	var l []float64
	for _, v := range samples {
		s.Samples[v.From]++
		s.Tokens += v.Length
		if v.Ended {
			s.Ended++
		}
		if v.From == "policy" {
			l = append(l, float64(v.LogP-v.RefLogP))
		}
	}
	if len(l) == 0 {
		return
	}
	if err := kl.Add(l, len(l)); err != nil && s.KLBad == "" {
		s.KLBad = err.Error()
	}
}

func (s *summary) finish(kl coverage.Estimate) {
	if kl.N > 0 && s.KLBad == "" {
		s.KL = &klEstimate{jsonnum.Float(kl.Value), jsonnum.Float(kl.SE), kl.N}
	}
	if s.prompts > 0 {
		s.FirstScore /= jsonnum.Float(s.prompts)
		s.BestScore /= jsonnum.Float(s.prompts)
	}
}

func (s *summary) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

func (s *summary) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("policy", "%s at %s, temperature %g", s.Policy.Model, s.Policy.Server, s.Config.Policy.Temperature)
	row("reference", "%s at %s, temperature %g", s.Ref.Model, s.Ref.Server, s.Config.Ref.Temperature)
	row("prompts", "%d, %d failed", s.Prompts, s.Failed)
	n := 0
	for _, from := range slices.Sorted(maps.Keys(s.Samples)) {
		n += s.Samples[from]
		row("samples from "+from, "%d", s.Samples[from])
	}
	if n > 0 {
		row("tokens", "%d, %.1f per sample; %d of %d ended by themselves", s.Tokens, float64(s.Tokens)/float64(n), s.Ended, n)
	}
	switch {
	case s.KL != nil:
		row("KL(π‖π_ref)", "%.3f ± %.3f nats, from %d prompts", float64(s.KL.Value), float64(s.KL.SE), s.KL.N)
	case s.KLBad != "":
		row("KL(π‖π_ref)", "no estimate: %s", s.KLBad)
	}
	row("score by "+s.Config.Scorer, "%.3f of one reply, %.3f of the best of %d", float64(s.FirstScore), float64(s.BestScore), s.Config.K)
	row("pairs", "%d", s.Pairs)
	for _, why := range slices.Sorted(maps.Keys(s.Skipped)) {
		row("  none for", "%d: %s", s.Skipped[why], why)
	}
	row("speed", "%.0f tokens/s drawn and scored, %d requests", float64(s.Rate), s.Requests)
	for _, f := range s.Files {
		row("wrote", "%s", f)
	}
}
