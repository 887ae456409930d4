package coverage

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Pareto describes the upper tail of importance weights by the generalized Pareto
// distribution fitted to it (Vehtari et al. 2024, arXiv:1507.02646, with the fit of Zhang
// and Stephens 2009).
type Pareto struct {
	// K is k̂, the shape: weights have finite moments of orders below 1/k. It is +Inf if
	// fewer than five weights stand out, so that nothing can be said.
	K     float64
	Sigma float64 // scale of the exceedances, in units of the largest weight; NaN without a fit
	N     int     // number of weights
	Tail  int     // number of weights that were fitted
}

// Threshold returns min(1 − 1/log₁₀N, 0.7): below it the mean E_ref[w·f] can be trusted.
func (p Pareto) Threshold() float64 { return min(1-1/math.Log10(float64(p.N)), 0.7) }

// Reliable says whether k̂ certifies estimates that are means of w^order: order 1 for
// E_ref[w·f] and k1, order 2 for χ², ESS and D_2, since k̂(w^α) = α·k̂(w). A variance that
// exists needs k̂ < 1/(2·order) too.
func (p Pareto) Reliable(order float64) bool { return order*p.K < p.Threshold() }

// TailLen returns T = ⌈min(n/5, 3√n)⌉, how many of n weights are the tail.
func TailLen(n int) int {
	return int(math.Ceil(min(float64(n)/5, 3*math.Sqrt(float64(n)))))
}

// PSIS smooths importance weights: it replaces the largest by the quantiles of the Pareto
// distribution that was fitted to them. The zero value is ready; it keeps its workspace, and
// is not safe for concurrent use.
type PSIS struct {
	top  topHeap
	tail []int
	fit  paretoFit
}

// Smooth stores in dst the logarithms of smoothed weights that sum to 1, for the
// log-weights logw, whose common offset does not matter. dst may be logw itself, or nil, if
// only the fit is wanted. A weight may be 0 (−Inf); NaN, +Inf or no positive weight is an
// error that leaves dst as it was. With K = +Inf weights are only normalised. It panics if
// the lengths differ.
//
// The cut-off is the largest weight outside the T largest, but at least the smallest normal
// float64 times the maximum; the tail is what lies strictly above it, and no smoothed weight
// exceeds the largest raw one. This is what arviz 0.23 computes, but where its fit
// overflows: then K is +Inf here.
func (s *PSIS) Smooth(dst, logw []float64) (Pareto, error) {
	if dst != nil {
		sameLength(dst, logw)
	}
	s.top.reset(TailLen(len(logw)) + 1)
	for i, v := range logw {
		if math.IsNaN(v) || math.IsInf(v, 1) {
			return Pareto{}, fmt.Errorf("coverage: logw[%d] = %v, must be a number or −Inf", i, v)
		}
		s.top.push(v)
	}
	p, err := s.fit.run(s.top.descending(), len(logw))
	if err != nil || dst == nil {
		return p, err
	}
	largest := s.top.values[0]
	s.tail = s.tail[:0]
	if !math.IsInf(p.K, 1) {
		for i, v := range logw {
			if v-largest > s.fit.cut {
				s.tail = append(s.tail, i)
			}
		}
		slices.SortFunc(s.tail, func(a, b int) int { return cmp.Or(cmp.Compare(logw[a], logw[b]), a-b) })
	}
	for i, v := range logw {
		dst[i] = v - largest
	}
	for i, at := range s.tail {
		dst[at] = min(math.Log(p.quantile((float64(i)+0.5)/float64(p.Tail))+math.Exp(s.fit.cut)), 0)
	}
	num.LogNormalize(dst, dst)
	return p, nil
}

// quantile is the inverse distribution function of the exceedances.
func (p Pareto) quantile(u float64) float64 {
	if math.Abs(p.K) < 0x1p-52 {
		return -p.Sigma * math.Log1p(-u)
	}
	return p.Sigma * math.Expm1(-p.K*math.Log1p(-u)) / p.K
}

// paretoFit is the workspace of a fit.
type paretoFit struct {
	cut                   float64 // log of the cut-off, the largest weight being 1
	excess, theta, loglik []float64
}

// run fits n weights of which the T+1 largest logarithms are given, largest first.
func (f *paretoFit) run(top []float64, n int) (Pareto, error) {
	if n == 0 || math.IsInf(top[0], -1) {
		return Pareto{}, errors.New("coverage: no positive weight")
	}
	p := Pareto{K: math.Inf(1), Sigma: math.NaN(), N: n}
	t := TailLen(n)
	if t+1 > len(top) {
		return p, nil // a single weight
	}
	f.cut = max(top[t]-top[0], math.Log(0x1p-1022))
	cut := math.Exp(f.cut)
	f.excess = f.excess[:0]
	for _, v := range slices.Backward(top[:t]) {
		if v-top[0] > f.cut {
			f.excess = append(f.excess, math.Exp(v-top[0])-cut)
		}
	}
	if len(f.excess) <= 4 {
		return p, nil
	}
	if k, sigma := f.zhangStephens(); !math.IsNaN(k) && sigma > 0 && !math.IsInf(sigma, 1) {
		p.K, p.Sigma, p.Tail = k, sigma, len(f.excess)
	}
	return p, nil
}

// zhangStephens fits f.excess, ascending: the posterior mean of θ = −k/σ on a grid, with
// the profile likelihood and a weak prior for k around ½.
func (f *paretoFit) zhangStephens() (k, sigma float64) {
	x := f.excess
	n, m := float64(len(x)), 30+int(math.Sqrt(float64(len(x))))
	f.theta, f.loglik = f.theta[:0], f.loglik[:0]
	quartile := 3 * x[int(n/4+0.5)-1]
	for j := range m {
		theta := (1-math.Sqrt(float64(m)/(float64(j)+0.5)))/quartile + 1/x[len(x)-1]
		kj := meanLog1p(-theta, x)
		f.theta = append(f.theta, theta)
		f.loglik = append(f.loglik, n*(math.Log(-(theta/kj))-kj-1))
	}
	num.Softmax(f.loglik, f.loglik)
	total, theta := 0.0, 0.0
	for j, w := range f.loglik {
		if w >= 10*0x1p-52 { // negligible ones are left out
			total += w
			theta += w * f.theta[j]
		}
	}
	theta /= total
	k = meanLog1p(-theta, x)
	return (n*k + 5) / (n + 10), -k / theta
}

func meanLog1p(a float64, x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Log1p(a * v)
	}
	return sum / float64(len(x))
}
