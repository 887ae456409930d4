package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/text"
)

// config is every value that a run uses, as -json reports it.
type config struct {
	Seeds    int     `json:"seeds"`
	Seed     uint64  `json:"seed"`
	Steps    int     `json:"steps"`
	Beta     float64 `json:"beta"`
	RLHFBeta float64 `json:"rlhf_beta"`
	Lambda   float64 `json:"lambda"`
	KLBudget float64 `json:"kl_budget"`
	K        int     `json:"k"`
	LR       float64 `json:"lr"`
	Batch    int     `json:"batch"`
	Frontier bool    `json:"frontier"`
	Data     string  `json:"data,omitempty"`
	Size     string  `json:"size,omitempty"`
	SkipBad  bool    `json:"skip_bad,omitempty"`

	Out        string `json:"-"`
	JSON       bool   `json:"-"`
	Checkpoint string `json:"-"`
	Every      int    `json:"-"`
	Resume     bool   `json:"-"`
}

// used is the configuration as -json reports it, with what no flag changes.
type used struct {
	*config
	Model     *text.Size     `json:"model,omitempty"`
	DualShare float64        `json:"dual_share"` // see methods.DualShare
	Fixed     map[string]any `json:"fixed"`
}

// Defaults differ between the two problems.
var (
	gapDefaults  = config{Seeds: 3, Steps: 1500, Beta: 0.1, RLHFBeta: 0.3, Lambda: 0.05, KLBudget: 0.5, K: 4, LR: 0.02, Batch: 64}
	textDefaults = config{Seeds: 1, Steps: 200, Beta: 0.1, RLHFBeta: 0.1, Lambda: 0.01, KLBudget: 2, K: 4, LR: 2e-3, Batch: 32}
)

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	fs := flag.NewFlagSet("hypo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	a, b := gapDefaults, textDefaults
	both := func(name, what string, gap, text any) (string, string) {
		return name, fmt.Sprintf("%s (default %v; with -data %v)", what, gap, text)
	}
	intVar := func(p *int, name, what string, gap, text int) {
		name, usage := both(name, what, gap, text)
		fs.IntVar(p, name, 0, usage)
	}
	floatVar := func(p *float64, name, what string, gap, text float64) {
		name, usage := both(name, what, gap, text)
		fs.Float64Var(p, name, 0, usage)
	}
	intVar(&c.Seeds, "seeds", "`number` of seeds", a.Seeds, b.Seeds)
	fs.Uint64Var(&c.Seed, "seed", 1, "the first `seed`; the others follow it")
	intVar(&c.Steps, "steps", "`updates` of each method", a.Steps, b.Steps)
	floatVar(&c.Beta, "beta", "`β` of DPO and of HyPO's offline part", a.Beta, b.Beta)
	floatVar(&c.RLHFBeta, "rlhf-beta", "KL coefficient `β` of online RLHF", a.RLHFBeta, b.RLHFBeta)
	floatVar(&c.Lambda, "lambda", "KL coefficient `λ` of HyPO, and the constrained form's first one", a.Lambda, b.Lambda)
	floatVar(&c.KLBudget, "kl-budget", "KL budget of constrained HyPO in `nats`", a.KLBudget, b.KLBudget)
	intVar(&c.K, "k", "`samples` per prompt of the online methods", a.K, b.K)
	floatVar(&c.LR, "lr", "learning `rate` of AdamW", a.LR, b.LR)
	intVar(&c.Batch, "batch", "`pairs` per update", a.Batch, b.Batch)
	fs.StringVar(&c.Out, "out", "", "write plots as SVG, and metrics as JSONL, into `dir`")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of the table")
	fs.StringVar(&c.Data, "data", "", "preference `file`, JSONL or JSONL.gz: {\"prompt\",\"chosen\",\"rejected\"} or {\"chosen\",\"rejected\"}")
	fs.BoolVar(&c.SkipBad, "skip-bad", false, "with -data: skip and count malformed lines instead of stopping")
	fs.StringVar(&c.Size, "size", "small", "with -data: size of the language models, small or large")
	fs.BoolVar(&c.Frontier, "frontier", false, "also run several β and λ, for the reward–KL frontier (synthetic problem)")
	fs.StringVar(&c.Checkpoint, "checkpoint", "", "keep checkpoints in `dir`")
	fs.IntVar(&c.Every, "every", 100, "`updates` between checkpoints")
	fs.BoolVar(&c.Resume, "resume", false, "go on from the checkpoints in -checkpoint's dir")
	fs.Usage = func() { usage(fs) }
	err := command.Parse(fs, args, func() error {
		set := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
		c.fill(set)
		return c.check(set)
	})
	return &c, err
}

// fill gives the flags that were not set the problem's defaults.
func (c *config) fill(set map[string]bool) {
	d := gapDefaults
	if c.Data != "" {
		d = textDefaults
	} else {
		c.Size = ""
	}
	for _, f := range []struct {
		name string
		copy func()
	}{
		{"seeds", func() { c.Seeds = d.Seeds }},
		{"steps", func() { c.Steps = d.Steps }},
		{"beta", func() { c.Beta = d.Beta }},
		{"rlhf-beta", func() { c.RLHFBeta = d.RLHFBeta }},
		{"lambda", func() { c.Lambda = d.Lambda }},
		{"kl-budget", func() { c.KLBudget = d.KLBudget }},
		{"k", func() { c.K = d.K }},
		{"lr", func() { c.LR = d.LR }},
		{"batch", func() { c.Batch = d.Batch }},
	} {
		if !set[f.name] {
			f.copy()
		}
	}
}

func (c *config) check(set map[string]bool) error {
	err := command.First(
		command.AtLeast("seeds", c.Seeds, 1),
		command.AtLeast("steps", c.Steps, 1),
		command.Positive("beta", c.Beta),
		command.NotNegative("rlhf-beta", c.RLHFBeta),
		command.NotNegative("lambda", c.Lambda),
		command.Positive("kl-budget", c.KLBudget),
		command.AtLeast("k", c.K, 2),
		command.Positive("lr", c.LR),
		command.AtLeast("batch", c.Batch, 1),
		command.AtLeast("every", c.Every, 1),
	)
	if err != nil {
		return err
	}
	if c.Data == "" {
		for _, name := range []string{"size", "skip-bad"} {
			if set[name] {
				return fmt.Errorf("-%s needs -data", name)
			}
		}
	} else {
		if c.Size != "small" && c.Size != "large" {
			return fmt.Errorf("-size is %q, must be small or large", c.Size)
		}
		if c.Frontier {
			return errors.New("-frontier is for the synthetic problem, without -data")
		}
	}
	if c.Checkpoint == "" && (c.Resume || set["every"]) {
		return errors.New("-resume and -every need -checkpoint")
	}
	return nil
}

func usage(fs *flag.FlagSet) {
	w := fs.Output()
	fmt.Fprint(w, `Usage: hypo [flags]

Trains policies from one reference by DPO, HyPO, HyPO with a KL budget, and online RLHF, and
compares KL(π‖π_ref), reward and win rate: a table on standard output, or JSON with -json;
plots with -out. Progress goes to standard error.

Without -data: a synthetic problem, every quantity exact, in under half a minute.
With -data: small language models on your preference pairs, judged by a reward model that no
method has seen; -size small takes some minutes.

Flags:
`)
	fs.PrintDefaults()
}
