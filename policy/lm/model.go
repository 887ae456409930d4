package lm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/prefgrad/prefgrad/policy"
)

// Model is a trainable language model. It scores ([policy.TokenPolicy]), writes
// ([policy.Decoder]), and keeps its parameters in a slice ([policy.Host]).
//
// Everything may be used from several goroutines at once, as long as nobody writes to
// Params or Grad meanwhile. Pullbacks of several passes add to the one gradient, one
// after the other, in the order in which they come; for the same bits in every run,
// call them in a fixed order. The zero value is of no use: see [New] and [Load].
type Model struct {
	net
	grad   []float64
	adding sync.Mutex // held by the pullback that adds to grad
}

var (
	_ policy.TokenPolicy      = (*Model)(nil)
	_ policy.Decoder          = (*Model)(nil)
	_ policy.Host             = (*Model)(nil)
	_ policy.Freezer[*Frozen] = (*Model)(nil)
	_ policy.TokenPolicy      = (*Frozen)(nil)
	_ policy.Decoder          = (*Frozen)(nil)
)

// New returns a model that gives every token the same probability: the embeddings of
// features and the output bias are 0, the output embeddings are normal with standard
// deviation InitStd, drawn from Seed. Its errors name the field of c and its value.
func New(c Config) (*Model, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	m := newModel(c)
	g := rand.New(rand.NewPCG(c.Seed, 0))
	out := m.params[m.at.out:m.at.outBias]
	for i := range out {
		out[i] = c.InitStd * g.NormFloat64()
	}
	return m, nil
}

// newModel returns a model whose parameters are 0.
func newModel(c Config) *Model {
	at := c.layout()
	return &Model{net: net{cfg: c, at: at, params: make([]float64, at.size)}, grad: make([]float64, at.size)}
}

// Config returns the configuration, with its defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// Vocab implements [policy.Decoder].
func (m *Model) Vocab() int { return m.cfg.Vocab }

// Params implements [policy.Host]: the embeddings of the features, the output
// embeddings, the output bias.
func (m *Model) Params() []float64 { return m.params }

// Grad implements [policy.Host].
func (m *Model) Grad() []float64 { return m.grad }

// FitUnigram sets the output bias to log((counts[v]+½)/(Σcounts+V/2)), the smoothed
// logarithms of the frequencies of the tokens, so that an otherwise new model is the
// unigram model of these counts. Training is faster from there. It panics unless
// counts has length Vocab, and returns an error for a negative count.
func (m *Model) FitUnigram(counts []int) error {
	if len(counts) != m.cfg.Vocab {
		panic("lm: counts not as long as the vocabulary")
	}
	total := float64(m.cfg.Vocab) / 2
	for v, c := range counts {
		if c < 0 {
			return fmt.Errorf("lm: counts[%d] is %d", v, c)
		}
		total += float64(c)
	}
	for v, c := range counts {
		m.params[m.at.outBias+v] = math.Log((float64(c) + 0.5) / total)
	}
	return nil
}

// Clone returns an independent model with the same parameters and a gradient of 0.
func (m *Model) Clone() *Model { return m.copy() }

// Freeze implements [policy.Freezer].
func (m *Model) Freeze() *Frozen {
	f := &Frozen{net: net{cfg: m.cfg, at: m.at, params: slices.Clone(m.params)}}
	f.layer.set(&f.net)
	return f
}

// Frozen is a model whose parameters never change: a reference π_ref. It scores and
// writes; the Pullback of its passes returns [errors.ErrUnsupported]. It is safe for
// concurrent use. The zero value is of no use: see [Model.Freeze].
type Frozen struct {
	net
	layer layer
}

// Config returns the configuration, with its defaults filled in.
func (f *Frozen) Config() Config { return f.cfg }

// Vocab implements [policy.Decoder].
func (f *Frozen) Vocab() int { return f.cfg.Vocab }

// Clone returns a trainable model with the same parameters.
func (f *Frozen) Clone() *Model { return f.copy() }

func (n *net) copy() *Model {
	m := newModel(n.cfg)
	copy(m.params, n.params)
	return m
}
