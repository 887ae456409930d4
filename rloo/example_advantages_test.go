package rloo_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/rloo"
)

// show prints the advantages of rewards in groups of three.
func show(a rloo.Advantage, reward ...float64) {
	dst := make([]float64, len(reward))
	if _, err := a.Eval(dst, reward, rloo.Groups{K: 3}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3g\n", dst)
}

// Three prompts with two, one and three samples: a single sample has no others to be
// compared with, and rewards that are all alike tell nothing.
func ExampleGroups() {
	reward := []float64{5, 2, 7, 0.1, 0.1, 0.1}
	advantage := make([]float64, len(reward))
	signal, err := rloo.RLOO{}.Eval(advantage, reward, rloo.Groups{Begin: []int{0, 2, 3, 6}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(advantage)
	fmt.Printf("%+v\n", signal)
	// Output:
	// [3 -3 0 0 0 0]
	// {Groups:3 Flat:1 Single:1 Empty:0}
}

func ExampleRLOO() {
	show(rloo.RLOO{}, 1, 2, 6)
	// Output:
	// [-3 -1.5 4.5]
}

// Two thirds of what RLOO gives to three samples.
func ExampleGroupMean() {
	show(rloo.GroupMean{}, 1, 2, 6)
	// Output:
	// [-2 -1 3]
}

// In units of the spread a small difference counts as much as a large one.
func ExampleStandardised() {
	show(rloo.Standardised{Std: rloo.Std{Epsilon: 1e-4}}, 0, 0, 1, 0, 0, 100)
	// Output:
	// [-0.577 -0.577 1.15 -0.577 -0.577 1.15]
}

// The others of the third sample agree, so that only ε is left to divide by.
func ExampleRLOOStandardised() {
	show(rloo.RLOOStandardised{Std: rloo.Std{Epsilon: 0.1}}, 0, 0, 1)
	// Output:
	// [-0.619 -0.619 10]
}

// One spread for the whole batch: the first prompt, whose rewards differ by little, keeps its
// small advantages.
func ExampleWhitened() {
	show(rloo.Whitened{Of: rloo.GroupMean{}}, 0, 0, 1, 0, 0, 4)
	// Output:
	// [-0.221 -0.221 0.443 -0.886 -0.886 1.77]
}

// The greedy reply had a reward of 2.
func ExampleReMax() {
	show(rloo.ReMax{Baseline: []float64{2}}, 1, 2, 6)
	// Output:
	// [-1 0 4]
}

// The second sample has the largest score by far, so it makes most of the others' baseline.
func ExampleOptimalBaseline() {
	show(rloo.OptimalBaseline{Weight: []float64{1, 9, 1}}, 1, 2, 6)
	// Output:
	// [-1.4 -1.5 4.1]
}

// The baseline is the same for all, and nearest to the reward of the longest reply.
func ExampleOPO() {
	show(rloo.OPO{Length: []float64{10, 90, 10}}, 1, 2, 6)
	// Output:
	// [-1.27 -0.273 3.73]
}

// Half of the samples are in a group without a signal: the others count twice.
func ExampleGPG() {
	show(rloo.GPG{}, 1, 2, 6, 4, 4, 4)
	// Output:
	// [-4 -2 6 0 0 0]
}

// For the best of three only the best sample matters, and by how much it is; for the best of
// two, also the second, since it is the best of the pair without the first.
func ExamplePassAtK() {
	show(rloo.PassAtK{}, 1, 2, 6)
	show(rloo.PassAtK{K: 2}, 1, 2, 6)
	// Output:
	// [0 0 12]
	// [0 1 9]
}

// The rarer success is, the more a success counts.
func ExampleMaxRL() {
	show(rloo.MaxRL{}, 1, 0, 0, 1, 1, 0, 0, 0, 0)
	// Output:
	// [2 -1 -1 0.5 0.5 -1 0 0 0]
}

// A reward for the form with a hundredth of the spread of that for the content has as much
// of a say.
func ExampleGDPO() {
	form, content := []float64{0, 0.01, 0.01}, []float64{3, 1, 2}
	advantage := make([]float64, 3)
	_, err := rloo.GDPO{Weight: []float64{1, 1}}.Eval(advantage, [][]float64{form, content}, rloo.Groups{K: 3})
	fmt.Printf("%.3f %v\n", advantage, err)
	// Output:
	// [-0.155 -0.423 0.577] <nil>
}

// One sample each of four prompts whose rewards are twice the value estimate plus one, but
// for the last: it stands 3 above the line through the others.
func ExampleControlVariate() {
	value, reward := []float64{0, 1, 2, 3}, []float64{1, 3, 5, 10}
	advantage := make([]float64, 4)
	_, err := rloo.ControlVariate{Value: value}.Eval(advantage, reward, rloo.Groups{K: 1})
	fmt.Printf("%.2f %v\n", advantage, err)
	// Output:
	// [2.00 -0.43 -1.71 3.00] <nil>
}

// Two replies of two tokens with the same rewards. The first ended; the second was cut off
// where the value function still expects 2.
func ExampleGAE() {
	t := rloo.Trajectories{
		Layout: rloo.Layout{Begin: []int{0, 2, 4}},
		Reward: []float64{0, 1, 0, 1},
		Value:  []float64{1, 1.5, 1, 1.5},
		Last:   []float64{0, 2},
	}
	dst := rloo.TokenAdvantages{Advantage: make([]float64, 4), Return: make([]float64, 4)}
	if err := (rloo.GAE{Gamma: 1, Lambda: 0.5}).Eval(dst, t); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(dst.Advantage)
	fmt.Println(dst.Return)
	// Output:
	// [0.25 -0.5 1.25 1.5]
	// [1.25 1 2.25 3]
}

// A prompt token, and a reply of three that is rewarded at its second and last.
func ExampleRewardToGo() {
	l := rloo.Layout{Begin: []int{0, 4}, Prompt: []int{1}}
	reward := []float64{0, 0, 1, 4}
	if err := (rloo.RewardToGo{Gamma: 0.5}).Eval(reward, reward, l); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reward)
	// Output:
	// [0 1.5 3 4]
}

// Two replies with rewards 1 and −1 at their ends, and a KL penalty of 0.1 per token.
func ExampleReinforcePlusPlus() {
	l := rloo.Layout{Begin: []int{0, 2, 5}}
	reward := []float64{-0.1, 1 - 0.1, -0.1, -0.1, -1 - 0.1}
	plus := rloo.ReinforcePlusPlus{RewardToGo: rloo.RewardToGo{Gamma: 1}}
	if err := plus.Eval(reward, reward, l); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", reward)
	// Output:
	// [1.05 1.14 -0.82 -0.73 -0.64]
}

// The token in the middle is a tool's: nobody reads it, and it gets nothing.
func ExampleWhitenTokens() {
	l := rloo.Layout{Begin: []int{0, 4}, Mask: []bool{true, true, false, true}}
	advantage := []float64{1, 2, 1e9, 3}
	if err := rloo.WhitenTokens(advantage, advantage, l, rloo.Std{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(advantage)
	// Output:
	// [-1 0 0 1]
}
