package logits_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/policy/logits"
)

// FuzzLogits feeds arbitrary bits as two rows of logits: either an error says why they
// are no distributions, or every quantity is within its bounds and every gradient is
// finite.
func FuzzLogits(f *testing.F) {
	bits := func(x ...float32) []byte {
		var b []byte
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	f.Add(bits(0, 1, 2, 3), 1.0, uint(0))
	f.Add(bits(0, -inf32, 1e30, -1e30), 0.1, uint(1))
	f.Add(bits(-inf32, -inf32, 0, 0), 1.0, uint(0))
	f.Add(bits(1e-40, nan32, inf32, math.MaxFloat32, -math.MaxFloat32, 0), 1e-3, uint(2))
	f.Fuzz(func(t *testing.T, data []byte, temperature float64, label uint) {
		vocab := len(data) / 8
		if vocab == 0 {
			return
		}
		x := make([]float32, 2*vocab)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		b := logits.Batch{
			Logits: logits.Rows{Data: x[:vocab], N: 1, Vocab: vocab}, Ref: logits.Rows{Data: x[vocab:], N: 1, Vocab: vocab},
			Labels: []int32{int32(label % uint(vocab))}, Temperature: temperature,
		}
		legal := temperature > 0 && temperature*0 == 0 && 1/temperature*0 == 0
		for _, row := range [][]float32{b.Logits.Row(0), b.Ref.Row(0)} {
			finite := 0
			for _, v := range row {
				legal = legal && v == v && v != inf32
				if v != -inf32 {
					finite++
				}
			}
			legal = legal && finite > 0
		}
		s := allStats(1)
		err := logits.Forward(s, b)
		if legal != (err == nil) {
			t.Fatalf("legal is %v, error is %v", legal, err)
		}
		if err != nil {
			return
		}
		logV, scale := math.Log(float64(vocab)), 1e-9
		within := func(name string, v, lo, hi float64) {
			if !(v >= lo-scale && v <= hi+scale) {
				t.Errorf("%s is %v, outside [%v, %v]", name, v, lo, hi)
			}
		}
		within("LogProb", s.LogProb[0], math.Inf(-1), 0)
		within("Entropy", s.Entropy[0], 0, logV)
		within("SumSq", s.SumSq[0], -logV, 0)
		within("KL", s.KL[0], 0, math.Inf(1))
		within("ReverseKL", s.ReverseKL[0], 0, math.Inf(1))
		w := weightsOf([6]float64{1, 1, 1, 1, 1, 1}, 1)
		if math.IsInf(s.KL[0], 1) {
			w.KL[0] = 0
		}
		if err := logits.Gradient(b.Logits, logits.Stats{}, w, b); err != nil {
			t.Fatal(err)
		}
		for v, g := range b.Logits.Row(0) {
			if g != g || math.IsInf(float64(g), 0) && 1/temperature < 1e30 && s.KL[0] < 1e30 {
				t.Errorf("derivative %d is %v", v, g)
			}
		}
	})
}
