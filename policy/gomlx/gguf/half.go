package gguf

import (
	"fmt"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
)

// halves widens numbers of 16 bits.
func halves(flat any) ([]float32, error) {
	switch flat := flat.(type) {
	case []float16.Float16:
		return widen(flat), nil
	case []bfloat16.BFloat16:
		return widen(flat), nil
	}
	return nil, fmt.Errorf("numbers of type %T", flat)
}

func widen[T interface{ Float32() float32 }](half []T) []float32 {
	v := make([]float32, len(half))
	for i, h := range half {
		v[i] = h.Float32()
	}
	return v
}
