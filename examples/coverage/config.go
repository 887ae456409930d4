package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/examples/internal/command"
)

type config struct {
	In, Pairs, Exact, Out string
	JSON, SkipBad         bool
	Seed                  uint64
	Eps                   float64

	// Limits of the verdict, see docs/coverage.md.
	MaxKL, Ratio, MaxShare, MaxKappa, MaxOutside, MaxKhat, MinESS, Precision float64
	MinPrompts                                                               int

	pairsFrom coverage.Source
}

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	fs := flag.NewFlagSet("coverage", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.In, "in", "", "samples: JSONL or JSONL.gz `file`, - for standard input")
	fs.StringVar(&c.Pairs, "pairs", "", "preference pairs: JSONL or JSONL.gz `file`, - for standard input")
	from := fs.String("pairs-from", "ref", "where the replies of pairs were drawn, `policy` or ref, unless a pair says it")
	fs.StringVar(&c.Exact, "exact", "", "whole distributions: JSONL or JSONL.gz `file`, - for standard input")
	fs.Float64Var(&c.Eps, "eps", 0, "with -exact: KL budget `ε` in nats; required")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of the report")
	fs.StringVar(&c.Out, "out", "", "write the coverage profile as SVG into `dir`; of the demonstration its samples too")
	fs.BoolVar(&c.SkipBad, "skip-bad", false, "skip and count bad lines instead of stopping")
	fs.Uint64Var(&c.Seed, "seed", 1, "`seed` of the bootstrap and of the demonstration")
	fs.Float64Var(&c.MaxKL, "max-kl", 2, "far is a KL(π‖π_ref) above so many `nats`; best-of-19 has 2")
	fs.Float64Var(&c.Ratio, "ratio", 20, "far is a reply that π gives `N` times as often as π_ref, or more often still, …")
	fs.Float64Var(&c.MaxShare, "max-share", 0.1, "… if more than this `share` of the policy's replies are such")
	fs.Float64Var(&c.MaxKappa, "max-kappa", 20, "far is a relative condition number `κ` of the features above this")
	fs.Float64Var(&c.MaxOutside, "max-outside", 0.05, "far is a larger `share` of the policy's replies outside of the data's features")
	fs.Float64Var(&c.MaxKhat, "max-khat", 0.7, "trust importance weights up to this `k̂`, at most, or less with few samples")
	fs.Float64Var(&c.MinESS, "min-ess", 30, "trust no fewer effective `samples`")
	fs.IntVar(&c.MinPrompts, "min-prompts", 10, "trust no intervals from fewer `prompts`")
	fs.Float64Var(&c.Precision, "precision", 0.1, "say how many more samples give the KL to ± so many `nats`")
	fs.Usage = func() { usage(fs) }
	err := command.Parse(fs, args, func() error {
		set := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
		if *from == "ref" {
			c.pairsFrom = coverage.FromRef
		} else if *from != "policy" {
			return fmt.Errorf("-pairs-from is %q, must be policy or ref", *from)
		}
		return c.check(set)
	})
	return &c, err
}

func (c *config) check(set map[string]bool) error {
	if c.Exact != "" {
		for _, name := range []string{"in", "pairs", "out", "skip-bad"} {
			if set[name] {
				return fmt.Errorf("-%s does not go with -exact", name)
			}
		}
	}
	switch {
	case set["eps"] != (c.Exact != ""):
		return errors.New("-exact and -eps need each other")
	case c.In == "-" && c.Pairs == "-":
		return errors.New("-in and -pairs cannot both be standard input")
	case set["pairs-from"] && c.Pairs == "":
		return errors.New("-pairs-from needs -pairs")
	case !(c.Ratio > 1):
		return fmt.Errorf("-ratio is %v, must be above 1", c.Ratio)
	}
	return command.First(
		command.NotNegative("eps", c.Eps),
		command.NotNegative("max-kl", c.MaxKL),
		command.Positive("ratio", c.Ratio),
		command.NotNegative("max-share", c.MaxShare),
		command.NotNegative("max-kappa", c.MaxKappa),
		command.NotNegative("max-outside", c.MaxOutside),
		command.NotNegative("max-khat", c.MaxKhat),
		command.NotNegative("min-ess", c.MinESS),
		command.AtLeast("min-prompts", c.MinPrompts, 2),
		command.Positive("precision", c.Precision),
	)
}

func usage(fs *flag.FlagSet) {
	fmt.Fprint(fs.Output(), `Usage: coverage [-in FILE] [-pairs FILE] [flags]
       coverage -exact FILE -eps ε

Says whether preference data from a reference π_ref covers the policy π that is trained on it,
or online samples are needed: a page on standard output, or one JSON object with -json.
Without a file, and nothing piped in, it trains policies by DPO and by HyPO on a synthetic
problem, in some seconds, and audits both.

-in takes a line for each sample, drawn from π or from π_ref:

	{"prompt":id,"logp":x,"ref_logp":x,"from":"policy"|"ref","length":n,"features":[x,…]}

id is a string or a number, logp is log π(y|x) and ref_logp is log π_ref(y|x), in nats, over
all tokens of the reply; a number may be "-Infinity". length, in tokens, and features are
optional. What has the best say are some replies to each of many prompts, from both.

-pairs takes preference pairs, in either of two forms; each reply counts as a sample of π_ref
unless "from" or -pairs-from say otherwise, and the features of a pair as those of the data:

	{"prompt":id,"chosen":{"logp":x,"ref_logp":x,"length":n,"features":[x,…]},"rejected":{…},"from":…}
	{"prompt":id,"chosen_logps":x,"ref_chosen_logps":x,"chosen_length":n,"chosen_features":[x,…],
	 "rejected_logps":x,"ref_rejected_logps":x,…}

-exact takes whole distributions, a prompt on each line, and always prints JSON: coverage
coefficients for the KL budget ε, and the divergences of "policy" from "ref":

	{"prompt":id,"rho":x,"ref":[p,…],"policy":[p,…]}

"rho" is the weight of the prompt, on all lines or none; "policy" is optional.

Exit status: 0, 1 for data that is wrong, 2 for wrong arguments. docs/coverage.md explains the
report and the limits of its verdict.

Flags:
`)
	fs.PrintDefaults()
}
