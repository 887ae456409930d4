package gomlx_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
)

// shape is a model and a batch to measure.
type shape struct {
	name          string
	c             gomlx.Config
	batch, length int
}

var shapes = []shape{
	{"L2-d64-V256-16x64", gomlx.Config{Vocab: 256, Dim: 64, Layers: 2, Heads: 4, KVHeads: 2, Hidden: 176, MaxLen: 512}, 16, 65},
	{"L4-d256-V4096-4x256", gomlx.Config{Vocab: 4096, Dim: 256, Layers: 4, Heads: 4, KVHeads: 2, Hidden: 688, MaxLen: 512}, 4, 257},
}

func (s shape) model(b *testing.B) *gomlx.Model {
	b.Helper()
	m, err := gomlx.New(backend(b), s.c, 1)
	require.NoError(b, err)
	return m
}

// tokens returns a batch whose first half of each sequence is the prompt.
func (s shape) tokens() policy.Tokens {
	r := rand.New(rand.NewPCG(1, 0))
	var b policy.Tokens
	for range s.batch {
		ids := make([]int32, s.length)
		for i := range ids {
			ids[i] = r.Int32N(int32(s.c.Vocab))
		}
		b.Append(ids[:s.length/2], ids[s.length/2:])
	}
	return b
}

// perSecond reports tokens that went in, per second.
func perSecond(b *testing.B, tokens int) {
	b.ReportMetric(float64(tokens)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkForward(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			batch, pass := s.tokens(), s.model(b).NewTokenPass()
			dst := policy.TokenStats{LogProb: make([]float64, len(batch.IDs))}
			require.NoError(b, pass.Forward(context.Background(), dst, batch)) // compiles
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, pass.Forward(context.Background(), dst, batch))
			}
			perSecond(b, len(batch.IDs))
		})
	}
}

// BenchmarkStep is Forward, Pullback and Update, of all weights and of an adapter.
func BenchmarkStep(b *testing.B) {
	for _, s := range shapes {
		for _, lora := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/lora=%v", s.name, lora), func(b *testing.B) {
				m := s.model(b)
				if lora {
					var err error
					m, err = m.LoRA(gomlx.LoRA{R: 8, Targets: gomlx.AllLinear()})
					require.NoError(b, err)
				}
				batch, pass, o := s.tokens(), m.NewTokenPass(), m.AdamW()
				dst := policy.TokenStats{LogProb: make([]float64, len(batch.IDs))}
				w := policy.TokenStats{LogProb: make([]float64, len(batch.IDs))}
				for i := range w.LogProb {
					w.LogProb[i] = -1
				}
				step := func() {
					require.NoError(b, pass.Forward(context.Background(), dst, batch))
					require.NoError(b, pass.Pullback(context.Background(), w))
					_, err := o.Update(context.Background(), 1e-4, 1, math.Inf(1))
					require.NoError(b, err)
				}
				step()
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				perSecond(b, len(batch.IDs))
			})
		}
	}
}

// BenchmarkDecode writes 32 tokens after each prompt, 16 sequences at a time.
func BenchmarkDecode(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			ctx, m := context.Background(), s.model(b)
			const n, tokens = 16, 32
			prompt := s.tokens().IDs[:s.length/2]
			z := make([]float32, n*m.Vocab())
			rows, ids := make([]int, n), make([]int32, n)
			for i := range rows {
				rows[i], ids[i] = i, int32(i)
			}
			write := func() {
				d, err := m.Open(ctx, [][]int32{prompt}, n)
				require.NoError(b, err)
				for range tokens {
					require.NoError(b, d.Append(ctx, rows, ids))
					require.NoError(b, d.Logits(ctx, z, rows))
				}
				require.NoError(b, d.Close())
			}
			write()
			b.ReportAllocs()
			for b.Loop() {
				write()
			}
			perSecond(b, n*tokens)
		})
	}
}
