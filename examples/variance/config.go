package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

// config is every value that a run uses, as -json reports it.
type config struct {
	Seed      uint64  `json:"seed"`
	Responses int     `json:"responses"`
	Distance  float64 `json:"distance"`
	Offset    float64 `json:"offset"`
	K         []int   `json:"k"`
	Groups    int     `json:"groups"`

	Out  string `json:"-"`
	JSON bool   `json:"-"`
}

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	fs := flag.NewFlagSet("variance", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Uint64Var(&c.Seed, "seed", 1, "the `seed` of policy, reference, reward and draws")
	fs.IntVar(&c.Responses, "responses", 5, "`number` of responses")
	fs.Float64Var(&c.Distance, "distance", 1, "standard deviation of the `logits` that set the policy apart from its reference")
	fs.Float64Var(&c.Offset, "offset", 2, "a constant `reward` for every response, which changes no gradient")
	ks := fs.String("k", "2,3,4,6,8", "samples per prompt, a comma-separated `list`")
	fs.IntVar(&c.Groups, "groups", 20000, "sampled `groups` for each measurement")
	fs.StringVar(&c.Out, "out", "", "write plots as SVG into `dir`")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of tables")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `Usage: variance [flags]

Bias and variance of policy-gradient estimators on one prompt with a few responses, whose
logits are the parameters: exact, by visiting all draws of k responses, and measured from
sampled groups. Two gradients are estimated:

  reward   ∇ E[r], by what makes weights out of rewards
  KL       ∇ KL(π‖π_ref), by k1, k2 and k3 in the reward and in the loss

All numbers are relative to the length of the gradient: bias is that of the mean from it, sd
the root of the summed variances, error the root mean square of the distance of one estimate.
A cosine below 1 is a mean that points elsewhere; above it a bias is but another step size.
Tables on standard output, or JSON with -json; plots with -out. Progress goes to standard
error. The defaults take some seconds.

Flags:
`)
		fs.PrintDefaults()
	}
	err := command.Parse(fs, args, func() error {
		if err := c.parseK(*ks); err != nil {
			return err
		}
		return command.First(
			command.AtLeast("responses", c.Responses, 2),
			command.Positive("distance", c.Distance),
			command.AtLeast("groups", c.Groups, 2),
			finite("offset", c.Offset),
		)
	})
	return &c, err
}

func finite(name string, v float64) error {
	if v-v != 0 {
		return fmt.Errorf("-%s is %v, must be finite", name, v)
	}
	return nil
}

func (c *config) parseK(list string) error {
	for _, s := range strings.Split(list, ",") {
		k, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("-k has %q, must be a list of numbers", s)
		}
		if err := command.AtLeast("k", k, 2); err != nil {
			return err
		}
		if n := len(c.K); n > 0 && c.K[n-1] >= k {
			return errors.New("-k must increase")
		}
		c.K = append(c.K, k)
	}
	return nil
}
