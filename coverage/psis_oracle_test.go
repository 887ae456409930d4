package coverage_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/cpu"
)

// bySorting smooths weights by the definition: it sorts all of them, and takes a logarithm of each factor. Of equal
// weights the later gets the larger quantile.
func bySorting(logw []float64) (p coverage.Pareto, smoothed []float64) {
	n, t := len(logw), coverage.TailLen(len(logw))
	p = coverage.Pareto{K: inf, Sigma: math.NaN(), N: n}
	smoothed = slices.Clone(logw)
	floats.AddConst(-floats.Max(logw), smoothed)
	ascending := make([]int, n)
	for i := range ascending {
		ascending[i] = i
	}
	slices.SortStableFunc(ascending, func(i, j int) int { return cmp.Compare(smoothed[i], smoothed[j]) })
	cut := max(smoothed[ascending[max(0, n-t-1)]], math.Log(0x1p-1022))
	above := slices.DeleteFunc(ascending, func(i int) bool { return smoothed[i] <= cut })
	if len(above) > 4 {
		x := make([]float64, len(above))
		for r, i := range above {
			x[r] = math.Exp(smoothed[i]) - math.Exp(cut)
		}
		if k, sigma := bayes(x); k == k && sigma > 0 && sigma < inf {
			p.K, p.Sigma, p.Tail = k, sigma, len(above)
			for r, i := range above {
				u := (float64(r) + 0.5) / float64(len(above))
				q := sigma * math.Expm1(-k*math.Log1p(-u)) / k
				smoothed[i] = min(math.Log(q+math.Exp(cut)), 0)
			}
		}
	}
	floats.AddConst(-floats.LogSumExp(smoothed), smoothed)
	return p, smoothed
}

// bayes is the estimate of Zhang and Stephens for ascending exceedances.
func bayes(x []float64) (k, sigma float64) {
	n, m := len(x), 30+int(math.Sqrt(float64(len(x))))
	profile := func(theta float64) float64 {
		sum := 0.0
		for _, v := range x {
			sum += math.Log1p(-theta * v)
		}
		return sum / float64(n)
	}
	theta, likelihood := make([]float64, m), make([]float64, m)
	for j := range theta {
		theta[j] = 1/x[n-1] + (1-math.Sqrt(float64(m)/(float64(j)+0.5)))/(3*x[int(float64(n)/4+0.5)-1])
		k := profile(theta[j])
		likelihood[j] = float64(n) * (math.Log(-theta[j]/k) - k - 1)
	}
	total := floats.LogSumExp(likelihood)
	mean, share := 0.0, 0.0
	for j, l := range likelihood {
		if w := math.Exp(l - total); w >= 10*0x1p-52 {
			mean += w * theta[j]
			share += w
		}
	}
	mean /= share
	k = profile(mean)
	return (float64(n)*k + 5) / float64(n+10), -k / mean
}

// weights of many shapes, among them those that a sample of them, or of their order, says nothing about.
var shapes = map[string]func(rng *rand.Rand, i, n int) float64{
	"normal":        func(rng *rand.Rand, i, n int) float64 { return rng.NormFloat64() },
	"far":           func(rng *rand.Rand, i, n int) float64 { return 1e4 + rng.NormFloat64() },
	"wide":          func(rng *rand.Rand, i, n int) float64 { return 300 * rng.NormFloat64() },
	"heavy":         func(rng *rand.Rand, i, n int) float64 { return rng.NormFloat64() / rng.Float64() },
	"two values":    func(rng *rand.Rand, i, n int) float64 { return float64(rng.IntN(2)) },
	"few values":    func(rng *rand.Rand, i, n int) float64 { return math.Round(2 * rng.NormFloat64()) },
	"some values":   func(rng *rand.Rand, i, n int) float64 { return math.Round(20*rng.NormFloat64()) / 10 },
	"one dominates": func(rng *rand.Rand, i, n int) float64 { return rng.NormFloat64() + 1e3*float64(max(1-i, 0)) },
	"ascending":     func(rng *rand.Rand, i, n int) float64 { return 5 * float64(i) / float64(n) },
	"descending":    func(rng *rand.Rand, i, n int) float64 { return -5 * float64(i) / float64(n) },
	"every fourth":  func(rng *rand.Rand, i, n int) float64 { return rng.Float64() - 3*float64(i%4) },
	"others":        func(rng *rand.Rand, i, n int) float64 { return rng.Float64() + 3*float64(min(i%16, 1)) },
	"two clusters":  func(rng *rand.Rand, i, n int) float64 { return 5*float64(max(1-rng.IntN(20), 0)) + 1e-2*rng.Float64() },
	"zeros":         func(rng *rand.Rand, i, n int) float64 { return rng.NormFloat64() / float64(rng.IntN(2)) },
}

