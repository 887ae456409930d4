package policytest_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

func TestBrokenPolicies(t *testing.T) {
	// each makes a table entry of a defect
	entry := func(name, check string, only bool, d defect) broken {
		return broken{name, check, only, func(t testing.TB) {
			d := d
			d.Tabular = table()
			policytest.Policy[int, int](t, &d, tableConfig())
		}}
	}
	scores := func(name, check string, only bool, f wrongScore) broken {
		return entry(name, check, only, defect{logProbs: f})
	}
	samples := func(name, check string, only bool, f wrongSample) broken {
		return entry(name, check, only, defect{sample: f})
	}
	pulls := func(name, check string, only bool, f wrongPull) broken {
		return entry(name, check, only, defect{pullback: f})
	}
	// alone keeps a wrong pullback that writes to the gradient from racing with others
	alone := func(f wrongPull) wrongPull {
		var one sync.Mutex
		return func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			one.Lock()
			defer one.Unlock()
			return f(p, right, ctx, w)
		}
	}
	var busy atomic.Int32

	runBroken(t, []broken{
		scores("not normalised", "Normalized", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			for i := range dst {
				dst[i] += 0.01
			}
			return err
		}),
		entry("Distribution of another policy", "Enumeration", true, defect{distribution: func(right func([]float64, int) error, dst []float64, x int) error {
			err := right(dst, x)
			slices.Reverse(dst)
			return err
		}}),
		scores("the first item of a batch is special", "BatchOfOne", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			for i := range dst {
				dst[i] += 1e-6 * float64(i)
			}
			return err
		}),
		scores("results out of order", "Order", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			if len(xs) > 2 && xs[0] > xs[len(xs)-1] {
				slices.Reverse(dst)
			}
			return err
		}),
		scores("lengths unchecked", "Lengths", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			n := min(len(dst), len(xs), len(ys))
			return right(ctx, dst[:n], xs[:n], ys[:n])
		}),
		entry("LogProbs ignores the context", "Context", true, defect{
			logProbs: func(right scoreFunc, _ context.Context, dst []float64, xs, ys []int) error {
				return right(context.Background(), dst, xs, ys)
			},
			forward: call,
		}),
		scores("bad items are impossible ones", "Bad", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			var item *policy.ItemError
			err := right(ctx, dst, xs, ys)
			if !errors.As(err, &item) {
				return err
			}
			for i, l := range dst {
				if math.IsNaN(l) {
					dst[i] = math.Inf(-1)
				}
			}
			return nil
		}),
		scores("only the first bad item is named", "Bad", true, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			var item *policy.ItemError
			if err := right(ctx, dst, xs, ys); !errors.As(err, &item) {
				return err
			}
			return item
		}),
		scores("bad items have no index", "Bad", true, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			var item *policy.ItemError
			if err := right(ctx, dst, xs, ys); !errors.As(err, &item) {
				return err
			}
			return errors.New("something is wrong")
		}),
		scores("a bad item stops the batch", "Bad", true, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			if i := slices.IndexFunc(dst, math.IsNaN); err != nil && i >= 0 {
				for ; i < len(dst); i++ {
					dst[i] = math.NaN()
				}
			}
			return err
		}),
		scores("impossible is very improbable", "Impossible", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			for i, l := range dst {
				if math.IsInf(l, -1) {
					dst[i] = -1e9
				}
			}
			return err
		}),
		scores("one workspace for all callers", "Concurrent", false, func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			defer busy.Add(-1)
			crowd := busy.Add(1)
			time.Sleep(time.Millisecond)
			err := right(ctx, dst, xs, ys)
			if crowd > 1 && len(dst) > 0 {
				dst[0] = -1
			}
			return err
		}),

		samples("off by one", "SampleFrequencies", false, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			err := right(ctx, d, xs, ids, k, key)
			for i, y := range d.Y {
				d.Y[i] = (y + 1) % 4
			}
			rescore(d, xs, k)
			return err
		}),
		samples("temperature missing in LogProb", "SampleFrequencies", false, func(_ sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			err := hot().Sample(ctx, d, xs, ids, k, key)
			rescore(d, xs, k)
			return err
		}),
		samples("temperature in Model", "SampleLogProbs", true, func(_ sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			return hot().Sample(ctx, d, xs, ids, k, key)
		}),
		samples("every draw twice", "SampleIndependent", false, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			err := right(ctx, d, xs, ids, k, key)
			for i := range d.Y {
				if j := i % k; j%2 == 1 {
					d.Y[i] = d.Y[i-1]
					if d.LogProb != nil {
						d.LogProb[i], d.Model[i] = d.LogProb[i-1], d.Model[i-1]
					}
				}
			}
			return err
		}),
		samples("the size of the batch changes the draws", "SampleBatchOfOne", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			key.Seed += uint64(len(ids))
			return right(ctx, d, xs, ids, k, key)
		}),
		samples("the place in the batch changes the draws", "SampleBatchOfOne", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			ids = slices.Clone(ids)
			for i := range ids {
				ids[i] += 1e6 * uint64(i)
			}
			return right(ctx, d, xs, ids, k, key)
		}),
		samples("k changes the draws", "SampleBatchOfOne", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			key.Seed += uint64(max(k, 0))
			return right(ctx, d, xs, ids, k, key)
		}),
		samples("the step is ignored", "SampleKeys", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			return right(ctx, d, xs, ids, k, policy.Key{Seed: key.Seed})
		}),
		samples("the id is ignored", "SampleKeys", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			return right(ctx, d, xs, make([]uint64, len(ids)), k, key)
		}),
		samples("draws unchecked", "SampleLengths", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			if len(ids) != len(xs) || k < 1 || len(d.Y) != k*len(xs) {
				return errors.New("lengths")
			}
			return right(ctx, d, xs, ids, k, key)
		}),
		samples("Sample ignores the context", "SampleContext", true, func(right sampleFunc, _ context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			return right(context.Background(), d, xs, ids, k, key)
		}),
		samples("one generator for all callers", "SampleConcurrent", true, func(right sampleFunc, ctx context.Context, d draws, xs []int, ids []uint64, k int, key policy.Key) error {
			defer busy.Add(-1)
			if crowd := busy.Add(1); crowd > 1 {
				key.Seed++
			}
			time.Sleep(time.Millisecond)
			return right(ctx, d, xs, ids, k, key)
		}),

		entry("a pass scores otherwise", "Forward", false, defect{forward: func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			for i := range dst {
				dst[i] += 1e-9
			}
			return err
		}}),
		pulls("wrong sign", "PullbackDifferences", true, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			return right(ctx, scaled(w, -1))
		}),
		pulls("mean instead of sum", "PullbackBatchOfOne", false, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			return right(ctx, scaled(w, 1/float64(len(w))))
		}),
		pulls("overwrites the gradient", "PullbackAccumulates", false, alone(func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			clear(p.policy.Grad())
			return right(ctx, w)
		})),
		pulls("second pullback adds nothing", "PullbackAccumulates", false, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			if p.ys == nil && len(w) == 5 {
				return nil
			}
			p.ys = nil
			return right(ctx, w)
		}),
		pulls("weights clipped", "PullbackLinear", true, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			w = slices.Clone(w)
			for i := range w {
				w[i] = min(max(w[i], -1), 1)
			}
			return right(ctx, w)
		}),
		pulls("expectation missing", "PullbackScoreMean", false, alone(func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			if err := right(ctx, scaled(w, 0)); err != nil {
				return err
			}
			for i, x := range p.xs {
				p.policy.Grad()[4*x+p.ys[i]] += w[i]
			}
			return nil
		})),
		pulls("order matters", "PullbackOrder", false, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			w = slices.Clone(w)
			w[0] *= 1.01
			return right(ctx, w)
		}),
		pulls("weight times log-probability", "PullbackZeroWeight", false, alone(func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			err := right(ctx, w)
			logp := make([]float64, len(w))
			_ = p.policy.Tabular.LogProbs(context.Background(), logp, p.xs, p.ys)
			for i, l := range logp {
				if w[i] == 0 {
					p.policy.Grad()[0] += w[i] * l // NaN for −Inf
				}
			}
			return err
		})),
		pulls("Pullback ignores the context", "PullbackContext", true, func(p *defectPass, right pullFunc, _ context.Context, w []float64) error {
			return right(context.Background(), w)
		}),
		pulls("Pullback unchecked", "PullbackMisuse", false, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) (err error) {
			defer func() {
				if recover() != nil {
					err = errors.New("misuse")
				}
			}()
			return right(ctx, w)
		}),
		pulls("a cancelled Forward is forgotten", "PullbackContext", true, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			if p.failed {
				return nil
			}
			return right(ctx, w)
		}),
		func() broken {
			var shared policy.Pass[int, int]
			return entry("all passes are one", "PullbackAccumulates", false, defect{newPass: func(right func() policy.Pass[int, int]) policy.Pass[int, int] {
				if shared == nil {
					shared = &locked{Pass: right()}
				}
				return shared
			}})
		}(),
		pulls("passes get in each other's way", "PullbackConcurrent", true, func(p *defectPass, right pullFunc, ctx context.Context, w []float64) error {
			defer busy.Add(-1)
			if crowd := busy.Add(1); crowd > 1 {
				return nil
			}
			time.Sleep(5 * time.Millisecond)
			return right(ctx, w)
		}),
	})
}

