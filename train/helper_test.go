package train_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

var ctx = context.Background()

type (
	x        = *policy.Candidates
	loop     = train.Loop[x, int]
	data     = train.Data[x, int]
	batch    = train.Batch[x, int]
	term     = train.Term[x, int]
	offline  = train.Offline[x, int]
	penalty  = train.KLPenalty[x, int]
	budget   = train.KLBudget[x, int]
	onlineRL = train.Online[x, int]
	sft      = train.Supervised[x, int]
	learner  = policy.Learner[x, int]
)

const (
	toyDim       = 3
	toyResponses = 5
)

// toy is a log-linear policy with its reference and preference pairs, several on a prompt.
type toy struct {
	*policy.LogLinear
	ref     *policy.Finite[x]
	prompts []x
	data    data
}

func newToy(prompts, pairs int) *toy {
	g := rand.New(rand.NewPCG(1, 2))
	t := &toy{LogLinear: policy.NewLogLinear(toyDim)}
	for range prompts {
		phi, ref := make([]float64, toyResponses*toyDim), make([]float64, toyResponses)
		for i := range phi {
			phi[i] = g.NormFloat64()
		}
		for i := range ref {
			ref[i] = g.NormFloat64()
		}
		f, err := policy.NewDense(toyResponses, toyDim, phi)
		if err != nil {
			panic(err)
		}
		t.prompts = append(t.prompts, &policy.Candidates{Ref: ref, Features: f})
	}
	d := &t.data
	for i := range pairs {
		a := g.IntN(toyResponses)
		b := (a + 1 + g.IntN(toyResponses-1)) % toyResponses
		d.X = append(d.X, t.prompts[i%prompts])
		d.Chosen, d.Rejected = append(d.Chosen, a), append(d.Rejected, b)
		d.ChosenLen, d.RejectedLen = append(d.ChosenLen, 1+g.IntN(9)), append(d.RejectedLen, 1+g.IntN(9))
	}
	t.ref = t.Freeze()
	if err := d.CacheRef(ctx, t.ref, 5, nil); err != nil {
		panic(err)
	}
	return t
}

func (t *toy) dpo() term { return &offline{Policy: t.LogLinear, Loss: loss.DPO{Beta: 0.1}} }

// budgeted is an objective whose state matters: λ begins at 0 and must rise.
func (t *toy) budgeted(p learner) []term {
	return []term{
		&offline{Policy: p, Loss: loss.DPO{Beta: 0.1}},
		&budget{Policy: p, Ref: t.ref, K: 2, Dual: rloo.Dual{Budget: 0.02, Rate: 0.5}},
	}
}

// loop returns a short run of DPO.
func (t *toy) loop(terms ...term) *loop {
	if len(terms) == 0 {
		terms = []term{t.dpo()}
	}
	return &loop{Data: t.data, Terms: terms, Updater: train.NewAdamW(t), Steps: 20, Batch: 8, LR: 0.05, Seed: 7}
}

// evalKL reports the exact KL of the first prompts.
func (t *toy) evalKL(_ context.Context, _ int, m *train.Metrics) error {
	m.Set("eval/kl", t.exactKL())
	return nil
}

// exactKL returns KL(π‖π_ref) by its definition, averaged over the prompts.
func (t *toy) exactKL() float64 {
	p, q, kl := make([]float64, toyResponses), make([]float64, toyResponses), 0.0
	for _, x := range t.prompts {
		if err := t.Distribution(p, x); err != nil {
			panic(err)
		}
		if err := t.ref.Distribution(q, x); err != nil {
			panic(err)
		}
		for y, l := range p {
			kl += math.Exp(l) * (l - q[y])
		}
	}
	return kl / float64(len(t.prompts))
}

func run(t testing.TB, l *loop) train.History {
	t.Helper()
	h, err := l.Run(ctx)
	require.NoError(t, err)
	return h
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// digest stands for the contents of a binary file.
func digest(t testing.TB, path string) string {
	t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256([]byte(readFile(t, path))))
}

// files gives a loop a checkpoint and a metrics file in a folder.
func files(l *loop, dir string) *loop {
	l.Checkpoint, l.MetricsFile = filepath.Join(dir, "run.ckpt"), filepath.Join(dir, "run.jsonl")
	return l
}

// probe is a term that watches, or that does what a test wants.
type probe struct {
	accumulate func(b *batch, key policy.Key, m *train.Metrics) error
}

func (p probe) Accumulate(_ context.Context, b *batch, key policy.Key, m *train.Metrics) error {
	return p.accumulate(b, key, m)
}

// watched is a learner that calls hooks before it works.
type watched struct {
	learner
	sample  func(xs []x, ids []uint64, k int, key policy.Key)
	drawn   func(ys []int)
	forward func()
}

func (w *watched) Sample(ctx context.Context, dst policy.Draws[int], xs []x, ids []uint64, k int, key policy.Key) error {
	if w.sample != nil {
		w.sample(xs, ids, k, key)
	}
	err := w.learner.Sample(ctx, dst, xs, ids, k, key)
	if w.drawn != nil {
		w.drawn(dst.Y)
	}
	return err
}

func (w *watched) NewPass() policy.Pass[x, int] { return &watchedPass{w.learner.NewPass(), w} }

type watchedPass struct {
	policy.Pass[x, int]
	w *watched
}

func (p *watchedPass) Forward(ctx context.Context, dst []float64, xs []x, ys []int) error {
	if p.w.forward != nil {
		p.w.forward()
	}
	return p.Pass.Forward(ctx, dst, xs, ys)
}

// watchedUpdater calls hooks before it works.
type watchedUpdater struct {
	policy.Updater
	update func(lr float64)
	save   func()
}

func (w watchedUpdater) Update(ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
	if w.update != nil {
		w.update(lr)
	}
	return w.Updater.Update(ctx, lr, scale, maxNorm)
}

func (w watchedUpdater) Save(to io.Writer) error {
	if w.save != nil {
		w.save()
	}
	return w.Updater.Save(to)
}
