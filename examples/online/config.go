package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

// config is every value that a run uses, as -json reports it.
type config struct {
	Seeds   int      `json:"seeds"`
	Seed    uint64   `json:"seed"`
	Methods []string `json:"methods"`
	Samples int      `json:"samples"`
	Batch   int      `json:"batch"`
	K       int      `json:"k"`
	Repeat  int      `json:"repeat"`
	LR      float64  `json:"lr"`
	Beta    float64  `json:"beta"`
	DPOBeta float64  `json:"dpo_beta"`
	Lambda  float64  `json:"lambda"`

	Out  string `json:"-"`
	JSON bool   `json:"-"`
}

// used is the configuration as -json reports it, with what no flag changes.
type used struct {
	*config
	Fixed map[string]any `json:"fixed"`
}

// batches returns the number of batches for which a run draws responses.
func (c *config) batches() int { return c.Samples / (c.Batch * c.K) }

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	fs := flag.NewFlagSet("online", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&c.Seeds, "seeds", 3, "`number` of seeds")
	fs.Uint64Var(&c.Seed, "seed", 1, "the first `seed`; the others follow it")
	names := fs.String("methods", strings.Join(methodNames(), ","), "`list` of methods, with commas")
	fs.IntVar(&c.Samples, "samples", 102400, "`responses` that a method may draw")
	fs.IntVar(&c.Batch, "batch", 64, "`prompts` per batch")
	fs.IntVar(&c.K, "k", 4, "`responses` per prompt, half of them the opponent's in Nash-MD and XPO; an even number, at least 4")
	fs.IntVar(&c.Repeat, "repeat", 4, "`updates` on each batch of PPO, GRPO and REBEL")
	fs.Float64Var(&c.LR, "lr", 0.02, "learning `rate` of AdamW")
	fs.Float64Var(&c.Beta, "beta", 0.3, "`β` of all online methods")
	fs.Float64Var(&c.DPOBeta, "dpo-beta", 0.1, "`β` of DPO and of HyPO's offline part")
	fs.Float64Var(&c.Lambda, "lambda", 0.05, "KL coefficient `λ` of HyPO")
	fs.StringVar(&c.Out, "out", "", "write plots as SVG into `dir`")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of the table")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `Usage: online [flags]

Trains policies from one reference by online methods that draw the same number of responses,
and compares KL(π‖π_ref), reward and win rate: a table on standard output, or JSON with -json;
plots against the number of responses drawn with -out. Progress goes to standard error.

The problem is that of hypo: 64 responses to each prompt, 56 of them garbage that the reference
seldom writes. Every online method runs twice: on a reward model fitted to the offline pairs,
which hardly show garbage ("learned"), and on the reward itself ("true").

  rloo         leave-one-out policy gradient of reward − β·KL
  ppo          the same with clipped ratios, several updates on a batch
  grpo         standardised advantages, clipped ratios, β·k3 in the loss, several updates
  online-dpo   DPO on pairs of the policy's own responses
  nash-md      policy gradient of the win rate against a mixture of policy and reference
  xpo          DPO on pairs of a response each of policy and reference, with optimism
  rebel        regression of differences of log-ratios on those of rewards, several updates
  best-of-n    log-likelihood of the best of k responses of the reference
  dpo, hypo    offline pairs alone, and with a KL penalty on fresh responses

Judges answer with the probability σ(r − r′) for a reward r, which is used as a soft label.
What methods share, they share here: prompts, responses per prompt, β, learning rate. None
is tuned. The defaults take less than a minute on two processors.

Flags:
`)
		fs.PrintDefaults()
	}
	err := command.Parse(fs, args, func() error {
		c.Methods = strings.Split(*names, ",")
		for _, m := range c.Methods {
			if !slices.Contains(methodNames(), m) {
				return fmt.Errorf("-methods has %q, must be of %s", m, strings.Join(methodNames(), ", "))
			}
		}
		return c.check()
	})
	return &c, err
}

func (c *config) check() error {
	err := command.First(
		command.AtLeast("seeds", c.Seeds, 1),
		command.AtLeast("batch", c.Batch, 1),
		command.AtLeast("k", c.K, 4),
		command.AtLeast("repeat", c.Repeat, 1),
		command.Positive("lr", c.LR),
		command.Positive("beta", c.Beta),
		command.Positive("dpo-beta", c.DPOBeta),
		command.NotNegative("lambda", c.Lambda),
	)
	switch {
	case err != nil:
		return err
	case c.K%2 != 0:
		return fmt.Errorf("-k is %d, must be even", c.K)
	case c.batches() < 1 || c.Samples%(c.Batch*c.K) != 0:
		return fmt.Errorf("-samples is %d, must be a multiple of -batch times -k, %d", c.Samples, c.Batch*c.K)
	}
	return nil
}
