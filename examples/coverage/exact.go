package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/prefgrad/prefgrad/coverage"
)

// exactResult is what -exact prints.
type exactResult struct {
	CGlo        number      `json:"c_glo"`
	CEpsPrompt  []number    `json:"c_eps_prompt"`
	CEpsAverage number      `json:"c_eps_average"`
	KL          *number     `json:"kl"`
	Chi2        *number     `json:"chi2"`
	Renyi       *exactRenyi `json:"renyi"`
}

type exactRenyi struct {
	Half number `json:"0.5"`
	Two  number `json:"2"`
	Inf  number `json:"inf"`
}

// distributions is the content of a file of -exact: logarithms.
type distributions struct {
	rho         []float64 // NaN: not given
	ref, policy [][]float64
	without     int // lines without a policy
}

// exact computes the coefficients of enumerable responses.
func exact(ctx context.Context, c *config, stdin io.Reader, stdout, stderr io.Writer) error {
	var d distributions
	var in fields
	if err := eachLine(ctx, c.Exact, stdin, func(line []byte) error { return d.read(&in, line) }, nil); err != nil {
		return err
	}
	if err := d.weigh(); err != nil {
		return fmt.Errorf("%s: %w", c.Exact, err)
	}
	r := exactResult{CEpsPrompt: make([]number, len(d.ref))}
	var occurring [][]float64
	for x, row := range d.ref {
		r.CEpsPrompt[x] = number(math.Exp(coverage.LogBallPrompt(row, c.Eps)))
		if !math.IsInf(d.rho[x], -1) {
			occurring = append(occurring, row)
		}
	}
	r.CGlo = number(math.Exp(coverage.LogGlobal(occurring...)))
	average, _ := coverage.LogBallAverage(d.rho, d.ref, c.Eps)
	r.CEpsAverage = number(math.Exp(average))
	if d.without == 0 {
		p, q := coverage.Joint(d.rho, d.policy), coverage.Joint(d.rho, d.ref)
		kl, chi2 := number(coverage.KL(p, q)), number(coverage.ChiSquare(p, q))
		r.KL, r.Chi2 = &kl, &chi2
		r.Renyi = &exactRenyi{number(coverage.Renyi(0.5, p, q)), number(coverage.Renyi(2, p, q)), number(coverage.Renyi(math.Inf(1), p, q))}
	} else if d.without < len(d.ref) {
		fmt.Fprintf(stderr, "coverage: %d of %d prompts have no policy, so kl, chi2 and renyi are null\n", d.without, len(d.ref))
	}
	return encode(stdout, r)
}

func (d *distributions) read(in *fields, line []byte) error {
	rho := math.NaN()
	var ref, policy []float64
	err := in.line(line, func(name string) (err error) {
		switch name {
		case "prompt":
			_, err = in.id(nil)
		case "rho":
			if rho, err = in.number(name); err == nil && (rho < 0 || math.IsInf(rho, 1)) {
				err = bad(name, "is %v, must be finite and not negative", rho)
			}
		case "ref":
			ref, err = in.distribution(name)
		case "policy":
			policy, err = in.distribution(name)
		default:
			_, err = in.value()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case ref == nil:
		return bad("ref", "missing")
	case policy != nil && len(policy) != len(ref):
		return bad("policy", "%d probabilities, ref has %d", len(policy), len(ref))
	case len(d.rho) > 0 && math.IsNaN(rho) != math.IsNaN(d.rho[0]):
		return bad("rho", "must be on all lines or on none")
	}
	if policy == nil {
		d.without++
	}
	d.rho, d.ref, d.policy = append(d.rho, rho), append(d.ref, ref), append(d.policy, policy)
	return nil
}

// distribution reads probabilities and returns their logarithms.
func (in *fields) distribution(name string) ([]float64, error) {
	list, err := in.numbers(name)
	if err != nil || list == nil {
		return nil, err
	}
	sum := 0.0
	for i, v := range list {
		if v < 0 {
			return nil, bad(fmt.Sprintf("%s[%d]", name, i), "is %v, a probability is not negative", v)
		}
		sum += v
		list[i] = math.Log(v)
	}
	if !(math.Abs(sum-1) <= 1e-9) {
		return nil, bad(name, "the probabilities sum to %v", sum)
	}
	return list, nil
}

// weigh turns rho into logarithms of weights that sum to 1.
func (d *distributions) weigh() error {
	if len(d.rho) == 0 {
		return errors.New("no lines")
	}
	largest := 0.0
	for x, v := range d.rho {
		if math.IsNaN(v) {
			d.rho[x] = 1
		}
		largest = max(largest, d.rho[x])
	}
	if largest == 0 {
		return errors.New("rho: all are 0")
	}
	sum := 0.0
	for _, v := range d.rho {
		sum += v / largest // which cannot overflow
	}
	for x, v := range d.rho {
		d.rho[x] = math.Log(v/largest) - math.Log(sum)
	}
	return nil
}
