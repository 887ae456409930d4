package policy_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// randomFeatures returns a matrix as rows, dense and sparse, with a share of zeros,
// and one value of the sparse one split in two.
func randomFeatures(t *testing.T, g *rand.Rand, n, dim int) (rows [][]float64, fs map[string]policy.Features) {
	var data, value []float64
	begin, index := []int{0}, []int32{}
	for range n {
		row := make([]float64, dim)
		for c := range row {
			if g.Float64() < 0.4 {
				row[c] = float64(float32(g.NormFloat64()))
				index, value = append(index, int32(c), int32(c)), append(value, row[c]/4, 3*row[c]/4)
			}
		}
		rows, data, begin = append(rows, row), append(data, row...), append(begin, len(index))
	}
	dense, err := policy.NewDense(n, dim, data)
	require.NoError(t, err)
	sparse, err := policy.NewSparse(dim, begin, index, value)
	require.NoError(t, err)
	narrow := make([]float32, len(data))
	for i, v := range data {
		narrow[i] = float32(v)
	}
	dense32, err := policy.NewDense32(n, dim, narrow)
	require.NoError(t, err)
	return rows, map[string]policy.Features{"dense": dense, "dense, float32": dense32, "sparse": sparse}
}

// The products against double loops, for sizes around the widths of vector code and
// weights with any share of zeros.
func TestFeaturesProducts(t *testing.T) {
	g := rand.New(rand.NewPCG(2, 3))
	for _, n := range []int{1, 2, 3, 4, 5, 16, 33} {
		for _, dim := range []int{1, 2, 3, 7, 8, 17, 64} {
			rows, fs := randomFeatures(t, g, n, dim)
			theta, start, w := normals(g, dim, 1), normals(g, dim, 1), normals(g, n, 1)
			zeros := g.Float64()
			for y := range w {
				if g.Float64() < zeros {
					w[y] = 0
				}
			}
			want, wantGrad := make([]float64, n), append([]float64(nil), start...)
			for y, row := range rows {
				for c, v := range row {
					want[y] += v * theta[c]
					wantGrad[c] += v * w[y]
				}
			}
			for name, f := range fs {
				r, d := f.Dims()
				assert.Equal(t, []int{n, dim}, []int{r, d})
				got := make([]float64, n)
				for i := range got {
					got[i] = math.NaN() // to be overwritten, not added to
				}
				f.Mul(got, theta)
				assert.InDeltaSlice(t, want, got, 1e-13, name)
				grad := append([]float64(nil), start...)
				f.AddMulT(grad, w)
				assert.InDeltaSlice(t, wantGrad, grad, 1e-13, name)
			}
		}
	}
}

func TestFeaturesRefuseBadData(t *testing.T) {
	nan := math.NaN()
	_, err := policy.NewDense(2, 2, []float64{0, 1, 2, nan})
	assert.EqualError(t, err, "policy: feature 1 of response 1 is NaN")
	_, err = policy.NewDense32(2, 2, []float32{0, 1, 2, float32(nan)})
	assert.EqualError(t, err, "policy: feature 1 of response 1 is NaN")
	_, err = policy.NewDense(1, 1, []float64{-inf})
	assert.EqualError(t, err, "policy: feature 0 of response 0 is -Inf")

	for _, c := range []struct {
		name  string
		begin []int
		index []int32
		value []float64
		want  string
	}{
		{"starts late", []int{1, 2}, []int32{0, 0}, []float64{1, 1}, "policy: offsets run from 1 to 2 for 2 features"},
		{"ends early", []int{0, 1}, []int32{0, 0}, []float64{1, 1}, "policy: offsets run from 0 to 1 for 2 features"},
		{"decreases", []int{0, 2, 1, 2}, []int32{0, 0}, []float64{1, 1}, "policy: offsets 2 and 1 of response 1 decrease"},
		{"beyond the end", []int{0, 9, 2}, []int32{0, 0}, []float64{1, 1}, "policy: offsets 9 and 2 of response 1 decrease"},
		{"negative column", []int{0, 2}, []int32{0, -1}, []float64{1, 1}, "policy: feature 1 is in column -1 of 3"},
		{"column beyond", []int{0, 2}, []int32{3, 0}, []float64{1, 1}, "policy: feature 0 is in column 3 of 3"},
		{"infinite", []int{0, 2}, []int32{1, 0}, []float64{1, inf}, "policy: feature 1 is +Inf"},
	} {
		_, err := policy.NewSparse(3, c.begin, c.index, c.value)
		assert.EqualError(t, err, c.want, c.name)
	}
}

func TestMisusePanics(t *testing.T) {
	f, err := policy.NewDense(2, 3, make([]float64, 6))
	require.NoError(t, err)
	s, err := policy.NewSparse(3, []int{0, 0, 0}, nil, nil)
	require.NoError(t, err)
	two, three := make([]float64, 2), make([]float64, 3)
	for name, call := range map[string]func(){
		"dense data":      func() { _, _ = policy.NewDense(2, 2, three) },
		"no responses":    func() { _, _ = policy.NewDense(0, 2, nil) },
		"no columns":      func() { _, _ = policy.NewSparse(0, []int{0, 0}, nil, nil) },
		"no rows":         func() { _, _ = policy.NewSparse(1, []int{0}, nil, nil) },
		"index and value": func() { _, _ = policy.NewSparse(1, []int{0, 1}, []int32{0}, nil) },
		"dense Mul":       func() { f.Mul(three, three) },
		"dense AddMulT":   func() { f.AddMulT(two, two) },
		"sparse Mul":      func() { s.Mul(three, three) },
		"sparse AddMulT":  func() { s.AddMulT(three, three) },
		"LogLinear of 0":  func() { policy.NewLogLinear(0) },
		"Tabular of 0":    func() { policy.NewTabular(1, 0, nil) },
		"Tabular base":    func() { policy.NewTabular(1, 2, three) },
		"Distribution":    func() { _ = policy.NewTabular(1, 2, nil).Distribution(three, 0) },
		"mixture of nil":  func() { _, _ = policy.GeometricMixture[int](nil, nil, 0.5) },
		"zero Finite":     func() { new(policy.Finite[int]).Responses(0) },
	} {
		assert.Panics(t, call, name)
	}
}