// call is the right function itself, as a replacement.
func call(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
	return right(ctx, dst, xs, ys)
}

// hot returns the table at temperature 0.7.
func hot() *policy.Tabular {
	p := table()
	for i := range p.Params() {
		p.Params()[i] /= 0.7
	}
	return p
}

// rescore reports the table's log-probabilities for the draws.
func rescore(d draws, xs []int, k int) {
	for _, dst := range [][]float64{d.LogProb, d.Model} {
		if dst != nil {
			_ = table().LogProbs(context.Background(), dst, repeat(xs, max(k, 0)), d.Y)
		}
	}
}

// locked lets several goroutines use one pass, so that only the results are wrong.
type locked struct {
	sync.Mutex
	policy.Pass[int, int]
}

func (l *locked) Forward(ctx context.Context, dst []float64, xs, ys []int) error {
	l.Lock()
	defer l.Unlock()
	return l.Pass.Forward(ctx, dst, xs, ys)
}

func (l *locked) Pullback(ctx context.Context, w []float64) error {
	l.Lock()
	defer l.Unlock()
	return l.Pass.Pullback(ctx, w)
}

func scaled(w []float64, by float64) []float64 {
	w = slices.Clone(w)
	for i := range w {
		w[i] *= by
	}
	return w
}

// repeat returns each element k times in a row.
func repeat(xs []int, k int) []int {
	var out []int
	for _, x := range xs {
		out = append(out, slices.Repeat([]int{x}, k)...)
	}
	return out
}
