package logits_test

import (
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/policy/logits"
)

// oracle holds the quantities of one row, computed from their definitions over the
// tokens that are possible, in float64 and one at a time.
type oracle struct{ logProb, entropy, sumSq, kl, reverse, logZ float64 }

func newOracle(z, ref []float64, y int, temp float64) oracle {
	p := probabilities(z, temp)
	var o oracle
	for _, x := range z {
		o.logZ += math.Exp(x / temp)
	}
	o.logZ = math.Log(o.logZ)
	o.logProb = math.Log(p[y])
	for _, pv := range p {
		o.sumSq += pv * pv
		if pv > 0 {
			o.entropy += pv * math.Log(1/pv)
		}
	}
	o.sumSq = math.Log(o.sumSq)
	if ref != nil {
		q := probabilities(ref, temp)
		o.kl, o.reverse = divergence(p, q), divergence(q, p)
	}
	return o
}

// combine returns the weighted sum of the quantities; a weight of 0 leaves out even an
// infinite one.
func (o oracle) combine(w [6]float64) float64 {
	sum := 0.0
	for i, v := range [...]float64{o.logProb, o.entropy, o.sumSq, o.kl, o.reverse, o.logZ} {
		if w[i] != 0 {
			sum += w[i] * v
		}
	}
	return sum
}

func probabilities(z []float64, temp float64) []float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = math.Max(top, v)
	}
	p := make([]float64, len(z))
	total := 0.0
	for v := range z {
		p[v] = math.Pow(math.E, (z[v]-top)/temp)
		total += p[v]
	}
	for v := range p {
		p[v] /= total
	}
	return p
}

func divergence(p, q []float64) float64 {
	sum := 0.0
	for v := range p {
		if p[v] > 0 {
			sum += p[v] * math.Log(p[v]/q[v])
		}
	}
	return sum
}

// wide returns a row as float64.
func wide(x []float32) []float64 {
	if x == nil {
		return nil
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// randomRows returns n rows of normal logits, with a stride beyond the vocabulary if
// pad > 0; the room between the rows is NaN.
func randomRows(g *rand.Rand, n, vocab, pad int) logits.Rows {
	r := logits.Rows{Data: make([]float32, n*(vocab+pad)), N: n, Vocab: vocab, Stride: vocab + pad}
	for i := range r.Data {
		r.Data[i] = float32(math.NaN())
	}
	for i := range n {
		for v := range r.Row(i) {
			r.Row(i)[v] = float32(3 * g.NormFloat64())
		}
	}
	return r
}

func randomLabels(g *rand.Rand, n, vocab int) []int32 {
	y := make([]int32, n)
	for i := range y {
		y[i] = int32(g.IntN(vocab))
	}
	return y
}

// allStats returns a Stats that wants everything.
func allStats(n int) logits.Stats {
	s := make([]float64, 6*n)
	for i := range s {
		s[i] = math.NaN() // whatever is not written shows
	}
	return logits.Stats{LogProb: s[:n], Entropy: s[n : 2*n], SumSq: s[2*n : 3*n], KL: s[3*n : 4*n], ReverseKL: s[4*n : 5*n], LogZ: s[5*n:]}
}

// row returns the weights of row i in the order of combine.
func row(s logits.Stats, i int) (w [6]float64) {
	for f, v := range [...][]float64{s.LogProb, s.Entropy, s.SumSq, s.KL, s.ReverseKL, s.LogZ} {
		if v != nil {
			w[f] = v[i]
		}
	}
	return w
}
