package linreward_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	"github.com/prefgrad/prefgrad/policy"
)

// dense returns the rows as a matrix.
func dense(t *testing.T, rows [][]float64) policy.Features {
	var data []float64
	for _, r := range rows {
		data = append(data, r...)
	}
	f, err := policy.NewDense(len(rows), len(rows[0]), data)
	require.NoError(t, err)
	return f
}

// sparse returns the same matrix in compressed rows.
func sparse(t *testing.T, rows [][]float64) policy.Features {
	begin, index, value := []int{0}, []int32{}, []float64{}
	for _, r := range rows {
		for j, v := range r {
			if v != 0 {
				index, value = append(index, int32(j)), append(value, v)
			}
		}
		begin = append(begin, len(index))
	}
	f, err := policy.NewSparse(len(rows[0]), begin, index, value)
	require.NoError(t, err)
	return f
}

// differences draws rows with a true weight of (2, −1, 0, …), labelled by Bradley–Terry.
func differences(n, dim int) [][]float64 {
	g := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = make([]float64, dim)
		for j := range rows[i] {
			rows[i][j] = g.NormFloat64()
		}
		if g.Float64() > 1/(1+math.Exp(-2*rows[i][0]+rows[i][1])) {
			for j := range rows[i] {
				rows[i][j] = -rows[i][j]
			}
		}
	}
	return rows
}

// TestFit: the gradient of the regularised loss is 0 at the fit, and the objective is convex.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		name string
		rows [][]float64
		l2   float64
	}{
		{"usual", differences(500, 6), 1e-3},
		{"strong regularisation", differences(500, 6), 10},
		{"more weights than rows", differences(5, 20), 1e-2},
		{"separable", [][]float64{{1, 0}, {2, 1}, {1, -1}}, 1e-2},
		{"contradictory", [][]float64{{1, 2}, {-1, -2}}, 1e-3},
		{"a feature that never differs", [][]float64{{1, 0}, {-0.5, 0}}, 1e-3},
		{"large features", [][]float64{{1000, 0}, {-1000, 1}, {2000, 3}}, 1e-3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := linreward.Fit(dense(t, c.rows), c.l2)
			require.NoError(t, err)
			grad := make([]float64, len(w))
			for i, v := range w {
				grad[i] = c.l2 * v
			}
			for _, r := range c.rows {
				z := 0.0
				for j, v := range r {
					z += v * w[j]
				}
				for j, v := range r {
					grad[j] -= v / (1 + math.Exp(z)) / float64(len(c.rows))
				}
			}
			for j, g := range grad {
				assert.InDelta(t, 0, g, 1e-5, "∂/∂w[%d]", j)
			}
			same, err := linreward.Fit(sparse(t, c.rows), c.l2)
			require.NoError(t, err)
			assert.InDeltaSlice(t, w, same, 1e-4)
		})
	}
}

// TestFitRecovers finds the weights that the labels were drawn with.
func TestFitRecovers(t *testing.T) {
	const n = 20000
	w, err := linreward.Fit(dense(t, differences(n, 3)), 1e-6)
	require.NoError(t, err)
	// The Fisher information is at least 0.07 in each direction here.
	assert.InDeltaSlice(t, []float64{2, -1, 0}, w, 4.5/math.Sqrt(0.07*n))
}

func TestAccuracy(t *testing.T) {
	rows := [][]float64{{1, 0}, {2, 5}, {0, 3}, {-1, 0}, {0.5, -1}}
	share, lo, hi := linreward.Accuracy(dense(t, rows), []float64{2, 0}) // margins 2, 4, 0, −2, 1
	assert.Equal(t, 0.7, share)
	wantLo, wantHi := linreward.Wilson(3.5, 5)
	assert.Equal(t, []float64{wantLo, wantHi}, []float64{lo, hi})
	share, _, _ = linreward.Accuracy(dense(t, rows), []float64{0, 0})
	assert.Equal(t, 0.5, share)
}

// TestWilson compares with scipy.stats.binomtest(k, n).proportion_ci(method="wilson"), scipy
// 1.17.1.
func TestWilson(t *testing.T) {
	for _, c := range []struct{ k, n, lo, hi float64 }{
		{0, 5, 0, 0.43448246478317476},
		{5, 5, 0.5655175352168251, 1},
		{1, 3, 0.06149194472039626, 0.7923403991979523},
		{50, 100, 0.4038315303659956, 0.5961684696340044},
		{311, 512, 0.5644739555080028, 0.6487698583015341},
	} {
		lo, hi := linreward.Wilson(c.k, c.n)
		assert.InDelta(t, c.lo, lo, 1e-12, fmt.Sprint(c.k, c.n))
		assert.InDelta(t, c.hi, hi, 1e-12, fmt.Sprint(c.k, c.n))
	}
}
