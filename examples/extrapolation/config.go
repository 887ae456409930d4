package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

// config is every value that a run uses, as -json reports it.
type config struct {
	Seeds  int     `json:"seeds"`
	Seed   uint64  `json:"seed"`
	Steps  int     `json:"steps"`
	Beta   float64 `json:"beta"`
	Lambda float64 `json:"lambda"`
	K      int     `json:"k"`

	Out  string `json:"-"`
	JSON bool   `json:"-"`
}

// used is the configuration as -json reports it, with what no flag changes.
type used struct {
	*config
	Fixed map[string]any `json:"fixed"`
}

// What no flag changes. Learning rates are in units of 1/β² for pairs, in which their curves
// have the same shape for every β, and of 1/β for online RLHF.
const (
	copies    = 16 // of the one pair of the three responses: its prompts for online RLHF
	oneL2     = 0.01
	flowLR    = 0.05 // of DPO on the one pair: small, to follow the gradient flow
	linearLR  = 0.5  // of DPO on random features
	onlineLR  = 0.2
	prompts   = 32 // of the random features
	responses = 6
	dim       = 4
	pairs     = 4 // per prompt
	rewardLen = 2.0

	tabularLR = 0.2
	covered   = 4 // of the responses without features; the others are in no pair
	uncovered = 2

	escapeLR = 1.0
	outside  = 0.5 // 1−a: the mass of the counterexample where no pair is
)

var fixed = map[string]any{
	"optimizer": "SGD", "copies": copies, "reward_l2": oneL2, "flow_lr": flowLR, "linear_lr": linearLR, "online_lr": onlineLR, "prompts": prompts, "responses": responses,
	"dim": dim, "pairs_per_prompt": pairs, "reward_norm": rewardLen, "tabular_lr": tabularLR, "covered": covered,
	"uncovered": uncovered, "counterexample_lr": escapeLR, "counterexample_mass": outside,
}

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	fs := flag.NewFlagSet("extrapolation", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&c.Seeds, "seeds", 20, "`number` of seeds")
	fs.Uint64Var(&c.Seed, "seed", 1, "the first `seed`; the others follow it")
	fs.IntVar(&c.Steps, "steps", 2000, "`updates` of each run")
	fs.Float64Var(&c.Beta, "beta", 1, "`β` of DPO, IPO (as τ), HyPO and online RLHF")
	fs.Float64Var(&c.Lambda, "lambda", 0.1, "KL coefficient `λ` of HyPO beside the counterexample")
	fs.IntVar(&c.K, "k", 4, "`samples` per prompt of the online methods")
	fs.StringVar(&c.Out, "out", "", "write plots as SVG into `dir`")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of tables")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `Usage: extrapolation [flags]

What happens to responses that no preference pair contains? Three answers, each trained with
this library and held against its closed form:

  linear           π ∝ π_ref·exp(φ·θ). DPO and online RLHF both raise the best response,
                   which no pair contains, and lower the chosen one along with the rejected.
                   Three responses with given features, then random features.
  tabular          a free logit for each response. The mass of what no pair contains rises
                   only if π_ref favours covered responses of low reward; else it falls.
  counterexample   π_ref gives one response of three the probability δ. A policy with half
                   its mass there satisfies all pairs: DPO and IPO stay, J → −∞ as δ → 0;
                   HyPO leaves.

Tables on standard output, or JSON with -json; plots with -out. Progress goes to standard
error. The defaults take less than a minute.

Flags:
`)
		fs.PrintDefaults()
	}
	err := command.Parse(fs, args, func() error {
		return command.First(
			command.AtLeast("seeds", c.Seeds, 1),
			command.AtLeast("steps", c.Steps, 1),
			command.Positive("beta", c.Beta),
			command.Positive("lambda", c.Lambda),
			command.AtLeast("k", c.K, 2),
		)
	})
	return &c, err
}
