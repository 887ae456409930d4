package policy_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

// candidates returns two prompts with 5 and 3 responses and features of dimension 4,
// dense and sparse. Response 4 of the first is impossible.
func candidates(t testing.TB) (dense, sparse []*policy.Candidates) {
	t.Helper()
	g := rand.New(rand.NewPCG(7, 8))
	for i, n := range []int{5, 3} {
		data := make([]float64, 4*n)
		begin, index, value := []int{0}, []int32{}, []float64{}
		for y := range n {
			for c := range 4 {
				if g.IntN(2) == 0 {
					v := g.NormFloat64()
					data[4*y+c] = v
					index, value = append(index, int32(c)), append(value, v)
				}
			}
			begin = append(begin, len(index))
		}
		ref := normals(g, n, 1)
		if i == 0 {
			ref[4] = -inf
		}
		d, err := policy.NewDense(n, 4, data)
		require.NoError(t, err)
		s, err := policy.NewSparse(4, begin, index, value)
		require.NoError(t, err)
		dense = append(dense, &policy.Candidates{Ref: ref, Features: d})
		sparse = append(sparse, &policy.Candidates{Ref: ref, Features: s})
	}
	return dense, sparse
}

// logLinear returns a policy of dimension 4 that is not its reference.
func logLinear() *policy.LogLinear {
	p := policy.NewLogLinear(4)
	copy(p.Params(), []float64{0.7, -1.3, 0.2, 0.9})
	return p
}

// tabular returns a policy with two prompts and five responses, one impossible.
func tabular() *policy.Tabular {
	p := policy.NewTabular(2, 5, []float64{0, 1, 0, -1, -inf, 0, 0, 2, 0, 0})
	copy(p.Params(), normals(rand.New(rand.NewPCG(9, 9)), 10, 1))
	return p
}

func intEqual(a, b int) bool { return a == b }

func tabularConfig() policytest.Config[int, int] {
	type item = policytest.Item[int, int]
	return policytest.Config[int, int]{
		X: []int{0, 0, 1, 0}, Y: []int{1, 3, 4, 0}, Equal: intEqual,
		Impossible: []item{{X: 0, Y: 4}},
		Bad:        []item{{X: 0, Y: 5}, {X: 0, Y: -1}, {X: 2, Y: 0}, {X: -1, Y: 0}},
	}
}

func candidatesConfig(t testing.TB, xs []*policy.Candidates) policytest.Config[*policy.Candidates, int] {
	type item = policytest.Item[*policy.Candidates, int]
	f, err := policy.NewDense(2, 3, make([]float64, 6))
	require.NoError(t, err)
	return policytest.Config[*policy.Candidates, int]{
		X: []*policy.Candidates{xs[0], xs[0], xs[1], xs[0]}, Y: []int{1, 3, 2, 0}, Equal: intEqual,
		Impossible: []item{{X: xs[0], Y: 4}},
		Bad: []item{
			{X: xs[0], Y: 5}, {X: xs[1], Y: 3}, {X: xs[0], Y: -1}, {X: nil, Y: 0}, {X: &policy.Candidates{}, Y: 0},
			{X: &policy.Candidates{Features: f}, Y: 0},                                                // another dimension
			{X: &policy.Candidates{Features: xs[1].Features, Ref: []float64{0, 0}}, Y: 0},             // a short reference
			{X: &policy.Candidates{Features: xs[1].Features, Ref: []float64{-inf, -inf, -inf}}, Y: 0}, // no support
			{X: &policy.Candidates{Features: xs[1].Features, Ref: []float64{0, inf, 0}}, Y: 0},        // not a log-probability
			{X: &policy.Candidates{Features: xs[1].Features, Ref: []float64{0, 0, inf - inf}}, Y: 0},  // NaN
		},
	}
}

func TestTabularConforms(t *testing.T) {
	p := tabular()
	policytest.Policy(t, p, tabularConfig())
}

func TestLogLinearConforms(t *testing.T) {
	dense, sparse := candidates(t)
	t.Run("Dense", func(t *testing.T) { policytest.Policy(t, logLinear(), candidatesConfig(t, dense)) })
	t.Run("Sparse", func(t *testing.T) { policytest.Policy(t, logLinear(), candidatesConfig(t, sparse)) })
}

func TestFrozenConforms(t *testing.T) {
	dense, _ := candidates(t)
	policytest.Policy(t, tabular().Freeze(), tabularConfig())
	policytest.Policy(t, logLinear().Freeze(), candidatesConfig(t, dense))
}

func TestMixturesConform(t *testing.T) {
	p, ref := tabular(), policy.NewTabular(2, 5, []float64{1, 0, 0, 0, -inf, 0, 1, 0, 0, 3})
	for _, a := range []float64{0, 0.3, 1} {
		geometric, err := policy.GeometricMixture[int](p, ref, a)
		require.NoError(t, err)
		policytest.Policy(t, geometric, tabularConfig())
		arithmetic, err := policy.ArithmeticMixture[int](p, ref, a)
		require.NoError(t, err)
		policytest.Policy(t, arithmetic, tabularConfig())
	}
}
