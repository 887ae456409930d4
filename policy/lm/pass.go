package lm

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/logits"
)

// keepLimit is the number of logits that a pass keeps from Forward to Pullback at the
// most, 256 MiB of them. A larger batch has its logits computed a second time.
const keepLimit = 1 << 26

// NewTokenPass implements [policy.TokenPolicy]. The pass provides LogProb, Entropy and
// SumSq; KL needs a reference, see [Model.Against].
//
// Forward returns, for each sequence with an id outside the vocabulary or with an empty
// reply, a [*policy.ItemError]; the statistics of its reply are NaN, the other
// sequences' are as without it. An error without an item (a parameter that is not
// finite, ctx) leaves dst unspecified. An error of Pullback leaves part of the sum in
// the gradient.
//
// The parameters must not change between a Forward and its Pullback. Pullback may be
// called again for the same Forward.
//
// A pass keeps the logits of its last Forward, up to 256 MiB, once Pullback has been
// called: a pass that trains computes them once, one that scores does without the
// memory. It allocates nothing when it is used again on batches no larger than before,
// but for goroutines where GOMAXPROCS > 1.
func (m *Model) NewTokenPass() policy.TokenPass { return newPass(&m.net, nil, m, nil) }

// NewTokenPass implements [policy.TokenPolicy], as [Model.NewTokenPass] does.
func (f *Frozen) NewTokenPass() policy.TokenPass { return newPass(&f.net, &f.layer, nil, nil) }

// Against returns m as a policy whose passes provide KL too, to ref, which is only
// read. The two may differ in everything but the vocabulary; a difference there panics.
func (m *Model) Against(ref *Frozen) policy.TokenPolicy {
	if m.cfg.Vocab != ref.cfg.Vocab {
		panic("lm: models of different vocabularies")
	}
	return against{m, ref}
}

type against struct {
	m   *Model
	ref *Frozen
}

func (a against) NewTokenPass() policy.TokenPass { return newPass(&a.m.net, nil, a.m, a.ref) }

// pass implements policy.TokenPass.
type pass struct {
	train *Model // whose gradient Pullback adds to; nil: none
	p, q  side   // q: the reference
	own   layer  // what p.layer points to where the parameters may change

	batch  policy.Tokens
	pos    []int   // position in batch.IDs of each row: each reply token that counts
	seq    []int32 // sequence of each row
	labels []int32 // id at pos
	logZ   []float64
	bad    []error // for each sequence of the batch

	ready, trains, kept bool
	z                   []float32 // the logits of all rows if kept

	dst, w  policy.TokenStats // arguments of the call in progress
	block   block             // what Pullback works on
	room    []float32         // for its gradient, unless that stands in z
	dh      []float32         // for that of its context vectors
	dbase   []float64         // the sum of dh for each sequence
	team    num.Team
	workers []worker

	// The pieces of work as method values, made once.
	baseP, baseQ, hiddenP, hiddenQ, forward, back, backOut func(worker, piece int) error
}

// worker is the room of one worker.
type worker struct {
	z, zq  []float32
	sum    []float64
	part   []float32
	values [4][tileRows]float64 // statistics or weights of a tile
}

func newPass(n *net, frozen *layer, train *Model, ref *Frozen) *pass {
	p := &pass{train: train, p: side{net: n, layer: frozen}}
	if frozen == nil {
		p.p.layer = &p.own
	}
	if ref != nil {
		p.q = side{net: &ref.net, layer: &ref.layer}
		p.baseQ = func(_, s int) error { return p.q.setBase(p, s) }
		p.hiddenQ = func(w, t int) error { return p.q.setHidden(p, w, t) }
	}
	p.baseP = func(_, s int) error { return p.p.setBase(p, s) }
	p.hiddenP = func(w, t int) error { return p.p.setHidden(p, w, t) }
	p.forward, p.back, p.backOut = p.forwardTile, p.backTile, p.backStripe
	return p
}

