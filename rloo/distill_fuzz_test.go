package rloo_test

import (
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/rloo"
)

// Whatever the logits are: a divergence is not negative, inside at most the entropy of β, it
// changes sides with β → 1 − β, and adding a constant to the student's logits changes nothing, so
// derivatives sum to 0.
func FuzzJSD(f *testing.F) {
	f.Add(0.5, float32(1), float32(0), float32(-2), float32(0), float32(1), float32(3))
	f.Add(0.0, float32(1e4), float32(-1e4), float32(0), float32(0), float32(0), float32(0))
	f.Add(1.0, float32(0), float32(0), float32(1e-7), float32(0), float32(0), float32(0))
	f.Add(0.999, float32(-3e38), float32(3e38), float32(0), float32(80), float32(-80), float32(79))
	f.Add(0.3, float32(math.Inf(-1)), float32(0), float32(0), float32(0), float32(math.Inf(-1)), float32(0))
	f.Fuzz(func(t *testing.T, beta float64, a, b, c, x, y, z float32) {
		student, teacher := []float32{a, b, c}, []float32{x, y, z}
		value, other, grad := make([]float64, 1), make([]float64, 1), make([]float32, 3)
		if (rloo.JSD{Beta: beta}).Eval(value, grad, student, teacher, nil, 3) != nil {
			return
		}
		entropy := -beta*math.Log(beta) - (1-beta)*math.Log1p(-beta)
		if !(value[0] >= 0) || beta > 0 && beta < 1 && value[0] > entropy*(1+1e-12) {
			t.Fatalf("β = %v: %v", beta, value[0])
		}
		sum, size := 0.0, 0.0
		for _, v := range grad {
			sum += float64(v)
			size += math.Abs(float64(v))
		}
		if math.Abs(sum) > 1e-6*size+1e-14*(1+math.Abs(value[0])) {
			t.Fatalf("β = %v: derivatives %v sum to %v", beta, grad, sum)
		}
		if err := (rloo.JSD{Beta: 1 - beta}).Eval(other, nil, teacher, student, nil, 3); err != nil {
			t.Fatal(err)
		}
		if beta > 1e-3 && beta < 1-1e-3 && math.Abs(other[0]-value[0]) > 1e-12*value[0]+1e-300 && 1-(1-beta) == beta {
			t.Fatalf("β = %v: %v, and with the sides exchanged %v", beta, value[0], other[0])
		}
	})
}
