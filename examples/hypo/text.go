package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/examples/internal/text"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/train"
)

// textEvaluations is the number of points of a trace: they cost samples.
const textEvaluations = 8

// outcome is what one method came to on one seed.
type outcome struct {
	result  *text.Result
	history train.History
}

// runText runs the pipeline on a preference file, one seed and method after another: each
// uses all processors itself.
func runText(ctx context.Context, c *config, stderr io.Writer) (*report.Report, error) {
	begin := time.Now()
	corpus, err := readCorpus(c, stderr)
	if err != nil {
		return nil, err
	}
	size := text.Sizes[c.Size]
	setup, err := text.NewSetup(corpus, size, stderr)
	if err != nil {
		return nil, err
	}
	estimate, err := setup.Estimate(ctx, c.hyper(), c.Seeds)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(stderr, "size %s, %d seed(s), %d updates of each method: about %v on this machine\n", c.Size, c.Seeds, c.Steps, estimate.Round(time.Minute/2))
	r := &report.Report{
		Problem: "text",
		Config:  used{config: c, Model: &size, DualShare: methods.DualShare, Fixed: text.Fixed()},
		Data:    &report.Data{Read: corpus.Summary.Read, Skipped: corpus.Summary.Skipped(), Reasons: corpus.Summary.Reasons},
		RewardModel: &report.RewardModel{
			TrainPairs: setup.Reward.Pairs, Accuracy: jsonnum.Float(setup.Reward.Accuracy),
			Lo: jsonnum.Float(setup.Reward.Lo), Hi: jsonnum.Float(setup.Reward.Hi),
		},
	}
	names := append([]string{"ref"}, methods.Names...)
	outcomes := make([][]outcome, len(names))
	for i := range c.Seeds {
		seed := c.Seed + uint64(i)
		r.Seeds = append(r.Seeds, seed)
		fmt.Fprintf(stderr, "seed %d\n", seed)
		results, err := runSeed(ctx, setup, c, seed, names, stderr)
		if err != nil {
			return nil, fmt.Errorf("seed %d: %w", seed, err)
		}
		for j, o := range results {
			outcomes[j] = append(outcomes[j], o)
		}
	}
	for j, name := range names {
		r.Methods = append(r.Methods, summariseText(name, c.Size, outcomes[j]))
	}
	fmt.Fprintf(stderr, "all done in %v\n", time.Since(begin).Round(time.Second))
	return r, showSamples(setup, names, outcomes, c.Out, stderr)
}

func readCorpus(c *config, stderr io.Writer) (*text.Corpus, error) {
	p := train.NewProgress(stderr, "reading "+c.Data, 0)
	corpus, err := text.ReadCorpus(c.Data, c.SkipBad, func(n int) { p.Add(1, nil) })
	if err != nil {
		return nil, err
	}
	p.Done(corpus.Summary.String())
	fmt.Fprintf(stderr, "%d prompts, %d duplicate and %d contradicting pairs; %d pairs to train on, %d for validation, %d to test\n",
		corpus.Census.Prompts, corpus.Census.Duplicates, corpus.Census.Contradictions,
		corpus.Len(dataset.Train), corpus.Len(dataset.Validation), corpus.Len(dataset.Test))
	return corpus, nil
}

// runSeed trains a reference and all methods from it.
func runSeed(ctx context.Context, s *text.Setup, c *config, seed uint64, names []string, stderr io.Writer) ([]outcome, error) {
	tc := c.hyper()
	tc.Seed, tc.MaxNorm, tc.EvalEvery = seed, text.MaxNorm, max(1, c.Steps/textEvaluations)
	tc.Files = func(run string) (string, string) { return c.files(fmt.Sprintf("text-%s-%s-seed%d", c.Size, run, seed)) }
	ref, err := s.SFT(ctx, tc)
	if err != nil {
		return nil, fmt.Errorf("sft: %w", err)
	}
	e, err := s.NewEvaluator(ctx, ref)
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, name := range names {
		m, o := ref.Clone(), outcome{}
		if name != "ref" {
			if m, o.history, err = s.Run(ctx, name, ref, e, tc); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if o.result, err = e.Evaluate(ctx, m); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(stderr, "%s: KL %.2f ± %.2f, win rate against the reference %.3f ± %.3f, length %.1f tokens\n", name,
			o.result.KL.Value, o.result.KL.SE, o.result.Winrate.Value, o.result.Winrate.SE, o.result.Length.Value)
		out = append(out, o)
	}
	return out, nil
}

func summariseText(name, size string, seeds []outcome) report.Method {
	m := report.Method{Name: name, Size: size}
	histories := make([]train.History, len(seeds))
	stat := func(q func(*text.Result) coverage.Estimate) *report.Stat {
		var values, se []float64
		for _, o := range seeds {
			e := q(o.result)
			values, se = append(values, e.Value), append(se, e.SE)
		}
		return report.NewStat(values, se)
	}
	var ppl []float64
	for i, o := range seeds {
		histories[i] = o.history
		ppl = append(ppl, o.result.Perplexity)
	}
	m.Final = report.Final{
		KL:                      stat(func(r *text.Result) coverage.Estimate { return r.KL }),
		Reward:                  stat(func(r *text.Result) coverage.Estimate { return r.Reward }),
		Winrate:                 stat(func(r *text.Result) coverage.Estimate { return r.Winrate }),
		WinrateLengthControlled: stat(func(r *text.Result) coverage.Estimate { return r.LengthControl }),
		WinrateChosen:           stat(func(r *text.Result) coverage.Estimate { return r.WinrateChosen }),
		Length:                  stat(func(r *text.Result) coverage.Estimate { return r.Length }),
		Choice:                  stat(func(r *text.Result) coverage.Estimate { return r.Choice }),
		Perplexity:              report.NewStat(ppl, nil),
	}
	m.Trace = traceOf(histories)
	return m
}

// showSamples prints replies of each method to the first test prompts, and writes more of
// them into -out's folder.
func showSamples(s *text.Setup, names []string, outcomes [][]outcome, dir string, stderr io.Writer) error {
	var b strings.Builder
	for i := range 3 {
		prompt := strings.TrimSpace(s.Tokenizer.Decode(s.Test.X[i]))
		fmt.Fprintf(&b, "\n…%s\n", lastLines(prompt, 3))
		for j, name := range names {
			fmt.Fprintf(&b, "  [%s] %s\n", name, strings.TrimSpace(strings.ReplaceAll(outcomes[j][0].result.Samples[i*text.PerPrompt], "\n", " ")))
		}
	}
	fmt.Fprintf(stderr, "\nSamples of the first seed:\n%s\n", b.String())
	if dir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, "samples.txt"), []byte(b.String()), 0o644)
}

// lastLines returns the last n lines that are not empty.
func lastLines(s string, n int) string {
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		if strings.TrimSpace(l) != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n  ")
}
