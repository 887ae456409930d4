package rloo_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/rloo"
)

// Whatever the rewards are, advantages are finite or there is an error, and groups without a
// signal of their own have none.
func FuzzAdvantages(f *testing.F) {
	bytes := func(v ...float64) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	f.Add(bytes(1, 2, 6, 0.1, 0.1, 0.1))
	f.Add(bytes(1e308, -1e308, 0, 5e-324, 0, 0))
	f.Add(bytes(math.MaxFloat64, math.MaxFloat64, 1, -1e154, 1e154, 3))
	f.Add(bytes(math.NaN(), math.Inf(1), 1, 0, 0, 0))
	f.Add(bytes(1e-310, 0, 1e-320, 1e8, 1e8, 1e8+1e-8))
	f.Fuzz(func(t *testing.T, data []byte) {
		reward := make([]float64, min(12, len(data)/24*3))
		bad := false
		for i := range reward {
			reward[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
			bad = bad || math.IsNaN(reward[i]) || math.IsInf(reward[i], 0)
		}
		for name, a := range advantages(len(reward), len(reward)/3) {
			dst := make([]float64, len(reward))
			s, err := a.Eval(dst, reward, rloo.Groups{K: 3})
			if bad && err == nil {
				t.Fatalf("%s of %v: no error", name, reward)
			}
			if err != nil {
				continue
			}
			zeros := 0
			for i, v := range dst {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s of %v: %v", name, reward, dst)
				}
				if i%3 == 2 && dst[i] == 0 && dst[i-1] == 0 && dst[i-2] == 0 {
					zeros++
				}
			}
			switch name {
			case "ReMax", "Whitened", "Whitened by root", "Whitened of GroupMean", "ControlVariate": // across groups
			default:
				if zeros < s.Flat {
					t.Fatalf("%s of %v: %v, of which %d are flat", name, reward, dst, s.Flat)
				}
			}
		}
	})
}
