package rloo

import (
	"fmt"
	"math"
)

// Exact is a policy over few responses on one prompt, on which the mean, bias and covariance
// of an estimator come out by visiting all draws, each with its probability: no sampling, no
// error but rounding. It is safe for concurrent use.
type Exact struct {
	Prob  []float64 // π(y), positive or 0, of sum 1
	Score []float64 // ∇ log π(y), one row for each response: a multiple of len(Prob) elements
}

// Weights is an estimator on one group: it stores in dst the weight of each draw, where
// draws are indices of responses. The estimate is (1/k)·Σᵢ dst[i]·∇ log π(draws[i]).
type Weights func(dst []float64, draws []int) error

// Advantages returns the estimator that applies a to values f(y) of the responses.
func Advantages(a Advantage, f []float64) Weights {
	return func(dst []float64, draws []int) error {
		for i, y := range draws {
			dst[i] = f[y]
		}
		_, err := a.Eval(dst, dst, Groups{K: len(draws)})
		return err
	}
}

// Moments are the exact moments of an estimate from one group of k samples; those of the
// mean over n groups are Mean, and 1/n of the variances.
type Moments struct {
	Mean     []float64
	Variance []float64 // of each coordinate
}

// Trace returns tr Cov, the sum of the variances.
func (m Moments) Trace() float64 {
	sum := 0.0
	for _, v := range m.Variance {
		sum += v
	}
	return sum
}

// Bias returns ‖Mean − target‖. It panics on different lengths.
func (m Moments) Bias(target []float64) float64 {
	if len(target) != len(m.Mean) {
		panic(badLength)
	}
	sum := 0.0
	for i, v := range m.Mean {
		sum += (v - target[i]) * (v - target[i])
	}
	return math.Sqrt(sum)
}

// maxDraws bounds the multisets that Moments visits: some seconds.
const maxDraws = 2_000_000

// Moments returns the exact moments of w on k independent draws. It visits multisets of
// responses with their multinomial probabilities, and so needs an estimator that treats its
// draws alike: exchanging two draws exchanges their weights, and nothing else. C(n+k−1, k)
// multisets of n responses with positive probability must be at most two million, and
// anything else is an error, as are probabilities that are negative or do not sum to 1 within
// 1e-9, and errors of w. It panics if k < 1 or Score has another length than a multiple.
func (e Exact) Moments(k int, w Weights) (Moments, error) {
	dim, err := e.check()
	if err != nil {
		return Moments{}, err
	}
	if k < 1 {
		panic("rloo: Exact.Moments of k < 1")
	}
	v := visit{
		Exact: e, w: w, k: k, dim: dim,
		draws: make([]int, k), weights: make([]float64, k), g: make([]float64, dim),
		Moments: Moments{make([]float64, dim), make([]float64, dim)},
	}
	n := 0
	for y, p := range e.Prob {
		if p > 0 {
			v.support = append(v.support, y)
			n++
		}
	}
	count := 1.0 // C(n+k−1, k)
	for i := range k {
		count *= float64(n+i) / float64(i+1)
	}
	if count > maxDraws {
		return Moments{}, fmt.Errorf("rloo: %d responses and k = %d have %.3g multisets, more than %d", n, k, count, maxDraws)
	}
	if err := v.choose(0, 0, 1); err != nil {
		return Moments{}, err
	}
	for i := range v.Variance {
		v.Variance[i] = max(0, v.Variance[i]/v.seen)
	}
	return v.Moments, nil
}

// Gradient returns E[f·∇ log π], the gradient of E_π[f] for an f that does not depend on θ,
// and of KL(π‖π_ref) for f = ℓ: what an unbiased estimator's mean is. It panics if f has
// another length than Prob.
func (e Exact) Gradient(f []float64) []float64 {
	dim, err := e.check()
	if err != nil {
		panic(err.Error())
	}
	if len(f) != len(e.Prob) {
		panic(badLength)
	}
	g := make([]float64, dim)
	for y, p := range e.Prob {
		if p == 0 {
			continue
		}
		for i, s := range e.Score[y*dim : (y+1)*dim] {
			g[i] += p * f[y] * s
		}
	}
	return g
}

