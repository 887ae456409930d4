package coverage

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/internal/record"
)

// Interval is an estimate from samples with a 95% interval, by bootstrap over prompts.
type Interval struct {
	Value float64
	SE    float64 // standard deviation of the replicates
	// Lo and Hi are the 2.5% and 97.5% quantiles of the replicates. They and SE are NaN
	// without replicates and for fewer than two prompts.
	Lo, Hi float64
}

// bootstrap is a Poisson bootstrap over prompts: replicate r takes a prompt with all its
// samples as often as a Poisson(1) variable says that is hashed from (prompt id, r). Shards
// that hold samples of the same prompt agree on it, so merging is exact in the weights.
type bootstrap struct {
	replicates int
	samples    uint64
	lo, hi     uint64    // smallest and largest prompt id; without replicates nobody asks
	counts     []float64 // samples in each replicate: integers
	prompt     uint64    // whose weights are in weights
	weights    []float64 // nil before the first prompt
}

func newBootstrap(replicates int) bootstrap {
	return bootstrap{replicates: replicates, lo: math.MaxUint64, counts: make([]float64, replicates)}
}

// take counts samples of a prompt and returns how often each replicate has it. The result is
// valid until the next call.
func (b *bootstrap) take(prompt uint64, samples int) []float64 {
	b.samples += uint64(samples)
	b.lo, b.hi = min(b.lo, prompt), max(b.hi, prompt)
	if b.weights == nil {
		b.weights = make([]float64, b.replicates)
	} else if prompt == b.prompt {
		floats.AddScaled(b.counts, float64(samples), b.weights)
		return b.weights
	}
	b.prompt = prompt
	table := poisson()
	for r := 0; r < b.replicates; r += 4 { // each takes 16 bits of a hash
		h := mix(prompt + uint64(r+1)*0x9e3779b97f4a7c15)
		for i := r; i < min(r+4, b.replicates); i++ {
			b.weights[i] = float64(table[h&0xffff])
			h >>= 16
		}
	}
	floats.AddScaled(b.counts, float64(samples), b.weights)
	return b.weights
}

func (b *bootstrap) merge(o *bootstrap) {
	b.samples += o.samples
	b.lo, b.hi = min(b.lo, o.lo), max(b.hi, o.hi)
	floats.AddScaled(b.counts, 1, o.counts)
}

// interval summarises the values of a statistic on the replicates. Those without any
// sample have no value and are left out.
func (b *bootstrap) interval(value float64, statistic func(r int) float64) Interval {
	i := Interval{value, math.NaN(), math.NaN(), math.NaN()}
	if b.lo >= b.hi {
		return i
	}
	var values []float64
	for r, n := range b.counts {
		if n > 0 {
			values = append(values, statistic(r))
		}
	}
	if len(values) < 2 {
		return i
	}
	slices.Sort(values)
	i.Lo, i.Hi = quantile(values, 0.025), quantile(values, 0.975)
	i.SE = stat.StdDev(values, nil)
	return i
}

// quantile returns the smallest of the sorted values that a share p of them do not exceed.
func quantile(sorted []float64, p float64) float64 {
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// head is the first section of a record of an accumulator with a bootstrap.
func (b *bootstrap) head(config ...uint64) []byte {
	return record.Uints(append(config, uint64(b.replicates), b.samples, b.lo, b.hi)...)
}

// restore is the inverse of head, without config, and of Floats(counts).
func (b *bootstrap) restore(head []uint64, counts []byte) error {
	if head[0] > uint64(len(counts)) { // before anything of that size is made
		return fmt.Errorf("coverage: %d replicates in %d bytes", head[0], len(counts))
	}
	*b = newBootstrap(int(head[0]))
	b.samples, b.lo, b.hi = head[1], head[2], head[3]
	if err := record.PutFloats(b.counts, counts); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	return nil
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// poisson returns the quantiles of Poisson(1) at (i + ½)/2¹⁶.
var poisson = sync.OnceValue(func() *[1 << 16]uint8 {
	t := new([1 << 16]uint8)
	k, term, below := uint8(0), math.Exp(-1), math.Exp(-1)
	for i := range t {
		for (float64(i)+0.5)/(1<<16) > below {
			k++
			term /= float64(k)
			below += term
		}
		t[i] = k
	}
	return t
})
