package text

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/train"
)

// Experiment compares the methods on a preference file.
type Experiment struct {
	Data    string // the file
	SkipBad bool   // skip malformed lines instead of stopping
	Size    Size
	Models  Models
	Methods []string // of methods.Names
	Seeds   []uint64
	Config  methods.Config // of every run, but for Seed, MaxNorm, EvalEvery and Files
	// Files returns where a run keeps its checkpoint and metrics; "": nowhere.
	Files func(run string) (checkpoint, metrics string)
	Out   string    // folder for samples to read; "": none
	Log   io.Writer // progress
}

// evaluations is the number of points of a trace: they cost samples.
const evaluations = 8

// outcome is what one method came to on one seed.
type outcome struct {
	result  *Result
	history train.History
}

// Run runs everything, one seed and method after another: each uses all processors itself.
// The report lacks its Config.
func (x *Experiment) Run(ctx context.Context) (*report.Report, error) {
	begin := time.Now()
	corpus, err := x.read()
	if err != nil {
		return nil, err
	}
	s, err := NewSetup(corpus, x.Models, x.Size, x.Log)
	if err != nil {
		return nil, err
	}
	estimate, err := s.Estimate(ctx, x.Models, x.Methods, x.Config, len(x.Seeds))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(x.Log, "size %s, %d seed(s), %d updates of each method: about %v on this machine\n",
		x.Size.Name, len(x.Seeds), x.Config.Steps, estimate.Round(time.Minute/2))
	names := append([]string{"ref"}, x.Methods...)
	outcomes := make([][]outcome, len(names))
	for _, seed := range x.Seeds {
		fmt.Fprintf(x.Log, "seed %d\n", seed)
		results, err := x.seed(ctx, s, seed, names)
		if err != nil {
			return nil, fmt.Errorf("seed %d: %w", seed, err)
		}
		for j, o := range results {
			outcomes[j] = append(outcomes[j], o)
		}
	}
	r := &report.Report{
		Problem: "text", Seeds: x.Seeds,
		Data: &report.Data{Read: corpus.Summary.Read, Skipped: corpus.Summary.Skipped(), Reasons: corpus.Summary.Reasons},
		RewardModel: &report.RewardModel{
			TrainPairs: s.Reward.Pairs, Accuracy: jsonnum.Float(s.Reward.Accuracy),
			Lo: jsonnum.Float(s.Reward.Lo), Hi: jsonnum.Float(s.Reward.Hi),
		},
	}
	for j, name := range names {
		r.Methods = append(r.Methods, summarise(name, x.Size.Name, outcomes[j]))
	}
	fmt.Fprintf(x.Log, "all done in %v\n", time.Since(begin).Round(time.Second))
	return r, x.showSamples(s, names, outcomes)
}

// Fixed lists what no flag changes, for a report's Config.
func (x *Experiment) Fixed() map[string]any {
	all := fixed()
	for k, v := range x.Models.Fixed() {
		all[k] = v
	}
	return all
}

func (x *Experiment) read() (*Corpus, error) {
	p := train.NewProgress(x.Log, "reading "+x.Data, 0)
	c, err := ReadCorpus(x.Data, x.SkipBad, func() { p.Add(1, nil) })
	if err != nil {
		return nil, err
	}
	p.Done(c.Summary.String())
	fmt.Fprintf(x.Log, "%d prompts, %d duplicate and %d contradicting pairs; %d pairs to train on, %d for validation, %d to test\n",
		c.Census.Prompts, c.Census.Duplicates, c.Census.Contradictions,
		c.Len(dataset.Train), c.Len(dataset.Validation), c.Len(dataset.Test))
	return c, nil
}

// seed trains a reference and all methods from it.
func (x *Experiment) seed(ctx context.Context, s *Setup, seed uint64, names []string) ([]outcome, error) {
	c := x.Config
	c.Seed, c.MaxNorm, c.EvalEvery = seed, maxNorm, max(1, c.Steps/evaluations)
	c.Files = func(run string) (string, string) {
		return x.Files(fmt.Sprintf("text-%s-%s-seed%d", x.Size.Name, run, seed))
	}
	base, err := x.Models.New(s, seed)
	if err != nil {
		return nil, err
	}
	if err := s.SFT(ctx, base, c); err != nil {
		return nil, fmt.Errorf("sft: %w", err)
	}
	ref, start, err := x.Models.Reference(base, seed)
	if err != nil {
		return nil, err
	}
	e, err := s.NewEvaluator(ctx, ref)
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, name := range names {
		o, err := x.method(ctx, s, name, start, e, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, *o)
	}
	return out, nil
}

// method trains a copy of the reference with one method, or leaves it as it is for "ref", and
// evaluates it.
func (x *Experiment) method(ctx context.Context, s *Setup, name string, start func() (*Trainee, error), e *Evaluator, c methods.Config) (*outcome, error) {
	t, err := start()
	if err != nil {
		return nil, err
	}
	o := &outcome{}
	if name != "ref" {
		if o.history, err = s.Run(ctx, name, t, e, c); err != nil {
			return nil, err
		}
	}
	if o.result, err = e.Evaluate(ctx, t); err != nil {
		return nil, err
	}
	fmt.Fprintf(x.Log, "%s: KL %.2f ± %.2f, win rate against the reference %.3f ± %.3f, length %.1f tokens\n", name,
		o.result.KL.Value, o.result.KL.SE, o.result.Winrate.Value, o.result.Winrate.SE, o.result.Length.Value)
	return o, nil
}
