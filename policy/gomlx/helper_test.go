package gomlx_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/policy/gomlx/internal/safetensors"
)

var theBackend = sync.OnceValues(gomlx.NewBackend)

func backend(t testing.TB) compute.Backend {
	t.Helper()
	b, err := theBackend()
	require.NoError(t, err)
	return b
}

func load(t testing.TB, name string) *gomlx.Model {
	t.Helper()
	m, err := gomlx.Load(backend(t), filepath.Join("testdata", name))
	require.NoError(t, err)
	return m
}

// loadLoRA returns the golden adapter on the golden model.
func loadLoRA(t testing.TB) *gomlx.Model {
	t.Helper()
	m, err := load(t, "tiny").LoadLoRA(filepath.Join("testdata", "lora"))
	require.NoError(t, err)
	return m
}

// triple is a prompt with two replies.
type triple [3][]int32

// golden is testdata/golden.json.
type golden struct {
	Tiny, Tied struct{ IDs []int32 }
	DPO        struct {
		Pairs []triple
		Beta  float64
		Refs  [][2]float64
		Loss  float64
		Logps [][2]float64
	}
	LoRA struct {
		Loss  float64
		Logps [][2]float64
		Stats []map[string][]float64
	}
	TRL     run `json:"trl"`
	TRLLoRA run `json:"trl_lora"`
}

// run is what TRL did.
type run struct {
	Beta, LR    float64
	WeightDecay float64 `json:"weight_decay"`
	MaxNorm     float64 `json:"max_norm"`
	Steps       []struct {
		Loss      float64
		Sequences []struct {
			IDs    []int32
			Prompt int
		}
	}
	Norms []float64
}

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(text, &g))
	return g
}

// goldenTensors returns the tensors of testdata/golden.safetensors whose names begin
// with a prefix, without it.
func goldenTensors(t testing.TB, prefix string) map[string][]float32 {
	t.Helper()
	f, err := safetensors.Open(filepath.Join("testdata", "golden.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	found := map[string][]float32{}
	for _, name := range f.Names() {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			info, _ := f.Lookup(name)
			v, err := f.Read(name, info.Shape)
			require.NoError(t, err)
			found[name[len(prefix):]] = v
		}
	}
	require.NotEmpty(t, found)
	return found
}

// pairs returns the sequences of the golden pairs: chosen and rejected in turn.
func (g golden) pairs() (xs, ys [][]int32) {
	for _, p := range g.DPO.Pairs {
		xs, ys = append(xs, p[0], p[0]), append(ys, p[1], p[2])
	}
	return xs, ys
}

func tokens(xs, ys [][]int32) policy.Tokens {
	var b policy.Tokens
	for i := range xs {
		b.Append(xs[i], ys[i])
	}
	return b
}

// relative returns ‖a − b‖/‖b‖.
func relative(a, b []float32) float64 {
	d, n := 0.0, 0.0
	for i := range b {
		e := float64(a[i]) - float64(b[i])
		d += e * e
		n += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / n)
}

// nextLogits returns the logits after a prompt.
func nextLogits(t testing.TB, m policy.Decoder, prompt []int32) []float32 {
	t.Helper()
	d, err := m.Open(context.Background(), [][]int32{prompt}, 1)
	require.NoError(t, err)
	z := make([]float32, m.Vocab())
	require.NoError(t, d.Logits(context.Background(), z, []int{0}))
	require.NoError(t, d.Close())
	return z
}
