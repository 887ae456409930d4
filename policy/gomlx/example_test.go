package gomlx_test

import (
	"context"
	"fmt"
	"log"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// Teach a small random model by DPO, with an adapter, to answer 5 with 6 and not with 7.
// A real model comes from [gomlx.Load]; nothing else changes.
func Example() {
	ctx := context.Background()
	backend, err := gomlx.NewBackend()
	if err != nil {
		log.Fatal(err)
	}
	base, err := gomlx.New(backend, gomlx.Config{Vocab: 10, Dim: 16, Layers: 2, Heads: 4, KVHeads: 2, Hidden: 32, InitStd: 0.3}, 1)
	if err != nil {
		log.Fatal(err)
	}
	m, err := base.LoRA(gomlx.LoRA{R: 4, Alpha: 8, Targets: gomlx.AllLinear()})
	if err != nil {
		log.Fatal(err)
	}
	const eos = 0
	pi := policy.Sequences{Model: m, Generator: sampler.NewAncestral(m, eos, 4)}
	ref := policy.Sequences{Model: m.Base()} // the same weights, adapter off

	data := train.Data[[]int32, []int32]{
		X: [][]int32{{5}, {5, 5}}, Chosen: [][]int32{{6, eos}, {6, 6, eos}}, Rejected: [][]int32{{7, eos}, {7, 6, eos}},
	}
	if err := data.CacheRef(ctx, ref, 2, nil); err != nil {
		log.Fatal(err)
	}
	sixes := func() (n int) {
		draws := policy.Draws[[]int32]{Y: make([][]int32, 200)}
		if err := pi.Sample(ctx, draws, data.X[:1], []uint64{0}, 200, policy.Key{Seed: 3}); err != nil {
			log.Fatal(err)
		}
		for _, y := range draws.Y {
			if y[0] == 6 {
				n++
			}
		}
		return n
	}
	before := sixes()
	loop := train.Loop[[]int32, []int32]{
		Data:    data,
		Terms:   []train.Term[[]int32, []int32]{&train.Offline[[]int32, []int32]{Policy: pi, Loss: loss.DPO{Beta: 0.1}}},
		Updater: m.AdamW(),
		Steps:   60, Batch: 2, LR: 0.05,
	}
	if _, err := loop.Run(ctx); err != nil {
		log.Fatal(err)
	}
	if sixes() > 2*before {
		fmt.Println("The share of sixes grew.")
	}
	// Output: The share of sixes grew.
}
