package coverage

import (
	"errors"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
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
	fit  paretoFit
	seen []int
}

// Smooth stores in dst the logarithms of smoothed weights that sum to 1, for the
// log-weights logw, whose common offset does not matter. dst may be logw itself, or nil, if
// only the fit is wanted. A weight may be 0 (−Inf); NaN, +Inf or no positive weight is an
// error that leaves dst as it was. With K = +Inf weights are only normalised. Importance of
// package sampler takes what it stores for log-ratios, with SelfNormalise. It panics if the
// lengths differ.
//
// The cut-off is the largest weight outside the T largest, but at least the smallest normal
// float64 times the maximum; the tail is what lies strictly above it, and no smoothed weight
// exceeds the largest raw one. This is what arviz 0.23 computes, but where its fit
// overflows: then K is +Inf here.
func (s *PSIS) Smooth(dst, logw []float64) (Pareto, error) {
	if dst != nil {
		sameLength(dst, logw)
	}
	if err := s.top.fill(logw, TailLen(len(logw))+1); err != nil {
		return Pareto{}, err
	}
	top := s.top.descending()
	p, err := s.fit.run(top, len(logw))
	if err != nil || dst == nil {
		return p, err
	}
	s.quantiles(p)
	for i, v := range logw {
		if v -= top[0]; v > s.fit.cut && p.Tail > 0 {
			v = s.replacement(v, top[:p.Tail])
		}
		dst[i] = v
	}
	elem.LogNormalize(dst, dst)
	return p, nil
}

// quantiles computes what replaces the weights of the tail, largest first, in the memory of the fit.
func (s *PSIS) quantiles(p Pareto) {
	cut := math.Exp(s.fit.cut)
	for i := range p.Tail {
		u := (float64(p.Tail-1-i) + 0.5) / float64(p.Tail)
		s.fit.excess[i] = min(math.Log(p.quantile(u)+cut), 0)
	}
	s.seen = slices.Grow(s.seen[:0], p.Tail)[:p.Tail]
	clear(s.seen)
}

// replacement returns the quantile for a weight of the tail, largest first, in units of the largest: for
// equal ones that of larger ranks in the order of the calls.
func (s *PSIS) replacement(v float64, tail []float64) float64 {
	last, end := 0, len(tail) // among the weights that are not smaller, the last
	for last+1 < end {
		if mid := (last + end) / 2; tail[mid]-tail[0] >= v {
			last = mid
		} else {
			end = mid
		}
	}
	s.seen[last]++
	return s.fit.excess[last+1-s.seen[last]]
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
	elem.Softmax(f.loglik, f.loglik)
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

// meanLog1p returns the mean of log(1 + a·x) for ascending x ≥ 0.
func meanLog1p(a float64, x []float64) float64 {
	n := len(x)
	if math.Abs(a)*x[n-1] < 0x1p-7 { // 1 + a·x would lose too much of a·x
		sum := 0.0
		for _, v := range x {
			sum += math.Log1p(a * v)
		}
		return sum / float64(n)
	}
	// Else the logarithm of products, which end before they leave the range of float64.
	sum, p, q := 0.0, 1.0, 1.0
	for i := 0; i+1 < n; i += 2 {
		f, g := 1+a*x[i], 1+a*x[i+1]
		const small, large = 0x1p-500, 0x1p+500
		if pf, qg := p*f, q*g; pf > small && pf < large && qg > small && qg < large {
			p, q = pf, qg
			continue
		}
		sum += math.Log(p) + math.Log(q) + math.Log(f) + math.Log(g)
		p, q = 1, 1
	}
	if n%2 == 1 {
		sum += math.Log1p(a * x[n-1])
	}
	return (sum + math.Log(p) + math.Log(q)) / float64(n)
}
