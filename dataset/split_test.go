package dataset_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// u of the prompts below, computed with Python's hashlib: (int.from_bytes(sha256(p).digest()[:8], "big") >> 11) / 2**53.
var hashes = []struct {
	prompt string
	u      float64
}{
	{"a", 0.7913742705223815}, {"b", 0.24273539101725328}, {"c", 0.18159747208966504}, {"Hi", 0.21182154422483168},
	{"héllo 😀", 0.6454519383606472}, {"\n\nHuman: Hi\n\nAssistant:", 0.5997264570076993},
}

func TestSplitHash(t *testing.T) {
	part := func(train, validation, test float64, prompt dataset.Text) dataset.Part {
		s, err := dataset.NewSplit(train, validation, test)
		require.NoError(t, err)
		return s.Part(prompt)
	}
	for _, h := range hashes {
		below, above := math.Nextafter(h.u, 0), math.Nextafter(h.u, 1)
		assert.Equal(t, dataset.Test, part(1-above, 0, above, text(h.prompt)), h.prompt)
		assert.Equal(t, dataset.Train, part(1-below, 0, below, text(h.prompt)), h.prompt)
		assert.Equal(t, dataset.Validation, part(1-above, above, 0, text(h.prompt)), h.prompt)
		assert.Equal(t, dataset.Train, part(1-below, below, 0, text(h.prompt)), h.prompt)
	}
	u := hashes[5].u // the same prompt as messages
	assert.Equal(t, dataset.Test, part(1-math.Nextafter(u, 1), 0, math.Nextafter(u, 1), chat("user", "Hi")))
	assert.Equal(t, dataset.Train, part(1-math.Nextafter(u, 0), 0, math.Nextafter(u, 0), chat("user", "Hi")))
	assert.Equal(t, dataset.Train, dataset.Split{}.Part(text("a")))
}

func TestSplitFractions(t *testing.T) {
	s, err := dataset.NewSplit(0.7, 0.2, 0.1)
	require.NoError(t, err)
	larger, err := dataset.NewSplit(0.8, 0.1, 0.1)
	require.NoError(t, err)
	const n = 20_000
	counts := map[dataset.Part]float64{}
	for i := range n {
		prompt := text(fmt.Sprint("prompt ", i))
		counts[s.Part(prompt)]++
		if s.Part(prompt) != dataset.Validation {
			assert.Equal(t, s.Part(prompt), larger.Part(prompt), "training grows out of validation alone")
		}
	}
	for part, want := range map[dataset.Part]float64{dataset.Train: 0.7, dataset.Validation: 0.2, dataset.Test: 0.1} {
		assert.InDelta(t, want, counts[part]/n, 4*math.Sqrt(want*(1-want)/n), part)
	}
}

func TestBadSplits(t *testing.T) {
	for _, f := range [][3]float64{{1, 1, 0}, {0.5, 0.4, 0}, {-0.1, 0.6, 0.5}, {math.NaN(), 0.5, 0.5}, {1.5, -0.5, 0}, {math.Inf(1), 0, 0}} {
		_, err := dataset.NewSplit(f[0], f[1], f[2])
		assert.Error(t, err, f)
	}
	_, err := dataset.NewSplit(0.5, -0.5, 1)
	assert.EqualError(t, err, "dataset: fraction of the validation part is -0.5, must be in [0, 1]")
	_, err = dataset.NewSplit(1.0/3, 1.0/3, 1.0/3)
	assert.NoError(t, err)
	assert.Equal(t, "train validation test Part(3)", fmt.Sprint(dataset.Train, dataset.Validation, dataset.Test, dataset.Part(3)))
}
