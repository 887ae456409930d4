package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestNLLByHand(t *testing.T) {
	logp := []float64{-1, -2.5, 0, -1e5}
	dst, grad := make([]float64, 4), make([]float64, 4)
	total, err := loss.NLL{}.Eval(dst, grad, logp)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{1, 2.5, 0, 1e5}, dst, 0)
	assert.Equal(t, []float64{-1, -1, -1, -1}, grad)
	assert.Equal(t, loss.Total{Sum: 100003.5, Count: 4}, total) // 1 + 2.5 + 0 + 100000

	again, err := loss.NLL{}.Eval(nil, nil, logp)
	require.NoError(t, err)
	assert.Equal(t, total, again)
}

func TestNLLLimit(t *testing.T) {
	dst, grad := make([]float64, 2), make([]float64, 2)
	total, err := loss.NLL{}.Eval(dst, grad, []float64{-1, -inf})
	require.NoError(t, err)
	assert.Equal(t, []float64{1, inf}, dst)
	assert.Equal(t, []float64{-1, -1}, grad)
	assert.Equal(t, inf, total.Sum)
}

func TestNLLErrors(t *testing.T) {
	_, err := loss.NLL{}.Eval(nil, nil, []float64{-1, math.NaN()})
	inputError(t, err, "LogProb", 1, math.NaN())
	_, err = loss.NLL{}.Eval(nil, nil, []float64{-1, -2, inf})
	inputError(t, err, "LogProb", 2, inf)
	for _, f := range []func(){
		func() { loss.NLL{}.Eval(make([]float64, 2), nil, make([]float64, 3)) },
		func() { loss.NLL{}.Eval(nil, make([]float64, 4), make([]float64, 3)) },
	} {
		assert.PanicsWithValue(t, "loss: slices of different lengths", f)
	}
}
