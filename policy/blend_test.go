package policy_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

func TestBlend(t *testing.T) {
	set := func(v ...float64) *policy.LogLinear {
		p := policy.NewLogLinear(len(v))
		copy(p.Params(), v)
		return p
	}
	dst, src := set(1, 2, 0.1), set(3, -2, 0.3)
	require.NoError(t, policy.Blend(dst, src, 0))
	require.Equal(t, []float64{1, 2, 0.1}, dst.Params())
	require.NoError(t, policy.Blend(dst, src, 0.25))
	require.InDeltaSlice(t, []float64{1.5, 1, 0.15}, dst.Params(), 1e-16)
	require.NoError(t, policy.Blend(dst, src, 1))
	require.Equal(t, src.Params(), dst.Params())
	for _, a := range []float64{-0.1, 1.1, math.NaN()} {
		require.ErrorContains(t, policy.Blend(dst, src, a), "must be in [0, 1]")
	}
	require.Panics(t, func() { _ = policy.Blend(dst, set(1), 1) })
}
