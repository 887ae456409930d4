package rloo_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

func leaveOneOut(r []float64, k int) []float64 {
	dst := make([]float64, len(r))
	rloo.LeaveOneOut(dst, r, k)
	return dst
}

func TestLeaveOneOutByHand(t *testing.T) {
	// 1 − (2+6)/2 = −3, 2 − (1+6)/2 = −1.5, 6 − (1+2)/2 = 4.5; then 0 − 3 = −3, 0, 3.
	assert.Equal(t, []float64{-3, -1.5, 4.5, -3, 0, 3}, leaveOneOut([]float64{1, 2, 6, 0, 2, 4}, 3))
	// For two samples it is the difference: 5 − 2, 2 − 5.
	assert.Equal(t, []float64{3, -3}, leaveOneOut([]float64{5, 2}, 2))
	assert.Empty(t, leaveOneOut(nil, 4))
}

// exact holds advantages computed in rational arithmetic by testdata/generate.py.
type exact struct {
	Note              string
	K                 int
	Beta              float64
	Reward, LogP, Ref []float64
	LOO, KL, Shaped   []float64
}

// accurate asserts that every element is within 8 roundings of the scale of the group's
// differences.
func accurate(t *testing.T, want, got []float64, scale float64) {
	t.Helper()
	for i := range want {
		assert.LessOrEqual(t, math.Abs(got[i]-want[i]), 8*0x1p-53*scale, "[%d]: %v, want %v", i, got[i], want[i])
	}
}

func TestExactAdvantages(t *testing.T) {
	text, err := os.ReadFile("testdata/advantages.json")
	require.NoError(t, err)
	var cases []exact
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Note, func(t *testing.T) {
			// What is relative to the advantages themselves, however large the offset is.
			accurate(t, c.LOO, leaveOneOut(c.Reward, c.K), floats.Norm(c.LOO, math.Inf(1)))

			// Where log-ratios are formed, their own rounding comes first.
			got := make([]float64, len(c.KL))
			require.NoError(t, rloo.KL(got, c.LogP, c.Ref, c.K))
			accurate(t, c.KL, got, floats.Norm(c.LogP, math.Inf(1)))
			require.NoError(t, rloo.Reward(got, c.Reward, c.LogP, c.Ref, c.Beta, c.K))
			accurate(t, c.Shaped, got, floats.Norm(c.Reward, math.Inf(1))+c.Beta*floats.Norm(c.LogP, math.Inf(1)))
		})
	}
}

// Rewards that are all alike carry no signal: zeros to the bit, at any k and any offset.
func TestLeaveOneOutConstantGroups(t *testing.T) {
	for _, v := range []float64{0.1, 1.0 / 3, 1e8 + 0.1, -1e-300, 1e300, math.Pi} {
		for _, k := range []int{2, 3, 5, 7, 10, 64, 1000} {
			r := make([]float64, 2*k)
			floats.AddConst(v, r)
			r[2*k-1] = v / 2 // the other group is not constant
			got := leaveOneOut(r, k)
			assert.Equal(t, make([]float64, k), got[:k], "%v, k = %d", v, k)
			assert.NotZero(t, got[2*k-1])
		}
	}
}

// A constant added to a group changes nothing: exactly, where the sum itself is exact.
func TestLeaveOneOutShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, k := range []int{2, 4, 9} {
		for _, shift := range []float64{1, -1e8, 1e8, 1 << 40} {
			r, shifted := make([]float64, k), make([]float64, k)
			for i := range r {
				r[i] = float64(rng.IntN(2048)) / 1024
				shifted[i] = r[i] + shift
			}
			assert.Equal(t, leaveOneOut(r, k), leaveOneOut(shifted, k))
		}
	}
}

func TestLeaveOneOutProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, k := range []int{2, 3, 8} {
		r := make([]float64, 5*k)
		for i := range r {
			r[i] = rng.NormFloat64()
		}
		whole := leaveOneOut(r, k)
		for g := 0; g < len(r); g += k {
			group := whole[g : g+k]
			assert.InDelta(t, 0, floats.Sum(group), 1e-14) // advantages of a group cancel
			assert.Equal(t, group, leaveOneOut(r[g:g+k], k), "groups do not see each other")
			mean := floats.Sum(r[g:g+k]) / float64(k)
			for i, a := range group { // the group mean as baseline is (k−1)/k of it
				assert.InDelta(t, r[g+i]-mean, a*float64(k-1)/float64(k), 1e-14)
			}
		}
		scaled := append([]float64(nil), r...)
		floats.Scale(4, scaled)
		want := append([]float64(nil), whole...)
		floats.Scale(4, want)
		assert.Equal(t, want, leaveOneOut(scaled, k))

		rloo.LeaveOneOut(r, r, k) // in place
		assert.Equal(t, whole, r)
	}
}

func TestLeaveOneOutPanics(t *testing.T) {
	six := make([]float64, 6)
	for _, k := range []int{1, 0, -2, 4, 5, 12} {
		assert.PanicsWithValue(t, "rloo: k < 2, or a length that is not a multiple of k", func() { rloo.LeaveOneOut(six, six, k) }, "k = %d", k)
	}
	assert.PanicsWithValue(t, "rloo: slices of different lengths", func() { rloo.LeaveOneOut(six[:3], six, 3) })
}
