package gomlx

import (
	"sync"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/prefgrad/prefgrad/policy"
)

// View is a model as a [policy.TokenPolicy] with more than the model alone gives: the KL
// to a reference, dropout, or both. Set the fields and leave them. It is safe for
// concurrent use; with dropout, the order of Forwards decides who gets which masks.
type View struct {
	Model *Model

	// Ref, if not nil, is what policy.TokenStats.KL is the divergence to. It is only read.
	// It may differ from Model in everything but the vocabulary.
	Ref *Frozen

	// Dropout turns the dropout of the model's adapter on: every Forward draws new masks,
	// and the Pullback that follows uses the same. Score, sample and evaluate without it.
	// The masks derive from Seed, the number of updates that the model has had and that
	// of the Forwards since the last, so that a run that is resumed draws the same.
	Dropout bool
	Seed    uint64

	programs programs
	drawing  sync.Mutex
	updates  uint64 // of the model at the last Forward
	forwards uint64 // since that update
}

var _ policy.TokenPolicy = (*View)(nil)

// Against returns m as a policy whose passes provide KL too, to ref. A different
// vocabulary panics.
func (m *Model) Against(ref *Frozen) *View {
	v := &View{Model: m, Ref: ref}
	v.check()
	return v
}

func (v *View) check() {
	if v.Ref != nil && v.Ref.cfg.Vocab != v.Model.cfg.Vocab {
		panic("gomlx: models of different vocabularies")
	}
}

// NewTokenPass implements [policy.TokenPolicy].
func (v *View) NewTokenPass() policy.TokenPass {
	v.check()
	x := sides{s: &v.Model.scorer}
	if v.Ref != nil {
		x.ref = &v.Ref.scorer
	}
	return &pass{sides: x, train: v.Model, view: v}
}

// seed is the state of a backend's generator.
type seed [3]uint64

func (s seed) state() *tensor { return tensors.FromFlatDataAndDimensions(s[:], len(s)) }

// draw returns the seeds of the dropout of n chunks of a Forward, nil without dropout.
func (v *View) draw(n int) []seed {
	if v == nil || !v.Dropout || v.Model.lora == nil || v.Model.lora.Dropout == 0 {
		return nil
	}
	v.Model.changing.RLock()
	updates := v.Model.updates
	v.Model.changing.RUnlock()
	v.drawing.Lock()
	defer v.drawing.Unlock()
	if updates != v.updates {
		v.updates, v.forwards = updates, 0
	}
	seeds := make([]seed, n)
	for i := range seeds {
		h := mix(mix(mix(mix(0, v.Seed), updates), v.forwards), uint64(i))
		seeds[i] = seed{h, mix(h, 1), mix(h, 2)}
	}
	v.forwards++
	return seeds
}

// mix absorbs x into a hash: a golden-ratio step and the finalizer of SplitMix64.
func mix(h, x uint64) uint64 {
	z := (h ^ x) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
