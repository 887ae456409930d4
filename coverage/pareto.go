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

var errNoWeight = errors.New("coverage: no positive weight")

// paretoFit is the workspace of a fit.
type paretoFit struct {
	floor           float64   // the cut-off, the largest weight being 1
	excess          []float64 // of the weights of the tail, largest first
	logs            []float64 // of the weights of the tail and of the cut-off
	a, mean, loglik []float64 // on the grid: −θ, the mean of log(1 + a·excess), and the likelihood
}

// run fits n weights, given the logarithms of the largest, less the largest and largest first, and that of the
// cut-off: all that are above it, and maybe some that are not.
func (f *paretoFit) run(top []float64, cut float64, n int) Pareto {
	p := Pareto{K: math.Inf(1), Sigma: math.NaN(), N: n}
	cut = max(cut, math.Log(0x1p-1022))
	t := len(top)
	for t > 0 && top[t-1] <= cut {
		t--
	}
	if t <= 4 {
		return p
	}
	f.logs = append(append(f.logs[:0], top[:t]...), cut)
	f.excess = slices.Grow(f.excess[:0], t+1)[:t+1]
	elem.Exp(f.excess, f.logs, 1, 0)
	for i, v := range slices.Backward(f.logs) {
		if v >= -elem.Far {
			break
		}
		f.excess[i] = math.Exp(v)
	}
	f.floor, f.excess = f.excess[t], f.excess[:t]
	for i, v := range f.excess {
		f.excess[i] = max(v-f.floor, 0) // Exp may exchange neighbours
	}
	if k, sigma := f.zhangStephens(); !math.IsNaN(k) && sigma > 0 && !math.IsInf(sigma, 1) {
		p.K, p.Sigma, p.Tail = k, sigma, t
	}
	return p
}

// zhangStephens fits f.excess: the posterior mean of θ = −k/σ on a grid, with the profile likelihood and a weak prior for k
// around ½. NaN where it overflows.
func (f *paretoFit) zhangStephens() (k, sigma float64) {
	x := f.excess
	n, m := float64(len(x)), 30+int(math.Sqrt(float64(len(x))))
	f.a, f.mean, f.loglik = slices.Grow(f.a[:0], m)[:m], slices.Grow(f.mean[:0], m)[:m], slices.Grow(f.loglik[:0], m)[:m]
	quartile := 3 * x[len(x)-int(n/4+0.5)]
	for j := range f.a {
		f.a[j] = -((1-math.Sqrt(float64(m)/(float64(j)+0.5)))/quartile + 1/x[0])
	}
	meanLog1p(f.mean, f.a, x)
	for j, k := range f.mean {
		f.loglik[j] = f.a[j] / k
	}
	elem.Log(f.loglik, f.loglik)
	for j, k := range f.mean {
		f.loglik[j] = n * (f.loglik[j] - k - 1)
	}
	if z := elem.Softmax(f.loglik, f.loglik); math.IsNaN(z) || math.IsInf(z, 0) {
		return math.NaN(), math.NaN()
	}
	total, a := 0.0, 0.0
	for j, w := range f.loglik {
		if w >= 10*0x1p-52 { // negligible ones are left out
			total += w
			a += float64(w * f.a[j])
		}
	}
	f.a[0] = a / total
	meanLog1p(f.mean[:1], f.a[:1], x)
	return (float64(n*f.mean[0]) + 5) / (n + 10), f.mean[0] / f.a[0]
}

// meanLog1p stores the mean of log(1 + a[j]·x) over x ≥ 0, the largest first, in dst[j].
func meanLog1p(dst, a, x []float64) {
	elem.LogProducts(dst, a, x)
	for j, v := range a {
		if math.Abs(v)*x[0] < 0x1p-7 { // 1 + a·x loses too much of a·x
			dst[j] = sumLog1p(v, x)
		}
		dst[j] /= float64(len(x))
	}
}

// sumLog1p returns Σ log(1 + a·x) for |a·x| < 2⁻⁷, from what products are beside 1: (1+p)·(1+f) = 1 + (p + f + p·f).
func sumLog1p(a float64, x []float64) float64 {
	sum := 0.0
	for some := range slices.Chunk(x, 32) { // p stays well above −1
		p := 0.0
		for _, v := range some {
			f := float64(a * v)
			p += f + float64(p*f)
		}
		sum += math.Log1p(p)
	}
	return sum
}