func shaped(shape string, rng *rand.Rand, n int) []float64 {
	l := make([]float64, n)
	for i := range l {
		if l[i] = shapes[shape](rng, i, n); l[i] == inf {
			l[i] = -inf
		}
	}
	return l
}

// One workspace for all, so that what is kept from a call cannot show in the next.
func TestSmoothBySorting(t *testing.T) {
	for _, shape := range slices.Sorted(maps.Keys(shapes)) {
		t.Run(shape, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(14, uint64(len(shape))))
			var s coverage.PSIS
			for try := range 60 {
				n := 1 + rng.IntN(2000)
				switch try % 6 {
				case 1, 2, 3:
					n = 1 + rng.IntN(300)
				case 4:
					n = 1 + rng.IntN(30)
				}
				l := shaped(shape, rng, n)
				if floats.Max(l) == -inf {
					continue
				}
				sameAsSorting(t, &s, l)
			}
			sameAsSorting(t, &s, shaped(shape, rng, 20_000))
		})
	}
}

func sameAsSorting(t *testing.T, s *coverage.PSIS, l []float64) {
	t.Helper()
	want, smoothed := bySorting(l)
	got := make([]float64, len(l))
	p, err := s.Smooth(got, l)
	require.NoError(t, err)
	require.Equal(t, want.Tail, p.Tail, len(l))
	relative(t, want.K, p.K, 1e-9, len(l))
	if want.Tail > 0 {
		relative(t, want.Sigma, p.Sigma, 1e-9, len(l))
	}
	for i := range l {
		if !near(smoothed[i], got[i], 1e-11) {
			require.Equal(t, smoothed[i], got[i], "weight %d of %d", i, len(l))
		}
	}
}

func TestSmoothSameBits(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(15, 1))
	for _, shape := range slices.Sorted(maps.Keys(shapes)) {
		for _, n := range []int{3, 100, 1001, 20_000} {
			l := append(shaped(shape, rng, n-1), 0)
			var want string
			for _, level := range cpu.Levels() {
				cpu.Best = level
				got := make([]float64, n)
				p, err := new(coverage.PSIS).Smooth(got, l)
				require.NoError(t, err)
				if text := fmt.Sprintf("%x %x", p, got); level == cpu.Go {
					want = text
				} else {
					assert.True(t, want == text, "%s, n = %d at %v", shape, n, level)
				}
			}
		}
	}
}

// NaN and +Inf are found wherever they are, whatever the guess of a sample, and the first of them is named.
func TestSmoothErrorsFarIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 1))
	var s coverage.PSIS
	for _, shape := range slices.Sorted(maps.Keys(shapes)) {
		for _, n := range []int{255, 256, 5000, 20_000} {
			for _, bad := range []float64{inf, math.NaN()} {
				l := shaped(shape, rng, n)
				i := rng.IntN(n)
				l[i], l[i+rng.IntN(n-i)] = bad, bad
				_, err := s.Smooth(nil, l)
				assert.ErrorContains(t, err, fmt.Sprintf("logw[%d] = %v,", i, bad))
			}
		}
	}
}

// Whatever the weights are, smoothed ones sum to 1, keep the order of the raw ones, and are those of the definition.
func FuzzSmooth(f *testing.F) {
	f.Add(uint64(1), 10.0, 60, 0.0)
	f.Add(uint64(2), 1e5, 100, 0.0)
	f.Add(uint64(3), 1e-13, 26, 0.0)
	f.Add(uint64(4), 2.0, 1500, 0.5)
	f.Fuzz(func(t *testing.T, seed uint64, spread float64, n int, unit float64) {
		if n < 1 || n > 2000 || math.IsNaN(spread) || math.Abs(spread) > 1e300 {
			return
		}
		l := logNormal(rand.New(rand.NewPCG(seed, 1)), n, spread)
		if unit > 1e-3*math.Abs(spread) {
			for i, v := range l {
				l[i] = unit * math.Round(v/unit)
			}
		}
		out := make([]float64, n)
		_, err := new(coverage.PSIS).Smooth(out, l)
		require.NoError(t, err)
		require.InDelta(t, 0, floats.LogSumExp(out), 1e-12)
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(l[i], l[j]) })
		for r := 1; r < n; r++ { // of equal ones too
			require.LessOrEqual(t, out[order[r-1]], out[order[r]]+1e-9)
		}
		if a := math.Abs(spread); a > 1e-3 && a < 1e3 {
			sameAsSorting(t, new(coverage.PSIS), l)
		}
	})
}
