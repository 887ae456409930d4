package sampler_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

func TestRollouts(t *testing.T) {
	a := sampler.NewAncestral(&fake{vocab: 4, logits: uneven}, 0, 3)
	a.Stop = [][]int32{{3, 3}}
	a.Temperature = 0.5
	var r policy.Rollout
	require.NoError(t, a.Generate(ctx, &r, [][]int32{{1, 2}, {}}, []uint64{7, 8}, 20, policy.Key{}))
	var b loss.Rollouts
	sampler.Rollouts(&b, &r)
	assert.Equal(t, loss.Layout{Begin: r.Tokens.Begin, Prompt: r.Tokens.Prompt}, b.Layout)
	assert.Equal(t, r.LogProb, b.Behaviour)
	seen := map[policy.Finish]bool{}
	for i, f := range r.Finish {
		assert.Equal(t, f == policy.FinishLength, b.Truncated[i])
		seen[f] = true
	}
	assert.Len(t, seen, 3)

	// As a loss has it: ratios to what was drawn from, of tokens that count.
	b.LogProb, b.Old = r.Model, b.Behaviour
	b.Advantage = make([]float64, len(b.LogProb))
	keep := make([]bool, len(b.LogProb))
	dropped, err := loss.DropTruncated{}.Keep(keep, b)
	require.NoError(t, err)
	assert.Positive(t, dropped)
	b.Mask = keep
	total, err := loss.Reinforce{By: loss.SumTokens}.Eval(loss.RolloutsOut{}, b)
	require.NoError(t, err)
	assert.Equal(t, 40, total.Sequences)
	assert.Equal(t, dropped, total.Masked)

	r.Tokens.Mask = keep
	assert.Zero(t, testing.AllocsPerRun(10, func() { sampler.Rollouts(&b, &r) }))
	assert.Equal(t, keep, b.Mask)
}

// A step of GRPO, from a generator of replies to parameters: eight replies to each prompt, the
// reward of one being how many tokens 3 it has.
func ExampleRollouts() {
	m, err := lm.New(lm.Config{Vocab: 5, EOS: 0, Dim: 8, Buckets: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	var (
		gen     = sampler.NewAncestral(m, 0, 6)
		pass    = m.NewTokenPass()
		replies policy.Rollout
		b       loss.Rollouts
		average float64
	)
	prompts, ids, k := [][]int32{{1, 2}, {4}}, []uint64{0, 1}, 8
	for step := range uint64(41) {
		if err := gen.Generate(ctx, &replies, prompts, ids, k, policy.Key{Seed: 1, Step: step}); err != nil {
			fmt.Println(err)
			return
		}
		sampler.Rollouts(&b, &replies)
		reward := make([]float64, replies.Tokens.Len())
		average = 0
		for i := range reward {
			lo, hi := replies.Tokens.Reply(i)
			for _, id := range replies.Tokens.IDs[lo:hi] {
				if id == 3 {
					reward[i]++
				}
			}
			average += reward[i] / float64(len(reward))
		}
		if _, err := (rloo.Standardised{}).Eval(reward, reward, rloo.Groups{K: k}); err != nil {
			fmt.Println(err)
			return
		}
		n := len(replies.Tokens.IDs)
		b.Advantage, b.LogProb = make([]float64, n), make([]float64, n)
		rloo.Spread(b.Advantage, reward, rloo.Layout(b.Layout))
		if err := pass.Forward(ctx, policy.TokenStats{LogProb: b.LogProb}, replies.Tokens); err != nil {
			fmt.Println(err)
			return
		}
		w := make([]float64, n)
		total, err := loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2}.Eval(loss.RolloutsOut{LogProb: w}, b)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := pass.Pullback(ctx, policy.TokenStats{LogProb: w}); err != nil {
			fmt.Println(err)
			return
		}
		for i, g := range m.Grad() {
			m.Params()[i] -= 2 * g / float64(total.Sequences)
			m.Grad()[i] = 0
		}
		if step%20 == 0 {
			fmt.Printf("step %2d: %.0f of at most 6\n", step, average)
		}
	}
	// Output:
	// step  0: 1 of at most 6
	// step 20: 6 of at most 6
	// step 40: 6 of at most 6
}