func (p *pass) run(ctx context.Context, n int, work func(worker, piece int) error) error {
	workers := p.team.Workers(n)
	for len(p.workers) < workers {
		d := p.p.net.cfg.Dim
		if p.q.net != nil {
			d = max(d, p.q.net.cfg.Dim)
		}
		p.workers = append(p.workers, worker{sum: make([]float64, d)})
	}
	return p.team.Run(ctx, workers, n, work)
}

func (p *pass) tiles() int { return (len(p.pos) + tileRows - 1) / tileRows }

func (p *pass) tile(t int) (lo, hi int) {
	return t * tileRows, min((t+1)*tileRows, len(p.pos))
}

// Forward implements policy.TokenPass.
func (p *pass) Forward(ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
	for _, f := range fields(dst) {
		if f != nil && len(f) != len(b.IDs) {
			panic("lm: statistics not as long as the tokens")
		}
	}
	p.ready, p.kept, p.p.done, p.q.done = false, false, false, false
	if dst.KL != nil && p.q.net == nil {
		return errReference
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.batch, p.dst = b, dst
	failed := p.list()
	for _, f := range fields(dst) {
		clear(f)
	}
	if p.p.layer == &p.own {
		p.own.set(p.p.net)
	}
	if err := p.prepare(ctx, &p.p, p.baseP, p.hiddenP); err != nil {
		return err
	}
	if dst.KL != nil {
		if err := p.prepare(ctx, &p.q, p.baseQ, p.hiddenQ); err != nil {
			return err
		}
	}
	p.logZ = grow(p.logZ, len(p.pos))
	if size := len(p.pos) * p.p.layer.stride; p.trains && size <= keepLimit {
		p.z = grow(p.z, size)
		p.kept = true
	}
	err := p.run(ctx, p.tiles(), p.forward)
	p.dst = policy.TokenStats{}
	if err != nil {
		p.kept = false
		return err
	}
	if failed {
		return p.blame(dst)
	}
	p.ready = true
	return nil
}

var errReference = fmt.Errorf("lm: KL without a reference: %w", errors.ErrUnsupported)

// fields returns the slices of s in the order of worker.values.
func fields(s policy.TokenStats) [4][]float64 {
	return [4][]float64{s.LogProb, s.Entropy, s.KL, s.SumSq}
}

// forwardTile computes the statistics of one tile.
func (p *pass) forwardTile(w, tile int) error {
	me := &p.workers[w]
	lo, hi := p.tile(tile)
	in := logits.Batch{Labels: p.labels[lo:hi], Temperature: 1}
	var keep []float32
	if p.kept {
		keep = p.z[lo*p.p.layer.stride : hi*p.p.layer.stride]
	}
	in.Logits = p.p.logitsOf(keep, &me.z, lo, hi)
	if p.dst.KL != nil {
		in.Ref = p.q.logitsOf(nil, &me.zq, lo, hi)
	}
	want := stats(p.dst, &me.values, hi-lo)
	want.LogZ = p.logZ[lo:hi]
	if err := logits.Forward(want, in); err != nil {
		return p.where(lo, err)
	}
	for f, v := range fields(p.dst) {
		for r := lo; r < hi && v != nil; r++ {
			v[p.pos[r]] = me.values[f][r-lo]
		}
	}
	return nil
}

// stats returns the first n of the values for which like has a field.
func stats(like policy.TokenStats, values *[4][tileRows]float64, n int) logits.Stats {
	var v [4][]float64
	for f, s := range fields(like) {
		if s != nil {
			v[f] = values[f][:n]
		}
	}
	return logits.Stats{LogProb: v[0], Entropy: v[1], KL: v[2], SumSq: v[3]}
}

// where says which token an error of package logits is about, in a tile that begins
// with row lo.
func (p *pass) where(lo int, err error) error {
	var bad *logits.RowError
	if !errors.As(err, &bad) {
		return fmt.Errorf("lm: %w", err)
	}
	r := lo + bad.Row
	i := int(p.seq[r])
	return fmt.Errorf("lm: sequence %d, token %d: %w", i, p.pos[r]-p.batch.Begin[i], bad.Err)
}