// LeaveOneOutTrace returns tr Cov of the leave-one-out estimate of E[f·∇ log π] from k ≥ 2
// samples, for any k, without enumeration: the estimate is the U-statistic with kernel ½(s_i −
// s_j)(f_i − f_j), and with c = f − E f and g the gradient
//
//	tr Cov = (1/k)·[E‖s‖²c² − ((k−2)/(k−1))·‖g‖² + E‖s‖²·E c²/(k−1)]
//
// It panics if f has another length than Prob, or if k < 2.
func (e Exact) LeaveOneOutTrace(f []float64, k int) float64 {
	if k < 2 {
		panic("rloo: k < 2")
	}
	g, mean := e.Gradient(f), 0.0
	for y, p := range e.Prob {
		if p > 0 {
			mean += p * f[y]
		}
	}
	var norm, s2, c2, s2c2 float64
	for _, v := range g {
		norm += v * v
	}
	dim := len(g)
	for y, p := range e.Prob {
		if p == 0 {
			continue
		}
		s, c := 0.0, f[y]-mean
		for _, v := range e.Score[y*dim : (y+1)*dim] {
			s += v * v
		}
		s2 += p * s
		c2 += p * c * c
		s2c2 += p * s * c * c
	}
	m := float64(k)
	return (s2c2 - (m-2)/(m-1)*norm + s2*c2/(m-1)) / m
}

func (e Exact) check() (dim int, err error) {
	n := len(e.Prob)
	if n == 0 || len(e.Score)%n != 0 {
		panic(badLength)
	}
	sum := 0.0
	for y, p := range e.Prob {
		if !(p >= 0) {
			return 0, fmt.Errorf("rloo: Exact.Prob[%d] = %v, must not be negative", y, p)
		}
		sum += p
	}
	if !(math.Abs(sum-1) <= 1e-9) {
		return 0, fmt.Errorf("rloo: Exact.Prob sums to %v, must be 1", sum)
	}
	return len(e.Score) / n, nil
}

// visit is the state of one enumeration.
type visit struct {
	Exact
	Moments // Variance holds Σ prob·(g − mean)² until the end (West 1979)
	w       Weights
	k, dim  int
	support []int
	draws   []int
	weights []float64
	g       []float64
	seen    float64 // probability visited
}

// choose fills draws from position at on with responses from support[from:]; prob is the
// probability of the multisets so far, with the multinomial coefficient of what is placed.
func (v *visit) choose(at, from int, prob float64) error {
	if at == v.k {
		return v.add(prob)
	}
	if from == len(v.support)-1 {
		// What is left are all the last response.
		left := v.k - at
		for i := at; i < v.k; i++ {
			v.draws[i] = v.support[from]
		}
		return v.add(prob * math.Pow(v.Prob[v.support[from]], float64(left)))
	}
	p := v.Prob[v.support[from]]
	for m := 0; at+m <= v.k; m++ {
		if m > 0 {
			v.draws[at+m-1] = v.support[from]
			// C(left, m)·p^m from C(left, m−1)·p^{m−1}.
			prob *= p * float64(v.k-at-m+1) / float64(m)
		}
		if err := v.choose(at+m, from+1, prob); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) add(prob float64) error {
	if err := v.w(v.weights, v.draws); err != nil {
		return fmt.Errorf("rloo: draws %v: %w", v.draws, err)
	}
	clear(v.g)
	for i, y := range v.draws {
		for j, s := range v.Score[y*v.dim : (y+1)*v.dim] {
			v.g[j] += v.weights[i] / float64(v.k) * s
		}
	}
	if prob == 0 {
		return nil
	}
	v.seen += prob
	for j, x := range v.g {
		d := x - v.Mean[j]
		v.Mean[j] += d * prob / v.seen
		v.Variance[j] += prob * d * (x - v.Mean[j])
	}
	return nil
}
