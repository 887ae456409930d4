package train_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// controlled is RLOO on the contest's prompt with a controller, for a reward that is worth a KL of
// more than any budget here.
func controlled(c *contest, control rloo.Controller) *train.PolicyGradient[int, int] {
	reward := func(_ context.Context, dst []float64, _, ys []int) error {
		for i, y := range ys {
			dst[i] = 3 * float64(y)
		}
		return nil
	}
	return &train.PolicyGradient[int, int]{
		Policy: c, Ref: c.ref, Reward: reward, K: 8, Advantage: rloo.RLOO{}, Loss: loss.Reinforce{By: loss.SumTokens}, Control: control,
	}
}

// TestControl: a multiplier comes to rest where the KL meets its budget, and so does a factor.
func TestControl(t *testing.T) {
	for name, control := range map[string]rloo.Controller{
		"dual":     &rloo.Dual{Budget: 0.3, Rate: 0.05, Lambda: 1},
		"adaptive": &rloo.Adaptive{Target: 0.3, Rate: 0.05, Coef: 1},
	} {
		c := newContest()
		l := train.Loop[int, int]{
			Data: c.data, Terms: []train.Term[int, int]{controlled(c, control)}, Updater: train.NewSGD(c, 0),
			Steps: 1500, Batch: 16, LR: 0.3, Schedule: train.Cosine{},
		}
		_, err := l.Run(ctx)
		require.NoError(t, err)
		kl, _ := c.values()
		assert.InEpsilon(t, 0.3, kl, 0.1, name)
		assert.Greater(t, control.Coefficient(), 1.5, name)
	}
}

// TestControlRepeat: a controller hears of each batch once.
func TestControlRepeat(t *testing.T) {
	c := newContest()
	control := &rloo.Dual{Budget: 0.1, Rate: 1, Lambda: 2}
	g, b := controlled(c, control), &train.Batch[int, int]{Data: train.Data[int, int]{X: []int{0}}, ID: []uint64{1}, Row: []int{0}, Rows: 1}
	var m train.Metrics
	require.NoError(t, g.Accumulate(ctx, b, policy.Key{}, &m))
	beta, ok := m.Get("beta")
	assert.True(t, ok)
	assert.Equal(t, 2.0, beta)
	kl, _ := m.Get("objective/kl") // 0: the policy is the reference
	require.NoError(t, g.EndStep(&m))
	assert.InDelta(t, 2+kl-0.1, control.Lambda, 1e-15)
	b.Repeat = 1
	require.NoError(t, g.Accumulate(ctx, b, policy.Key{}, &m))
	require.NoError(t, g.EndStep(&m))
	assert.InDelta(t, 2+kl-0.1, control.Lambda, 1e-15)
}

// TestControlState: what State returns restores the controller to the bit; anything else is
// refused and changes nothing.
func TestControlState(t *testing.T) {
	c := newContest()
	for name, v := range map[string]struct{ saved, other rloo.Controller }{
		"dual":     {&rloo.Dual{Budget: 0.1, Rate: 1, Lambda: 0.30000000000000004}, &rloo.Dual{Budget: 0.1, Rate: 1, Lambda: 5}},
		"zero":     {&rloo.Dual{Budget: 0.1, Rate: 1}, &rloo.Dual{Budget: 0.1, Rate: 1, Lambda: 5}},
		"adaptive": {&rloo.Adaptive{Target: 1, Rate: 1, Clip: math.Inf(1), Coef: 1. / 3, Clipped: 7}, &rloo.Adaptive{Target: 1, Rate: 1, Clip: math.Inf(1), Coef: 1}},
		"fixed":    {rloo.Fixed(0.3), rloo.Fixed(0.3)},
		"none":     {nil, nil},
	} {
		require.NoError(t, controlled(c, v.other).Restore(controlled(c, v.saved).State()), name)
		assert.Equal(t, v.saved, v.other, name)
		assert.Error(t, controlled(c, v.other).Restore([]byte{1, 2, 3}), name)
		assert.Equal(t, v.saved, v.other, name)
	}
	bad := &rloo.Dual{Budget: 0.1, Rate: 1, Lambda: 5}
	wrong := controlled(c, &rloo.Dual{Lambda: math.NaN()}).State()
	assert.Error(t, controlled(c, bad).Restore(wrong))
	assert.Equal(t, 5.0, bad.Lambda)
	low := &rloo.Adaptive{Target: 1, Rate: 1, Coef: 5}
	assert.Error(t, controlled(c, low).Restore(controlled(c, &rloo.Adaptive{Coef: -1}).State()))
	assert.Equal(t, 5.0, low.Coef)

	keeper := &own{v: 3}
	require.NoError(t, controlled(c, &own{}).Restore(controlled(c, keeper).State()))
	assert.Error(t, controlled(c, keeper).Restore(nil))
	assert.Error(t, controlled(c, mean{}).Restore(nil))
}

// own is a controller of another package, with a state.
type own struct{ v byte }

func (o *own) Coefficient() float64           { return float64(o.v) }
func (o *own) Update(float64) error           { o.v++; return nil }
func (o *own) MarshalBinary() ([]byte, error) { return []byte{o.v}, nil }
func (o *own) UnmarshalBinary(b []byte) error {
	if len(b) != 1 {
		return errors.New("no state of mine")
	}
	o.v = b[0]
	return nil
}

// mean is one without.
type mean struct{}

func (mean) Coefficient() float64 { return 1 }
func (mean) Update(float64) error { return nil }

func TestControlErrors(t *testing.T) {
	c := newContest()
	b := one()
	for want, set := range map[string]func(g *train.PolicyGradient[int, int]){
		"train: PolicyGradient has Beta and Control: which one?":          func(g *train.PolicyGradient[int, int]) { g.Beta = 1 },
		"train: PolicyGradient.Beta or Control without Ref":               func(g *train.PolicyGradient[int, int]) { g.Ref = nil },
		"train: PolicyGradient.Control: train_test.mean has no state for": func(g *train.PolicyGradient[int, int]) { g.Control = mean{} },
	} {
		g := controlled(c, &rloo.Dual{Budget: 1, Rate: 1})
		set(g)
		assert.ErrorContains(t, g.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}), want)
	}
	g := controlled(c, &rloo.Dual{})
	require.NoError(t, g.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}))
	assert.ErrorContains(t, g.EndStep(&train.Metrics{}), "rloo: Dual.Budget = 0")
}
