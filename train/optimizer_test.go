package train_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
	"github.com/prefgrad/prefgrad/train"
)

// host is parameters and a gradient, without a policy.
type host struct{ params, grad []float64 }

func (h host) Params() []float64 { return h.params }
func (h host) Grad() []float64   { return h.grad }

// updaters are the optimizers, with settings that are not the usual ones.
func updaters(h policy.Host) map[string]policy.Updater {
	adam := train.NewAdamW(h)
	adam.WeightDecay = 0.1
	return map[string]policy.Updater{"AdamW": adam, "SGD": train.NewSGD(h, 0), "momentum": train.NewSGD(h, 0.9)}
}

// TestOptimizersAgainstTorch follows twelve steps of torch.optim.
func TestOptimizersAgainstTorch(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "optimizers.json"))
	require.NoError(t, err)
	var cases []struct {
		Kind                                   string
		Beta1, Beta2, Epsilon, Momentum, Scale float64
		WeightDecay                            float64  `json:"weight_decay"`
		MaxNorm                                *float64 `json:"max_norm"`
		Start, Rates, Norms                    []float64
		Grads, Params                          [][]float64
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.Len(t, cases, 7)
	for i, c := range cases {
		t.Run(fmt.Sprint(i, " ", c.Kind), func(t *testing.T) {
			h := host{slices.Clone(c.Start), make([]float64, len(c.Start))}
			var u policy.Updater
			if c.Kind == "adamw" {
				a := train.NewAdamW(h)
				a.Beta1, a.Beta2, a.Epsilon, a.WeightDecay = c.Beta1, c.Beta2, c.Epsilon, c.WeightDecay
				u = a
			} else {
				s := train.NewSGD(h, c.Momentum)
				s.WeightDecay = c.WeightDecay
				u = s
			}
			maxNorm := math.Inf(1)
			if c.MaxNorm != nil {
				maxNorm = *c.MaxNorm
			}
			for step, g := range c.Grads {
				copy(h.grad, g)
				norm, err := u.Update(ctx, c.Rates[step], c.Scale, maxNorm)
				require.NoError(t, err)
				assert.InDelta(t, c.Norms[step], norm, 1e-13*c.Norms[step])
				for j, want := range c.Params[step] {
					assert.InDelta(t, want, h.params[j], 1e-13*max(1, math.Abs(want)), "step %d, parameter %d", step, j)
				}
			}
		})
	}
}

func TestUpdaterConformance(t *testing.T) {
	for name := range updaters(host{}) {
		t.Run(name, func(t *testing.T) {
			policytest.Updater(t, policytest.UpdaterConfig[int, int]{
				New: func() (policy.Trainable[int, int], policy.Updater) {
					p := policy.NewTabular(3, 4, nil)
					return p, updaters(p)[name]
				},
				X: []int{0, 1, 2, 0}, Y: []int{1, 2, 0, 3}, LR: 0.01,
			})
		})
	}
}

// TestSaveLoadBits loads a saved optimizer into another one and saves that.
func TestSaveLoadBits(t *testing.T) {
	fresh := func() host { return host{make([]float64, 3), make([]float64, 3)} }
	a, b := fresh(), fresh()
	other := updaters(b)
	for name, u := range updaters(a) {
		copy(a.params, []float64{math.Copysign(0, -1), 5e-324, math.MaxFloat64})
		copy(a.grad, []float64{1e-200, -3, 0.1})
		_, err := u.Update(ctx, 0.01, 1, 1)
		require.NoError(t, err)
		var saved, again bytes.Buffer
		require.NoError(t, u.Save(&saved))
		b.grad[0] = 5 // left over from something else
		require.NoError(t, other[name].Load(bytes.NewReader(saved.Bytes())))
		assert.Zero(t, b.grad[0], "%s: a gradient of other parameters", name)
		require.NoError(t, other[name].Save(&again))
		assert.Equal(t, saved.Bytes(), again.Bytes(), name)
	}
}

