package gguf_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/policy/gomlx/gguf"
)

func backend(t *testing.T) compute.Backend {
	t.Helper()
	b, err := gomlx.NewBackend()
	require.NoError(t, err)
	return b
}

// TestLoad compares with the same model in Hugging Face's form, weight for weight.
func TestLoad(t *testing.T) {
	b := backend(t)
	want, err := gomlx.Load(b, filepath.Join("..", "testdata", "tiny"))
	require.NoError(t, err)
	got, err := gguf.Load(b, filepath.Join("testdata", "tiny.gguf"))
	require.NoError(t, err)
	c := want.Config()
	assert.InEpsilon(t, c.NormEps, got.Config().NormEps, 1e-7) // in float32
	c.NormEps = got.Config().NormEps
	assert.Equal(t, c, got.Config())
	names, _ := want.Params()
	for _, name := range names {
		w, err := want.Param(name)
		require.NoError(t, err)
		g, err := got.Param(name)
		require.NoError(t, err)
		require.Len(t, g, len(w), name)
		for i := range w {
			assert.InDelta(t, w[i], g[i], math.Abs(float64(w[i]))/2048, "%s[%d]", name, i)
		}
	}
}

func TestErrors(t *testing.T) {
	b := backend(t)
	_, err := gguf.Load(b, filepath.Join(t.TempDir(), "none.gguf"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	file, err := os.ReadFile(filepath.Join("testdata", "tiny.gguf"))
	require.NoError(t, err)
	for name, data := range map[string][]byte{"empty": nil, "another format": []byte("GGML...."), "cut short": file[:len(file)/2]} {
		path := filepath.Join(t.TempDir(), "x.gguf")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := gguf.Load(b, path)
		assert.Error(t, err, name)
	}
}
