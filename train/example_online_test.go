package train_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// stars is how much guests like each of three dishes.
var stars = []float64{1, 0, 2}

// enjoyed is the reward of a dish.
func enjoyed(_ context.Context, dst []float64, _, ys []int) error {
	for i, y := range ys {
		dst[i] = stars[y]
	}
	return nil
}

// guest prefers one of two dishes as a Bradley–Terry model of the stars has it.
var guest = sampler.Scored[int, int]{Scorer: sampler.ScorerFunc[int, int](enjoyed)}

// serve trains a policy over the three dishes, from equal probabilities, and prints where it
// ends beside the optimum π_ref·e^{r/β}.
func serve(name string, repeat int, term func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int]) {
	pi := policy.NewTabular(1, 3, nil)
	loop := train.Loop[int, int]{
		Data:    train.Data[int, int]{X: []int{0}},
		Terms:   []train.Term[int, int]{term(pi, pi.Freeze())},
		Updater: train.NewAdamW(pi),
		Steps:   600, Batch: 16, Repeat: repeat, LR: 0.02, Schedule: train.Linear{},
	}
	if _, err := loop.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	p := make([]float64, 3)
	if err := pi.Distribution(p, 0); err != nil {
		log.Fatal(err)
	}
	for i, l := range p {
		p[i] = math.Exp(l)
	}
	fmt.Printf("%s: %.1f\n", name, p)
}

// Online DPO with soft verdicts, XPO and REBEL come to rest at π_ref·e^{r/β}, for β = 1
// (0.2, 0.1, 0.7).
func ExampleOnlinePairs() {
	serve("online DPO", 1, func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int] {
		return &train.OnlinePairs[int, int]{Policy: pi, Ref: ref, Loss: loss.DPO{Beta: 1}, K: 2, Judge: guest, Soft: true}
	})
	// Output: online DPO: [0.2 0.1 0.7]
}

func ExampleXPO() {
	serve("XPO", 1, func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int] {
		return &train.XPO[int, int]{Policy: pi, Ref: ref, Loss: loss.DPO{Beta: 1}, Judge: guest, Soft: true, Alpha: 1e-5, K: 1}
	})
	// Output: XPO: [0.2 0.1 0.7]
}

func ExampleREBEL() {
	serve("REBEL", 2, func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int] {
		return &train.REBEL[int, int]{Policy: pi, Ref: ref, Reward: enjoyed, K: 2, Eta: 1, Beta: 1}
	})
	// Output: REBEL: [0.2 0.1 0.7]
}

// RLOO and PPO, with two updates on what was drawn for a batch, and GRPO, whose scaling by the
// standard deviation of a group's rewards gives it another optimum.
func ExamplePolicyGradient() {
	for _, c := range []struct {
		name      string
		repeat    int
		advantage rloo.Advantage
		loss      loss.PolicyGradient
	}{
		{"RLOO", 1, rloo.RLOO{}, loss.Reinforce{By: loss.SumTokens}},
		{"PPO ", 2, rloo.RLOO{}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}},
		{"GRPO", 2, rloo.Standardised{}, loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 1}},
	} {
		serve(c.name, c.repeat, func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int] {
			t := &train.PolicyGradient[int, int]{Policy: pi, Ref: ref, Reward: enjoyed, K: 4, Advantage: c.advantage, Loss: c.loss, Beta: 1}
			if c.name == "GRPO" {
				t.Beta = 0 // its KL is in the loss
			}
			return t
		})
	}
	// Output:
	// RLOO: [0.2 0.1 0.7]
	// PPO : [0.2 0.1 0.7]
	// GRPO: [0.2 0.2 0.6]
}

// Nash-MD plays against the geometric mixture of the policy and its reference. Each of three
// dishes is preferred to the next in a circle: no reward could say so, and the equilibrium is to
// serve them all.
func ExampleNashMD() {
	circle := sampler.JudgeFunc[int, int](func(_ context.Context, dst []float64, _, as, bs []int) error {
		for i := range dst {
			dst[i] = []float64{0.5, 0.9, 0.1}[(bs[i]-as[i]+3)%3]
		}
		return nil
	})
	serve("Nash-MD", 1, func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int] {
		pi.Params()[0] = 1 // away from the equilibrium
		opponent, err := policy.GeometricMixture[int](pi, ref, 0.2)
		if err != nil {
			log.Fatal(err)
		}
		return &train.NashMD[int, int]{Policy: pi, Ref: ref, Opponent: opponent, Judge: circle, K: 4, Beta: 0.1}
	})
	// Output: Nash-MD: [0.3 0.3 0.3]
}

// SPPO moves on from step to step, to the dish that wins against the others.
func ExampleSPPO() {
	serve("SPPO", 2, func(pi *policy.Tabular, _ *policy.Finite[int]) train.Term[int, int] {
		return &train.SPPO[int, int]{Policy: pi, Judge: guest, K: 4, Beta: 1}
	})
	// Output: SPPO: [0.0 0.0 1.0]
}

// The best of four equal draws is the best dish with probability 1 − (2/3)⁴ = 0.80, the worst
// with (1/3)⁴ = 0.01.
func ExampleBestOfN() {
	serve("best of 4", 1, func(pi *policy.Tabular, ref *policy.Finite[int]) train.Term[int, int] {
		return &train.BestOfN[int, int]{Policy: pi, From: ref, Reward: enjoyed, N: 4}
	})
	// Output: best of 4: [0.2 0.0 0.8]
}

// PPO on a language model, token by token: replies of up to six tokens, rewarded for each 3.
func ExampleTokenPolicyGradient() {
	m, err := lm.New(lm.Config{Vocab: 5, EOS: 0, Dim: 8, Buckets: 64})
	if err != nil {
		log.Fatal(err)
	}
	threes := func(_ context.Context, dst []float64, _, ys [][]int32) error {
		for i, y := range ys {
			n := 0.0
			for _, id := range y {
				if id == 3 {
					n++
				}
			}
			dst[i] = n
		}
		return nil
	}
	var first, last float64
	loop := train.Loop[[]int32, []int32]{
		Data: train.Data[[]int32, []int32]{X: [][]int32{{1, 2}, {4}}},
		Terms: []train.Term[[]int32, []int32]{&train.TokenPolicyGradient{
			Policy: m, Ref: m.Freeze(), Generator: sampler.NewAncestral(m, 0, 6), Reward: threes, K: 8,
			Advantage: rloo.RLOO{}, Beta: 0.05, Loss: loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens},
		}},
		Updater: train.NewAdamW(m),
		Steps:   60, Batch: 4, Repeat: 2, LR: 0.05,
		Eval: func(_ context.Context, step int, _ *train.Metrics) error {
			n, err := average3(m)
			if step == 0 {
				first = n
			}
			last = n
			return err
		},
	}
	if _, err := loop.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("threes in a reply: %.1f before, %.1f after\n", first, last)
	// Output: threes in a reply: 0.8 before, 6.0 after
}

// average3 returns the mean number of threes in fresh replies.
func average3(m *lm.Model) (float64, error) {
	var r policy.Rollout
	const k = 200
	if err := sampler.NewAncestral(m, 0, 6).Generate(context.Background(), &r, [][]int32{{1, 2}}, []uint64{0}, k, policy.Key{Seed: 9}); err != nil {
		return 0, err
	}
	n := 0
	for i := range k {
		lo, hi := r.Tokens.Reply(i)
		for _, id := range r.Tokens.IDs[lo:hi] {
			if id == 3 {
				n++
			}
		}
	}
	return float64(n) / k, nil
}