// TestLoadOther refuses what another optimizer or a model of another size has saved.
func TestLoadOther(t *testing.T) {
	save := func(u policy.Updater) []byte {
		var b bytes.Buffer
		require.NoError(t, u.Save(&b))
		return b.Bytes()
	}
	h := host{[]float64{1, 2}, []float64{3, 4}}
	for _, c := range []struct {
		name, want string
		into       policy.Updater
		record     []byte
	}{
		{"another optimizer", `train: reading a "train.AdamW" record: the record is a "train.SGD"`, train.NewAdamW(h), save(train.NewSGD(h, 0))},
		{"a larger model", `train: section 1 of the "train.AdamW" record has 8 bytes, for 2 numbers`, train.NewAdamW(h), save(train.NewAdamW(host{[]float64{9}, []float64{9}}))},
		{"a smaller model", `train: section 0 of the "train.SGD" record has 24 bytes, for 2 numbers`, train.NewSGD(h, 0), save(train.NewSGD(host{[]float64{7, 8, 9}, []float64{7, 8, 9}}, 0))},
	} {
		assert.EqualError(t, c.into.Load(bytes.NewReader(c.record)), c.want, c.name)
		assert.Equal(t, host{[]float64{1, 2}, []float64{3, 4}}, h, c.name)
	}
}

// TestUpdateRefuses gives updates that must not happen; none touches anything.
func TestUpdateRefuses(t *testing.T) {
	inf := math.Inf(1)
	adam := func(set func(a *train.AdamW)) func(h policy.Host) policy.Updater {
		return func(h policy.Host) policy.Updater { a := train.NewAdamW(h); set(a); return a }
	}
	sgd := func(h policy.Host) policy.Updater { return train.NewSGD(h, 0.9) }
	for want, c := range map[string]struct {
		new               func(h policy.Host) policy.Updater
		grad, lr, maxNorm float64
	}{
		"train: AdamW.Beta1 = 1, must be in [0, 1)":                       {adam(func(a *train.AdamW) { a.Beta1 = 1 }), 1, 1, inf},
		"train: AdamW.Beta2 = -0.5, must be in [0, 1)":                    {adam(func(a *train.AdamW) { a.Beta2 = -0.5 }), 1, 1, inf},
		"train: AdamW.Epsilon = 0, must be positive and finite":           {adam(func(a *train.AdamW) { a.Epsilon = 0 }), 1, 1, inf},
		"train: AdamW.WeightDecay = NaN, must be finite and not negative": {adam(func(a *train.AdamW) { a.WeightDecay = math.NaN() }), 1, 1, inf},
		"train: SGD.Momentum = 1.5, must be in [0, 1)":                    {func(h policy.Host) policy.Updater { return train.NewSGD(h, 1.5) }, 1, 1, inf},
		"train: SGD.WeightDecay = +Inf, must be finite and not negative":  {func(h policy.Host) policy.Updater { s := train.NewSGD(h, 0); s.WeightDecay = inf; return s }, 1, 1, inf},
		"train: learning rate NaN":                                        {sgd, 1, math.NaN(), inf},
		"train: maximum norm -1 of a gradient":                            {sgd, 1, 1, -1},
		"train: maximum norm NaN of a gradient":                           {sgd, 1, 1, math.NaN()},
		"train: gradient[1] = -Inf":                                       {sgd, -inf, 1, inf},
		"train: gradient[1] = NaN":                                        {adam(func(*train.AdamW) {}), math.NaN(), 1, 1},
		"train: the norm of the gradient is +Inf":                         {sgd, 1e200, 1, 1},
	} {
		h := host{[]float64{1, 2}, []float64{0, c.grad}}
		u := c.new(h)
		var before, after bytes.Buffer
		require.NoError(t, u.Save(&before))
		_, err := u.Update(ctx, c.lr, 1, c.maxNorm)
		assert.EqualError(t, err, want)
		require.NoError(t, u.Save(&after))
		assert.Equal(t, before.Bytes(), after.Bytes(), want)
	}
}
