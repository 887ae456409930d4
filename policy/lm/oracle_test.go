package lm_test

import (
	"math"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
)

// oracle is the model of the package documentation, one token at a time in float64,
// over its own copy of the parameters.
type oracle struct {
	c     lm.Config
	theta []float64
}

func newOracle(m *lm.Model) oracle {
	return oracle{m.Config(), append([]float64(nil), m.Params()...)}
}

func (o oracle) row(i int) []float64 { return o.theta[i*o.c.Dim : (i+1)*o.c.Dim] }

// distribution returns the log-probabilities of the token after text, whose first m ids
// are the prompt.
func (o oracle) distribution(text []int32, m int) []float64 {
	v := o.c.Vocab
	h := append([]float64(nil), o.row(0)...)
	add := func(row int, scale float64) {
		for i, e := range o.row(row) {
			h[i] += scale * e
		}
	}
	rows := 1 + v + 1
	if !o.c.NoPrompt {
		for _, id := range text[:m] {
			add(rows+int(id), math.Pow(float64(m), -0.5))
		}
		rows += v
	}
	padded := append(make([]int32, 0), text...)
	for range o.c.Order {
		padded = append([]int32{-1}, padded...)
	}
	last := padded[len(padded)-1]
	if last < 0 {
		add(1+v, 1)
	} else {
		add(1+int(last), 1)
	}
	for n := 2; n <= o.c.Order; n++ {
		hash := uint64(0)
		for i := range n {
			hash = splitmix(hash ^ uint64(uint32(padded[len(padded)-1-i])))
		}
		// floor(hash·Buckets/2^64) in two halves.
		b := uint64(o.c.Buckets)
		bucket := (hash>>32*b + hash<<32>>32*b>>32) >> 32
		add(rows+int(bucket), 1)
	}
	if o.c.Order > 1 {
		rows += o.c.Buckets
	}
	out := o.theta[rows*o.c.Dim:]
	z := append([]float64(nil), out[o.c.Dim*v:]...)
	for t := range z {
		for i := range h {
			z[t] += h[i] * out[i*v+t]
		}
	}
	total := 0.0
	for _, x := range z {
		total += math.Exp(x)
	}
	for t := range z {
		z[t] -= math.Log(total)
	}
	return z
}

// splitmix is one output of the SplitMix64 generator in state x.
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return x
}

// stats returns the statistics of every token of b; ref may be nil.
func (o oracle) stats(b policy.Tokens, ref *oracle) policy.TokenStats {
	s := newStats(len(b.IDs))
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for at := lo; at < hi; at++ {
			if !b.Counts(at) {
				continue
			}
			text := b.IDs[b.Begin[i]:at]
			p := o.distribution(text, b.Prompt[i])
			s.LogProb[at] = p[b.IDs[at]]
			var q []float64
			if ref != nil {
				q = ref.distribution(text, b.Prompt[i])
			}
			square := 0.0
			for v, l := range p {
				s.Entropy[at] -= math.Exp(l) * l
				square += math.Exp(2 * l)
				if ref != nil {
					s.KL[at] += math.Exp(l) * (l - q[v])
				}
			}
			s.SumSq[at] = math.Log(square)
		}
	}
	return s
}

// dot returns Σ w·s over all fields and tokens that count.
func dot(w, s policy.TokenStats, b policy.Tokens) float64 {
	sum := 0.0
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for at := lo; at < hi; at++ {
			if b.Counts(at) {
				sum += w.LogProb[at]*s.LogProb[at] + w.Entropy[at]*s.Entropy[at] + w.KL[at]*s.KL[at] + w.SumSq[at]*s.SumSq[at]
			}
		}
	}
	return sum
}

func newStats(n int) policy.TokenStats {
	return policy.TokenStats{LogProb: make([]float64, n), Entropy: make([]float64, n), KL: make([]float64, n), SumSq: make([]float64, n)}
}
