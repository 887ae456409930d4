package train_test

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// The terms of a loop take functions, the judges of package sampler a Scorer: each is the other,
// written differently.
func ExampleRewardFunc() {
	ctx := context.Background()
	short := train.RewardFunc[string, string](func(_ context.Context, dst []float64, _, ys []string) error {
		for i, y := range ys {
			dst[i] = -float64(len(y))
		}
		return nil
	})
	scorer := sampler.ScorerFunc[string, string](short)                               // for a judge
	judge := sampler.Scored[string, string]{Scorer: scorer, Hard: true}               // for OnlinePairs
	term := train.BestOfN[string, string]{Reward: scorer.Score, N: 4 /* and so on */} // back again

	win, reward := make([]float64, 1), make([]float64, 1)
	xs, a, b := []string{"Well?"}, []string{"Yes."}, []string{"It depends."}
	if err := judge.Judge(ctx, win, xs, a, b); err != nil {
		fmt.Println(err)
	}
	if err := term.Reward(ctx, reward, xs, a); err != nil {
		fmt.Println(err)
	}
	fmt.Println(win, reward)
	// Output:
	// [1] [-4]
}
