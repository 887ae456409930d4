package gomlx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/policy/policytest"
	"github.com/prefgrad/prefgrad/sampler"
)

// params reaches the parameters of a model for central differences.
type params struct {
	m     *gomlx.Model
	where []place // of each parameter
	start map[string][]float32
}

type place struct {
	name string
	at   int
}

func newParams(t testing.TB, m *gomlx.Model) *params {
	p := &params{m: m, start: map[string][]float32{}}
	names, _ := m.Params()
	for _, name := range names {
		v, err := m.Param(name)
		require.NoError(t, err)
		p.start[name] = v
		for i := range v {
			p.where = append(p.where, place{name, i})
		}
	}
	return p
}

func (p *params) Gradient() ([]float64, error) {
	var all []float64
	names, _ := p.m.Params()
	for _, name := range names {
		v, err := p.m.Grad(name)
		if err != nil {
			return nil, err
		}
		for _, x := range v {
			all = append(all, float64(x))
		}
	}
	return all, p.m.ZeroGrad()
}

func (p *params) Shift(i int, h float64) error {
	w := p.where[i]
	v := append([]float32(nil), p.start[w.name]...)
	v[w.at] += float32(h)
	return p.m.SetParam(w.name, v)
}

// tolerance is what float32 allows with the golden models, whose log-probabilities are
// of order 4 and whose weights are of order 0.3.
func tolerance() policytest.Tolerance {
	most := 40
	if raced {
		most = 10
	}
	return policytest.Tolerance{LogProb: 2e-5, Grad: 2e-3, Batch: 1e-5, Step: 5e-3, MaxParams: most}
}

var (
	prompts = [][]int32{{1, 5, 9}, {8, 2, 2, 11, 17, 6}, {25}}
	replies = [][]int32{{3, 7, 2, 29}, {12, 1}, {16, 15, 10, 29, 4, 4, 4, 1}}
)

func TestTokenPolicy(t *testing.T) {
	t.Run("all weights", func(t *testing.T) {
		m := load(t, "tiny")
		policytest.TokenPolicy(t, m, policytest.TokenConfig{
			Prompts: prompts, Replies: replies, Vocab: m.Vocab(), Params: newParams(t, m), Tol: tolerance(),
		})
	})
	t.Run("adapter against its base", func(t *testing.T) {
		m := loadLoRA(t)
		policytest.TokenPolicy(t, m.Against(m.Base()), policytest.TokenConfig{
			Prompts: prompts, Replies: replies, Vocab: m.Vocab(), Ref: m.Base(), Params: newParams(t, m), Tol: tolerance(),
		})
	})
	t.Run("against another model", func(t *testing.T) {
		skipRaced(t)
		m, other := load(t, "tiny"), loadLoRA(t)
		ref, err := other.Freeze()
		require.NoError(t, err)
		policytest.TokenPolicy(t, m.Against(ref), policytest.TokenConfig{
			Prompts: prompts, Replies: replies, Vocab: m.Vocab(), Ref: ref, Params: newParams(t, m), Tol: tolerance(),
		})
	})
	t.Run("tied", func(t *testing.T) {
		skipRaced(t)
		m := load(t, "tied")
		var ys [][]int32
		for _, y := range replies {
			ys = append(ys, fold(y, m.Vocab()))
		}
		policytest.TokenPolicy(t, m, policytest.TokenConfig{
			Prompts: [][]int32{{3, 1}, {7}, {2, 2, 5}}, Replies: ys, Vocab: m.Vocab(), Params: newParams(t, m), Tol: tolerance(),
		})
	})
	t.Run("frozen", func(t *testing.T) {
		m := loadLoRA(t)
		policytest.TokenPolicy(t, m.Base(), policytest.TokenConfig{
			Prompts: prompts, Replies: replies, Vocab: m.Vocab(), Tol: tolerance(),
		})
	})
}

// skipRaced leaves out what finds no race that its neighbours do not.
func skipRaced(t *testing.T) {
	if raced {
		t.Skip("slow under the race detector")
	}
}

// fold maps ids into a smaller vocabulary.
func fold(ids []int32, vocab int) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = id % int32(vocab)
	}
	return out
}

func TestDecoder(t *testing.T) {
	for name, m := range map[string]*gomlx.Model{"tiny": load(t, "tiny"), "tied": load(t, "tied"), "lora": loadLoRA(t)} {
		t.Run(name, func(t *testing.T) {
			policytest.Decoder(t, m, policytest.DecoderConfig{
				Prompts: [][]int32{fold(prompts[0], 20), fold(prompts[1], 20), {2}}, Model: m, Tol: tolerance(),
			})
		})
	}
}

func TestGenerator(t *testing.T) {
	m, draws := loadLoRA(t), 1000
	if raced {
		draws = 100
	}
	policytest.Generator(t, sampler.NewAncestral(m, 29, 6), policytest.GeneratorConfig{
		Prompts: prompts, Vocab: m.Vocab(), EOS: func(id int32) bool { return id == 29 }, MaxTokens: 6,
		Model: m, Tol: tolerance(), Draws: draws,
	})
}

func TestUpdater(t *testing.T) {
	for name, model := range map[string]func() *gomlx.Model{
		"all weights": func() *gomlx.Model { return load(t, "tiny") },
		"adapter":     func() *gomlx.Model { return loadLoRA(t) },
	} {
		t.Run(name, func(t *testing.T) {
			policytest.Updater(t, policytest.UpdaterConfig[[]int32, []int32]{
				New: func() (policy.Trainable[[]int32, []int32], policy.Updater) {
					m := model()
					return policy.Sequences{Model: m}, m.AdamW()
				},
				X: prompts, Y: replies, Tol: tolerance(),
			})
		})
	}
}
