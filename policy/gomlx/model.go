package gomlx

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"

	"github.com/prefgrad/prefgrad/policy"
)

// Model is a trainable decoder. It scores ([policy.TokenPolicy]), writes
// ([policy.Decoder]), and makes its own optimizer ([Model.AdamW]), since its parameters
// stay in the backend. Either all its weights are trained, or those of an adapter on a
// frozen base ([Model.LoRA]).
//
// Everything may be used from several goroutines at once; an update waits for
// computations in progress. Pullbacks of several passes add to the one gradient, one
// after the other, in the order in which they come; for the same bits in every run, call
// them in a fixed order. The zero value is of no use: see [New] and [Load].
type Model struct {
	scorer
	adding  sync.Mutex  // held by the pullback that adds to grad
	grad    *weights    // nil: 0
	updates uint64      // done so far; guarded by changing
	isBase  atomic.Bool // of an adapter: not to be trained any more
}

// Frozen is a decoder whose parameters never change: a reference π_ref. It scores and
// writes; the Pullback of its passes returns [errors.ErrUnsupported]. It is safe for
// concurrent use. The zero value is of no use: see [Model.Freeze] and [Model.Base].
type Frozen struct{ scorer }

var (
	_ policy.TokenPolicy = (*Model)(nil)
	_ policy.Decoder     = (*Model)(nil)
	_ policy.TokenPolicy = (*Frozen)(nil)
	_ policy.Decoder     = (*Frozen)(nil)
)

// scorer is all that scoring needs.
type scorer struct {
	backend  compute.Backend
	cfg      Config
	base     *weights
	ownsBase bool
	lora     *LoRA    // nil: none
	adapter  *weights // its matrices
	limits   limits
	programs programs
	changing sync.RWMutex // held to write by what replaces parameters
}

// New returns a model with random weights: normal with standard deviation InitStd, the
// norms 1. The same seed gives the same weights. Its errors name the field of c and its
// value.
func New(b compute.Backend, c Config, seed uint64) (*Model, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	specs := c.specs()
	r := rand.New(rand.NewPCG(seed, 0))
	return newModel(b, c, func(i int) ([]float32, error) {
		v := make([]float32, specs[i].size())
		for j := range v {
			if len(specs[i].dims) == 1 {
				v[j] = 1
			} else {
				v[j] = float32(c.InitStd * r.NormFloat64())
			}
		}
		return v, nil
	})
}

// newModel returns a model with the given weights. c has its defaults.
func newModel(b compute.Backend, c Config, value func(i int) ([]float32, error)) (*Model, error) {
	base, err := newWeights(b, c.specs(), value)
	if err != nil {
		return nil, err
	}
	return &Model{scorer: scorer{backend: b, cfg: c, base: base, ownsBase: true, limits: defaultLimits}}, nil
}

// Config returns the configuration, with its defaults filled in.
func (s *scorer) Config() Config { return s.cfg }

// Vocab implements [policy.Decoder].
func (s *scorer) Vocab() int { return s.cfg.Vocab }

// trained returns the weights that a pullback differentiates.
func (s *scorer) trained() *weights {
	if s.adapter != nil {
		return s.adapter
	}
	return s.base
}

// alone waits for passes and pullbacks in progress and keeps others out until the function
// that it returns is called. A pullback takes the two locks in the same order.
func (m *Model) alone() (release func()) {
	m.adding.Lock()
	m.changing.Lock()
	return func() {
		m.changing.Unlock()
		m.adding.Unlock()
	}
}

// trainable returns an error if the parameters of m must not change any more.
func (m *Model) trainable() error {
	if m.isBase.Load() {
		return errors.New("gomlx: change of a model that is the base of an adapter")
	}
	return nil
}

// Params returns the names of the trained parameters and their shapes: all, or those of
// the adapter. Matrices are outputs × inputs, as in Hugging Face's checkpoints.
func (m *Model) Params() (names []string, shapes [][]int) {
	for _, s := range m.trained().specs {
		names, shapes = append(names, s.name), append(shapes, append([]int(nil), s.dims...))
	}
	return names, shapes
}

// Param returns a copy of a trained parameter.
func (m *Model) Param(name string) ([]float32, error) {
	m.changing.RLock()
	defer m.changing.RUnlock()
	i, err := m.trained().find(name)
	if err != nil {
		return nil, err
	}
	return m.trained().read(i)
}

// SetParam replaces a trained parameter.
func (m *Model) SetParam(name string, value []float32) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if err := m.trainable(); err != nil {
		return err
	}
	w := m.trained()
	i, err := w.find(name)
	if err != nil {
		return err
	}
	if len(value) != w.specs[i].size() {
		return fmt.Errorf("gomlx: %d values for the %d of %s", len(value), w.specs[i].size(), name)
	}
	t, err := upload(m.backend, value, w.specs[i].dims...)
	if err != nil {
		return err
	}
	old := w.t[i]
	w.t[i] = t
	return release([]*tensor{old})
}

// Grad returns a copy of the accumulated gradient of a trained parameter.
func (m *Model) Grad(name string) ([]float32, error) {
	m.adding.Lock()
	defer m.adding.Unlock()
	w := m.trained()
	i, err := w.find(name)
	if err != nil {
		return nil, err
	}
	if m.grad == nil {
		return make([]float32, w.specs[i].size()), nil
	}
	return m.grad.read(i)
}

// ZeroGrad forgets the accumulated gradient.
func (m *Model) ZeroGrad() error {
	m.adding.Lock()
	defer m.adding.Unlock()
	return m.dropGrad()
}

// dropGrad is ZeroGrad for who holds adding.
func (m *Model) dropGrad() error {
	err := m.grad.close()
	m.grad = nil
	return err
}

// Freeze returns a copy of the model as it is now, to serve as the reference. A model
// with an adapter shares its base with the copy, which [Model.Base] does better where
// the reference is the base itself.
func (m *Model) Freeze() (*Frozen, error) {
	m.changing.RLock()
	defer m.changing.RUnlock()
	f := &Frozen{scorer{backend: m.backend, cfg: m.cfg, base: m.base, lora: m.lora, limits: m.limits}}
	var err error
	if m.adapter != nil {
		f.adapter, err = m.adapter.copy(m.backend)
	} else {
		f.ownsBase = true
		f.base, err = m.base.copy(m.backend)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Close releases the memory in the backend that belongs to s alone: its weights, but not
// a base that it shares. The backend's own Finalize releases everything, and the pure-Go
// backend needs neither.
func (s *scorer) Close() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	err := s.adapter.close()
	if s.ownsBase {
		err = errors.Join(err, s.base.close())
	}
	s.programs.close()
	return err
}

// Close is the same for a model, and releases its gradient too.
func (m *Model) Close() error {
	return errors.Join(m.ZeroGrad(), m.scorer.Close())
}
