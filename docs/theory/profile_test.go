package theory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/coverage"
)

// ∫Cov_N dN = 1 + χ², Cov_N > 0 up to max w, Cov_N ≤ E_π[w]/N; Rényi divergences do not
// decrease in their order.
func TestProperty13ProfileAndRenyi(t *testing.T) {
	property(t, 100, func(rng *rand.Rand, wrong string) bool {
		n := few(rng)
		p, q := normalized(gaussians(rng, n, 1.5)), normalized(gaussians(rng, n, 1.5))
		steps := (problem{ref: q}).ratios(p)
		slices.Sort(steps)
		size, area, last := 1+coverage.ChiSquare(p, q), 0.0, 0.0
		for _, l := range steps {
			c := coverage.Profile(p, q, l)
			area += (math.Exp(l) - last) * c
			last = math.Exp(l)
			if c > pick(wrong, "E_π[w]/(3N)", 1./3, 1.)*size/last*(1+1e-13) {
				return false
			}
		}
		top := pick(wrong, "the mean is the end", math.Log(size), coverage.MaxLogRatio(p, q))
		if !near(area, pick(wrong, "χ² without 1", size-1, size), 1e-12) ||
			coverage.Profile(p, q, top) == 0 || coverage.Profile(p, q, top+1e-9) > 0 {
			return false
		}
		order := 0.0
		for _, alpha := range []float64{0, 0.2, 0.5, 0.99, 1, 1.01, 2, 10, math.Inf(1)} {
			d := coverage.Renyi(alpha, p, q)
			if wrong == "unnormalised" {
				d *= math.Abs(alpha - 1)
			}
			if d < order-1e-13 {
				return false
			}
			order = d
		}
		return true
	}, "E_π[w]/(3N)", "the mean is the end", "χ² without 1", "unnormalised")
}

// Best-of-n on finite support: max w ≤ n, KL ≤ log n − (n−1)/n, 1 + χ² ≤ n²/(2n−1), nearly
// attained by many responses without ties.
func TestProperty14BestOfN(t *testing.T) {
	property(t, 60, func(rng *rand.Rand, wrong string) bool {
		m, draws := few(rng), 1+rng.IntN(8)
		fine := rng.IntN(3) == 0
		if fine {
			m = 4000
		}
		ref, reward, p := make([]float64, m), gaussians(rng, m, 1), make([]float64, m)
		if !fine {
			ref = gaussians(rng, m, 1)
		}
		ref = normalized(ref)
		coverage.BestOfN(p, ref, reward, draws)
		n := float64(draws)
		top, kl, chi := n, math.Log(n)-(n-1)/n, n*n/(2*n-1)
		switch wrong {
		case "max w = n − 1":
			top--
		case "KL ≤ log n − 1":
			kl = math.Log(n) - 1
		case "1 + χ² ≤ n/2":
			chi = n / 2
		case "half":
			kl /= 2
		}
		got := []float64{math.Exp(coverage.MaxLogRatio(p, ref)), coverage.KL(p, ref), 1 + coverage.ChiSquare(p, ref)}
		for i, bound := range []float64{top, kl, chi} {
			if got[i] > bound+1e-9 || fine && got[i] < bound*(1-5e-3)-5e-3 {
				return false
			}
		}
		return true
	}, "max w = n − 1", "KL ≤ log n − 1", "1 + χ² ≤ n/2", "half")
}

// k̂ does not change when all weights are multiplied by a constant, and neither it nor a
// histogram depends on how a stream was cut into shards.
func TestProperty17Khat(t *testing.T) {
	property(t, 10, func(rng *rand.Rand, wrong string) bool {
		l := gaussians(rng, 3000, 1+rng.Float64())
		var s coverage.PSIS
		whole, err := s.Smooth(nil, l)
		if err != nil || math.IsInf(whole.K, 0) {
			return false
		}
		scaled := apply(l, func(v float64) float64 { return pick(wrong, "a power", 2*v, v+64) })
		other, err := s.Smooth(nil, scaled)
		if err != nil || !near(whole.K, other.K, 1e-9) {
			return false
		}
		one := coverage.NewTail(len(l))
		count, err := coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromPolicy})
		if err != nil || one.Add(l) != nil || count.Add(batch(l)) != nil {
			return false
		}
		shards, counts := make([]*coverage.Tail, 4), make([]*coverage.Histogram, 4)
		for i := range shards {
			shards[i] = coverage.NewTail(len(l))
			counts[i], _ = coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromPolicy})
		}
		for i := range l {
			j := rng.IntN(4)
			if shards[j].Add(l[i:i+1]) != nil || counts[j].Add(batch(l[i:i+1])) != nil {
				return false
			}
		}
		for i := 2; i >= pick(wrong, "a shard lost", 1, 0); i-- { // in another order than they were filled
			if shards[3].Merge(shards[i]) != nil {
				return false
			}
			counts[3].Merge(counts[i])
		}
		a, errA := one.Pareto()
		b, errB := shards[3].Pareto()
		lowA, binsA, highA := count.Counts()
		lowB, binsB, highB := counts[3].Counts()
		return errA == nil && errB == nil && a == b && a.K == whole.K && lowA == lowB && highA == highB && slices.Equal(binsA, binsB)
	}, "a power", "a shard lost")
}

// batch gives each log-ratio a sample of its own prompt.
func batch(l []float64) coverage.Batch {
	b := coverage.Batch{Prompt: make([]uint64, len(l)), LogP: make([]float64, len(l)), LogRef: make([]float64, len(l))}
	for i, v := range l {
		b.Prompt[i], b.LogP[i], b.LogRef[i] = uint64(i), min(v, 0), -max(v, 0)
	}
	return b
}
