package policytest_test

import (
	"context"

	"github.com/prefgrad/prefgrad/policy"
)

// defect is a tabular policy, any method of which can be replaced by a wrong one. The
// replacements get the right one to call.
type defect struct {
	*policy.Tabular
	logProbs     wrongScore
	forward      wrongScore // nil: logProbs
	sample       wrongSample
	pullback     wrongPull
	newPass      func(right func() policy.Pass[int, int]) policy.Pass[int, int]
	distribution func(right func(dst []float64, x int) error, dst []float64, x int) error
}

type (
	scoreFunc  = func(ctx context.Context, dst []float64, xs, ys []int) error
	sampleFunc = func(ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error
	pullFunc   = func(ctx context.Context, w []float64) error

	wrongScore  = func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error
	wrongSample = func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error
	wrongPull   = func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error
)

func (d *defect) LogProbs(ctx context.Context, dst []float64, xs, ys []int) error {
	if d.logProbs != nil {
		return d.logProbs(d.Tabular.LogProbs, ctx, dst, xs, ys)
	}
	return d.Tabular.LogProbs(ctx, dst, xs, ys)
}

func (d *defect) Sample(ctx context.Context, to draws, xs []int, ids []uint64, k int, key policy.Key) error {
	if d.sample != nil {
		return d.sample(d.Tabular.Sample, ctx, to, xs, ids, k, key)
	}
	return d.Tabular.Sample(ctx, to, xs, ids, k, key)
}

func (d *defect) Distribution(dst []float64, x int) error {
	if d.distribution != nil {
		return d.distribution(d.Tabular.Distribution, dst, x)
	}
	return d.Tabular.Distribution(dst, x)
}

func (d *defect) NewPass() policy.Pass[int, int] {
	right := func() policy.Pass[int, int] { return &defectPass{policy: d, right: d.Tabular.NewPass()} }
	if d.newPass != nil {
		return d.newPass(right)
	}
	return right()
}

// defectPass remembers the last batch for the replacements.
type defectPass struct {
	policy *defect
	right  policy.Pass[int, int]
	xs, ys []int
	failed bool // the last Forward was cancelled
}

func (p *defectPass) Forward(ctx context.Context, dst []float64, xs, ys []int) error {
	p.xs, p.ys, p.failed = xs, ys, ctx.Err() != nil
	wrong := p.policy.forward
	if wrong == nil {
		wrong = p.policy.logProbs
	}
	if wrong != nil {
		return wrong(p.right.Forward, ctx, dst, xs, ys)
	}
	return p.right.Forward(ctx, dst, xs, ys)
}

func (p *defectPass) Pullback(ctx context.Context, w []float64) error {
	if p.policy.pullback != nil {
		return p.policy.pullback(p, p.right.Pullback, ctx, w)
	}
	return p.right.Pullback(ctx, w)
}
