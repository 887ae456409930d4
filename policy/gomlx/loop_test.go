package gomlx_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// TestResume trains by DPO and a KL penalty on fresh samples, with dropout, and checks
// that a run that goes on from a checkpoint ends as one without a break, to the bit.
func TestResume(t *testing.T) {
	run := func(checkpoint string, steps int, resume bool) []float64 {
		t.Helper()
		m, err := load(t, "tiny").LoRA(gomlx.LoRA{R: 2, Dropout: 0.2, Seed: 1})
		require.NoError(t, err)
		pi := policy.Sequences{
			Model:     &gomlx.View{Model: m, Dropout: true, Seed: 4},
			Generator: sampler.NewAncestral(m, 29, 5),
		}
		ref := policy.Sequences{Model: m.Base()}
		data := train.Data[[]int32, []int32]{X: prompts, Chosen: replies, Rejected: [][]int32{{2, 2}, {4, 29}, {1, 2, 3}}}
		require.NoError(t, data.CacheRef(context.Background(), ref, 3, nil))
		loop := train.Loop[[]int32, []int32]{
			Data: data,
			Terms: []train.Term[[]int32, []int32]{
				&train.Offline[[]int32, []int32]{Policy: pi, Loss: loss.DPO{Beta: 0.1}},
				&train.KLPenalty[[]int32, []int32]{Policy: pi, Ref: ref, K: 2, Lambda: 0.1},
			},
			Updater: m.AdamW(), Steps: 6, Batch: 2, LR: 0.01, MaxNorm: 1, Seed: 7,
			Checkpoint: checkpoint, CheckpointEvery: 1, Resume: resume,
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		loop.EvalEvery = 1
		loop.Eval = func(_ context.Context, step int, _ *train.Metrics) error {
			if step == steps {
				cancel()
			}
			return nil
		}
		_, err = loop.Run(ctx)
		if steps < loop.Steps {
			require.ErrorIs(t, err, context.Canceled)
			return nil
		}
		require.NoError(t, err)
		return logProbs(t, m)
	}
	want := run("", 6, false)
	checkpoint := filepath.Join(t.TempDir(), "run")
	run(checkpoint, 3, false)
	assert.Equal(t, want, run(checkpoint, 6, true))
}
