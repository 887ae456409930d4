package policy_test

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// A service shows one of three items. Each has two features; the log-linear policy
// starts at its reference and one step of gradient ascent on the log-probability of
// item 1 changes all three.
func ExampleLogLinear() {
	features, err := policy.NewDense(3, 2, []float64{
		1, 0,
		0.5, 0.5,
		0, 1,
	})
	if err != nil {
		panic(err)
	}
	x := &policy.Candidates{Ref: []float64{math.Log(0.5), math.Log(0.3), math.Log(0.2)}, Features: features}
	p := policy.NewLogLinear(2)
	ref := p.Freeze()

	ctx := context.Background()
	logp := make([]float64, 1)
	pass := p.NewPass()
	if err := pass.Forward(ctx, logp, []*policy.Candidates{x}, []int{1}); err != nil {
		panic(err)
	}
	if err := pass.Pullback(ctx, []float64{1}); err != nil { // gradient += 1·∇log π(1|x)
		panic(err)
	}
	fmt.Printf("gradient %.2f\n", p.Grad())
	for i, g := range p.Grad() {
		p.Params()[i] += 2 * g
	}

	for _, q := range []policy.Distributor[*policy.Candidates]{ref, p} {
		d := make([]float64, q.Responses(x))
		if err := q.Distribution(d, x); err != nil {
			panic(err)
		}
		fmt.Printf("%.3f %.3f %.3f\n", math.Exp(d[0]), math.Exp(d[1]), math.Exp(d[2]))
	}
	// Output:
	// gradient [-0.15 0.15]
	// 0.500 0.300 0.200
	// 0.394 0.319 0.287
}

// Draws have names: the same key, prompt id and index give the same draw in any batch.
func ExampleTabular() {
	p := policy.NewTabular(2, 3, nil)
	copy(p.Params(), []float64{0, 1, 2, 2, 1, 0})
	const k = 4
	sample := func(xs []int, ids []uint64) []int {
		d := policy.Draws[int]{Y: make([]int, len(xs)*k)}
		if err := p.Sample(context.Background(), d, xs, ids, k, policy.Key{Seed: 1, Step: 7}); err != nil {
			panic(err)
		}
		return d.Y
	}
	fmt.Println(sample([]int{0, 1}, []uint64{100, 101}))
	fmt.Println(sample([]int{1}, []uint64{101}))
	// Output:
	// [2 2 2 1 0 0 1 1]
	// [0 0 1 1]
}

// coin is a distribution of one's own.
type coin struct{}

func (coin) Responses(float64) int { return 2 }

func (coin) Distribution(dst []float64, heads float64) error {
	if !(heads >= 0 && heads <= 1) {
		return fmt.Errorf("probability %v: %w", heads, policy.ErrPrompt)
	}
	dst[0], dst[1] = math.Log1p(-heads), math.Log(heads)
	return nil
}

// Whatever can list its probabilities scores and samples too.
func ExampleNewFinite() {
	p := policy.NewFinite(coin{})
	logp := make([]float64, 3)
	err := p.LogProbs(context.Background(), logp, []float64{0.25, 0.25, 1.5}, []int{0, 1, 1})
	fmt.Printf("%.4f\n%v\n", logp, err)
	// Output:
	// [-0.2877 -1.3863 NaN]
	// policy: item 2: probability 1.5: no such prompt
}

func ExampleGeometricMixture() {
	p := policy.NewTabular(1, 2, nil)
	p.Params()[0] = math.Log(16) // odds 16
	m, err := policy.GeometricMixture(p, p.Freeze(), 0.5)
	if err != nil {
		panic(err)
	}
	p.Params()[0] = 0 // odds 1; the frozen copy keeps 16, so the mixture has √16
	d := make([]float64, 2)
	if err := m.Distribution(d, 0); err != nil {
		panic(err)
	}
	fmt.Printf("%.2f\n", math.Exp(d[0]-d[1]))
	// Output:
	// 4.00
}
