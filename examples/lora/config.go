package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/gomlx/compute"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/text"
	"github.com/prefgrad/prefgrad/policy/gomlx"
)

// config is every value that a run uses, as -json reports it.
type config struct {
	Seeds    int     `json:"seeds"`
	Seed     uint64  `json:"seed"`
	Methods  string  `json:"methods"`
	Steps    int     `json:"steps"`
	Beta     float64 `json:"beta"`
	RLHFBeta float64 `json:"rlhf_beta"`
	Lambda   float64 `json:"lambda"`
	KLBudget float64 `json:"kl_budget"`
	K        int     `json:"k"`
	LR       float64 `json:"lr"`
	Batch    int     `json:"batch"`
	Data     string  `json:"data"`
	SkipBad  bool    `json:"skip_bad"`
	Model    string  `json:"model,omitempty"`

	R     int     `json:"lora_r"`
	Alpha float64 `json:"lora_alpha"`
	text.Size
	Layers int `json:"layers,omitempty"`
	Heads  int `json:"heads,omitempty"`

	Out        string `json:"-"`
	JSON       bool   `json:"-"`
	Checkpoint string `json:"-"`
	Every      int    `json:"-"`
	Resume     bool   `json:"-"`
}

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	c.Name = "lora"
	fs := flag.NewFlagSet("lora", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.Data, "data", "", "preference `file`, JSONL or JSONL.gz; required")
	fs.BoolVar(&c.SkipBad, "skip-bad", false, "skip and count malformed lines instead of stopping")
	fs.StringVar(&c.Model, "model", "", "begin with the Llama-style checkpoint in `dir`: config.json, model.safetensors, tokenizer.json")
	fs.StringVar(&c.Methods, "methods", "dpo,hypo", "`list` of "+strings.Join(methods.Names, ", "))
	fs.IntVar(&c.Seeds, "seeds", 1, "`number` of seeds")
	fs.Uint64Var(&c.Seed, "seed", 1, "the first `seed`; the others follow it")
	fs.IntVar(&c.Steps, "steps", 30, "`updates` of each method")
	fs.Float64Var(&c.Beta, "beta", 0.1, "`β` of DPO and of HyPO's offline part")
	fs.Float64Var(&c.RLHFBeta, "rlhf-beta", 0.1, "KL coefficient `β` of online RLHF")
	fs.Float64Var(&c.Lambda, "lambda", 0.01, "KL coefficient `λ` of HyPO, and the constrained form's first one")
	fs.Float64Var(&c.KLBudget, "kl-budget", 2, "KL budget of constrained HyPO in `nats`")
	fs.IntVar(&c.K, "k", 2, "`samples` per prompt of the online methods")
	fs.Float64Var(&c.LR, "lr", 3e-3, "learning `rate` of the adapters")
	fs.IntVar(&c.Batch, "batch", 16, "`pairs` per update")
	fs.IntVar(&c.R, "r", 8, "`rank` of the adapters")
	fs.Float64Var(&c.Alpha, "alpha", 16, "`α` of the adapters, which are scaled by α/r")
	fs.IntVar(&c.Layers, "layers", 2, "`layers` of a model with random weights")
	fs.IntVar(&c.Heads, "heads", 4, "attention `heads` of a model with random weights")
	fs.IntVar(&c.Dim, "dim", 64, "`width` of a model with random weights")
	fs.IntVar(&c.Vocab, "vocab", 1000, "`ids` of the vocabulary that is learned for a model with random weights")
	fs.IntVar(&c.Prompt, "prompt", 32, "`tokens` of a prompt's end that the model sees")
	fs.IntVar(&c.Reply, "reply", 24, "longest reply in `tokens`")
	fs.IntVar(&c.MaxSFT, "sft-steps", 100, "`updates` of supervised fine-tuning, or nine epochs if that is less")
	fs.Float64Var(&c.SFTRate, "sft-lr", 3e-3, "learning `rate` of supervised fine-tuning; 1e-5 suits a checkpoint")
	fs.StringVar(&c.Out, "out", "", "write plots as SVG, samples, and metrics as JSONL, into `dir`")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of the table")
	fs.StringVar(&c.Checkpoint, "checkpoint", "", "keep checkpoints in `dir`")
	fs.IntVar(&c.Every, "every", 20, "`updates` between checkpoints")
	fs.BoolVar(&c.Resume, "resume", false, "go on from the checkpoints in -checkpoint's dir")
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	return &c, command.Parse(fs, args, c.check)
}

const usage = `Usage: lora -data FILE [flags]

Fine-tunes a transformer on the chosen replies, then trains one low-rank adapter per method on
it, and compares KL(π‖π_ref), win rate and length: a table on standard output, or JSON with
-json; plots with -out. Progress goes to standard error. The defaults take some minutes on two
processors; GOEXPERIMENT=simd when building on amd64 halves that.

Flags:
`

func (c *config) check() error {
	if c.Data == "" {
		return errors.New("-data is missing")
	}
	err := command.First(
		command.AtLeast("seeds", c.Seeds, 1),
		command.AtLeast("steps", c.Steps, 1),
		command.Positive("beta", c.Beta),
		command.NotNegative("rlhf-beta", c.RLHFBeta),
		command.NotNegative("lambda", c.Lambda),
		command.Positive("kl-budget", c.KLBudget),
		command.AtLeast("k", c.K, 2),
		command.Positive("lr", c.LR),
		command.Positive("sft-lr", c.SFTRate),
		command.AtLeast("sft-steps", c.MaxSFT, 1),
		command.AtLeast("batch", c.Batch, 1),
		command.AtLeast("prompt", c.Prompt, 1),
		command.AtLeast("reply", c.Reply, 1),
		command.AtLeast("vocab", c.Vocab, 257),
		command.AtLeast("every", c.Every, 1),
	)
	if err != nil {
		return err
	}
	for _, m := range c.list() {
		if !strings.Contains(","+strings.Join(methods.Names, ",")+",", ","+m+",") {
			return fmt.Errorf("-methods has %q, must be a list of %s", m, strings.Join(methods.Names, ", "))
		}
	}
	if c.Checkpoint == "" && c.Resume {
		return errors.New("-resume needs -checkpoint")
	}
	return nil
}

func (c *config) list() []string { return strings.Split(c.Methods, ",") }

// experiment sets up the text experiment on adapters.
func (c *config) experiment(backend compute.Backend, log io.Writer) *text.Experiment {
	x := &text.Experiment{
		Data: c.Data, SkipBad: c.SkipBad, Size: c.Size, Methods: c.list(), Out: c.Out, Log: log,
		Models: &transformers{
			backend: backend, dir: c.Model, shape: shape{c.Layers, c.Heads},
			lora: gomlx.LoRA{R: c.R, Alpha: c.Alpha, Targets: gomlx.AllLinear()},
		},
		Config: methods.Config{
			Steps: c.Steps, Batch: c.Batch, LR: c.LR, Beta: c.Beta, RLHFBeta: c.RLHFBeta, Lambda: c.Lambda, KLBudget: c.KLBudget,
			K: c.K, CheckpointEvery: c.Every, Resume: c.Resume,
		},
		Files: func(run string) (string, string) { return command.Files(c.Checkpoint, c.Out, run) },
	}
	for i := range c.Seeds {
		x.Seeds = append(x.Seeds, c.Seed+uint64(i))
	}
	return x
}
