package sampler_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/sampler"
)

// FuzzTransforms tries any bits as logits: NaN, +Inf and nothing but −Inf are errors,
// everything else is a distribution, before and after any transform.
func FuzzTransforms(f *testing.F) {
	row := func(z ...float64) []byte {
		var b []byte
		for _, x := range z {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		}
		return b
	}
	inf := math.Inf(1)
	f.Add(row(1, 2, 3), 0.5, uint8(2))
	f.Add(row(1, math.NaN(), 3), 0.5, uint8(1))
	f.Add(row(inf, 2, -inf), 0.5, uint8(1))
	f.Add(row(-inf, -inf, -inf), 0.5, uint8(1))
	f.Add(row(-inf, -7, -inf), 1e-9, uint8(3))
	f.Add(row(3e38, -3e38, 0, 1e-45), 0.999, uint8(1))
	f.Add(row(0, math.Copysign(0, -1), 0), 1.0, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, p float64, k uint8) {
		z := make([]float32, min(len(data)/4, 300))
		bad, finite := false, 0
		for v := range z {
			x := float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*v:])))
			z[v] = float32(x)
			bad = bad || x != x || x > math.MaxFloat64
			if x >= -math.MaxFloat32 && x <= math.MaxFloat32 {
				finite++
			}
		}
		var r sampler.Row
		if err := r.Set(z, nil); (err != nil) != (bad || finite == 0) {
			t.Fatalf("%v: %v", z, err)
		} else if err != nil {
			return
		}
		if r.Left() != finite {
			t.Fatalf("%d tokens left of %d", r.Left(), finite)
		}
		g, history := rand.NewPCG(uint64(k), 0), []int32{0, int32(len(z) - 1)}
		chains := [][]sampler.Transform{nil, {sampler.Temperature(p)}, {sampler.TopK(k)}, {sampler.TopP(p)}, {sampler.MinP(p)},
			{sampler.Typical(p)}, {sampler.RepetitionPenalty(p)}, {sampler.Greedy{}},
			{sampler.Temperature(p), sampler.TopK(k), sampler.TopP(p), sampler.MinP(p), sampler.Typical(p)}}
		for _, ts := range chains {
			valid := true
			for _, x := range ts {
				valid = valid && x.Check(len(z)) == nil
			}
			err := r.Set(z, history, ts...)
			if !valid {
				if err == nil {
					t.Fatalf("%v: no error", ts)
				}
				continue
			}
			if err != nil {
				// A penalty near 0 or the largest number can overflow.
				if _, penalty := ts[0].(sampler.RepetitionPenalty); penalty && !(p > 1e-200 && p < 1e200) {
					continue
				}
				t.Fatalf("%v: %v", ts, err)
			}
			logp, total := make([]float64, len(z)), 0.0
			r.LogProbs(logp)
			for v, l := range logp {
				if l != l || l > 1e-12 {
					t.Fatalf("%v: log-probability %v", ts, l)
				}
				if l > math.Inf(-1) && math.IsInf(float64(z[v]), -1) {
					t.Fatalf("%v: token %d became possible", ts, v)
				}
				total += math.Exp(l)
			}
			if !(math.Abs(total-1) < 1e-12) {
				t.Fatalf("%v: probabilities add up to %v", ts, total)
			}
			dst := make([]sampler.Token, min(3, r.Left()))
			group, err := r.GumbelTopK(dst, g)
			if err != nil || !(group.LogProb <= 1e-12) {
				t.Fatalf("%v: %v, %v", ts, group, err)
			}
			for _, x := range append(r.Stratified(make([]sampler.Token, 4), g).Tokens, r.Draw(g), r.GumbelMax(g), dst[0]) {
				if !(x.LogProb > math.Inf(-1)) || !(x.Model > math.Inf(-1)) || x.Model > 1e-12 {
					t.Fatalf("%v drew %+v", ts, x)
				}
			}
		}
	})
}
