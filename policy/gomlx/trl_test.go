package gomlx_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
)

// TestTRL does the five steps that TRL's DPOTrainer did, on the same batches, and
// compares losses and gradient norms: all weights against a copy, and an adapter against
// its base.
func TestTRL(t *testing.T) {
	g := readGolden(t)
	t.Run("all weights", func(t *testing.T) {
		m := load(t, "tiny")
		ref, err := m.Freeze()
		require.NoError(t, err)
		follow(t, m, ref, g.TRL, len(g.TRL.Steps[0].Sequences))
	})
	t.Run("accumulated", func(t *testing.T) {
		m := load(t, "tiny")
		ref, err := m.Freeze()
		require.NoError(t, err)
		follow(t, m, ref, g.TRL, 2)
	})
	t.Run("adapter", func(t *testing.T) {
		m := loadLoRA(t)
		names, shapes := m.Params()
		for i, name := range names {
			if i%2 == 1 { // a new adapter has B = 0
				require.NoError(t, m.SetParam(name, make([]float32, shapes[i][0]*shapes[i][1])))
			}
		}
		follow(t, m, m.Base(), g.TRLLoRA, len(g.TRLLoRA.Steps[0].Sequences))
	})
}

// follow trains on the batches of r, micro sequences at a time.
func follow(t *testing.T, m *gomlx.Model, ref *gomlx.Frozen, r run, micro int) {
	t.Helper()
	ctx := context.Background()
	o := m.AdamW()
	o.WeightDecay = r.WeightDecay
	pass := policy.Sequences{Model: m}.NewPass()
	for s, step := range r.Steps {
		half := len(step.Sequences) / 2 // TRL has the chosen first, then the rejected
		var xs, ys [][]int32
		for i := range half {
			for _, q := range []int{i, half + i} {
				q := step.Sequences[q]
				xs, ys = append(xs, q.IDs[:q.Prompt]), append(ys, q.IDs[q.Prompt:])
			}
		}
		loss := 0.0
		for lo := 0; lo < len(xs); lo += micro {
			x, y := xs[lo:lo+micro], ys[lo:lo+micro]
			logp, refs := make([]float64, micro), make([]float64, micro)
			require.NoError(t, policy.Sequences{Model: ref}.LogProbs(ctx, refs, x, y))
			require.NoError(t, pass.Forward(ctx, logp, x, y))
			var pairs [][2]float64
			for i := 0; i < micro; i += 2 {
				pairs = append(pairs, [2]float64{refs[i], refs[i+1]})
			}
			part, w := dpoWeights(logp, pairs, r.Beta)
			share := float64(micro) / float64(len(xs))
			loss += share * part
			for i := range w {
				w[i] *= share
			}
			require.NoError(t, pass.Pullback(ctx, w))
		}
		assert.InDelta(t, step.Loss, loss, 2e-6, "loss of step %d", s)
		norm, err := o.Update(ctx, r.LR, 1, r.MaxNorm)
		require.NoError(t, err)
		assert.InEpsilon(t, r.Norms[s], norm, 1e-4, "norm of the gradient in step %d", s)
	}
}
