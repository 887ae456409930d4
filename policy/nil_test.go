package policy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/policy"
)

// TestNilParts: what is missing is named where it is asked for.
func TestNilParts(t *testing.T) {
	ctx := context.Background()
	p := policy.NewTabular(1, 2, nil)
	zero := new(policy.Finite[int])
	const (
		finite  = "policy: Finite without a Distributor"
		mixture = "policy: mixture of a nil policy"
		blend   = "policy: Blend of a nil Host"
		model   = "policy: Sequences without Model"
	)
	for _, c := range []struct {
		name, want string
		call       func()
	}{
		{"NewFinite", finite, func() { policy.NewFinite[int](nil) }},
		{"zero Finite, Responses", finite, func() { zero.Responses(0) }},
		{"zero Finite, Distribution", finite, func() { _ = zero.Distribution(nil, 0) }},
		{"zero Finite, LogProbs", finite, func() { _ = zero.LogProbs(ctx, nil, nil, nil) }},
		{"zero Finite, Sample", finite, func() { _ = zero.Sample(ctx, policy.Draws[int]{}, nil, nil, 1, policy.Key{}) }},
		{"GeometricMixture", mixture, func() { _, _ = policy.GeometricMixture(nil, p, 0.5) }},
		{"ArithmeticMixture", mixture, func() { _, _ = policy.ArithmeticMixture(p, nil, 0.5) }},
		{"Blend into nil", blend, func() { _ = policy.Blend(nil, p, 1) }},
		{"Blend of nil", blend, func() { _ = policy.Blend(p, nil, 1) }},
		{"Sequences, LogProbs", model, func() { _ = policy.Sequences{}.LogProbs(ctx, nil, nil, nil) }},
		{"Sequences, NewPass", model, func() { policy.Sequences{}.NewPass() }},
	} {
		assert.PanicsWithValue(t, c.want, c.call, c.name)
	}
	assert.ErrorIs(t, policy.Sequences{}.Sample(ctx, policy.Draws[[]int32]{}, nil, nil, 1, policy.Key{}), errors.ErrUnsupported)
}
