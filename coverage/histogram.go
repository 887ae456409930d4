package coverage

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/record"
)

// HistogramConfig says what a [Histogram] accumulates.
type HistogramConfig struct {
	Source     Source
	Lo, Hi     float64 // the range of ℓ in bins of equal width; both 0: −16 and 48
	Bins       int     // 0: 256; with the default range bins are ¼ wide, and edges exact
	Replicates int     // of the bootstrap; 0: no band. 200 serve for a 95% band
}

// Histogram counts log-ratios ℓ = log π/π_ref in bins of fixed width, and estimates from
// them the coverage profile Cov_N = P_{y~π}[w ≥ N] at the edges of the bins. From other
// sources samples are weighted, Cov_N = E_ref[w·1{w ≥ N}], which leaves out the mass of π
// where π_ref = 0: no sample of π_ref shows it. With samples of π all is counted in integers
// and merging is exact in any grouping; otherwise up to the rounding of sums. All samples
// count alike. Memory does not depend on their number. Make it with [NewHistogram]; it is
// not safe for concurrent use.
type Histogram struct {
	config HistogramConfig
	boot   bootstrap
	bins   *elem.Bins
	edges  []float64 // lower edges of the bins, and Hi
	counts []uint64  // below Lo, the bins, from Hi on
	mass   []float64 // Σ weight·e^{−shift} of the same
	sums   []float64 // mass of the replicates, bin by bin

	ratios, weights []float64 // of a chunk
	entries         []int
	added           []elem.Row // counts and masses of an Add without replicates, until it is done; else 0
	lo, hi          float64    // smallest and largest ℓ of what was added
}

// ProfilePoint is the coverage profile at N = e^LogN. Lo and Hi are a 95% band for all
// points at once, by bootstrap over prompts: the profile ± a 95% quantile of the largest
// deviation of a replicate, cut to be ≥ 0. They are NaN without replicates and for fewer
// than two prompts.
type ProfilePoint struct{ LogN, P, Lo, Hi float64 }

// NewHistogram returns an empty accumulator. A range that is empty or not finite, negative Bins
// or Replicates or an unknown source is an error.
func NewHistogram(c HistogramConfig) (*Histogram, error) {
	if c.Lo == 0 && c.Hi == 0 {
		c.Lo, c.Hi = -16, 48
	}
	c.Bins = cmp.Or(c.Bins, 256)
	switch {
	case !(c.Lo < c.Hi) || math.IsInf(c.Hi-c.Lo, 0):
		return nil, fmt.Errorf("coverage: Lo = %v and Hi = %v, must be finite and in order", c.Lo, c.Hi)
	case c.Bins < 0:
		return nil, fmt.Errorf("coverage: Bins = %d, must be > 0", c.Bins)
	case c.Replicates < 0:
		return nil, fmt.Errorf("coverage: Replicates = %d, must be ≥ 0", c.Replicates)
	case c.Source < FromPolicy || c.Source > FromMixture:
		return nil, fmt.Errorf("coverage: unknown Source %v", c.Source)
	}
	bins := elem.NewBins(c.Lo, c.Hi, c.Bins)
	h := &Histogram{config: c, boot: newBootstrap(c.Replicates), bins: bins, edges: bins.Edges}
	h.counts, h.mass = make([]uint64, c.Bins+2), make([]float64, c.Bins+2)
	h.sums = make([]float64, (c.Bins+2)*c.Replicates)
	h.ratios, h.weights, h.entries = make([]float64, chunk), make([]float64, chunk), make([]int, chunk)
	if c.Replicates == 0 {
		h.added, h.lo, h.hi = make([]elem.Row, c.Bins+2), math.Inf(1), math.Inf(-1)
	}
	return h, nil
}

// shift is the logarithm of the unit of mass in entry k: weights of samples of the reference are
// e^ℓ, so that in units of the edge they are about 1.
func (h *Histogram) shift(k int) float64 {
	if h.config.Source != FromRef {
		return 0
	}
	return h.edges[max(k, 1)-1]
}

func (h *Histogram) replicates(k int) []float64 {
	return h.sums[k*h.config.Replicates : (k+1)*h.config.Replicates]
}

// Merge adds what o has seen; o must not be h. It panics if the configurations differ.
func (h *Histogram) Merge(o *Histogram) {
	if h.config != o.config {
		panic("coverage: merging accumulators of different configurations")
	}
	h.boot.merge(&o.boot)
	for k, n := range o.counts {
		h.counts[k] += n
	}
	floats.AddScaled(h.mass, 1, o.mass)
	floats.AddScaled(h.sums, 1, o.sums)
}

// N returns the number of samples.
func (h *Histogram) N() int { return int(h.boot.samples) }

// Counts returns the number of samples with ℓ below the range, in each bin, and above.
func (h *Histogram) Counts() (below uint64, bins []uint64, above uint64) {
	last := len(h.counts) - 1
	return h.counts[0], slices.Clone(h.counts[1:last]), h.counts[last]
}

// Edges returns the lower edges of the bins, and the upper edge of the last one.
func (h *Histogram) Edges() []float64 { return slices.Clone(h.edges) }

// Quantile returns the bin, as [lo, hi), that holds the p-quantile of ℓ under the source: at
// least a share p of the samples is below hi, and less than p below lo. It panics unless
// 0 < p ≤ 1; without samples both are NaN.
func (h *Histogram) Quantile(p float64) (lo, hi float64) {
	if !(p > 0 && p <= 1) {
		panic("coverage: p outside (0, 1]")
	}
	seen, edges := uint64(0), slices.Concat([]float64{math.Inf(-1)}, h.edges, []float64{math.Inf(1)})
	for k, n := range h.counts {
		if seen += n; n > 0 && float64(seen) >= p*float64(h.boot.samples) {
			return edges[k], edges[k+1]
		}
	}
	return math.NaN(), math.NaN()
}

// Profile returns the profile at the edges of the bins, from the lowest: nil without samples.
func (h *Histogram) Profile() []ProfilePoint {
	if h.boot.samples == 0 {
		return nil
	}
	points := make([]ProfilePoint, h.config.Bins+1)
	deviation := make([]float64, h.config.Replicates) // largest of each replicate
	tails, tail := make([]float64, h.config.Replicates), 0.0
	for k := len(points); k > 0; k-- {
		if h.counts[k] > 0 { // the unit of an empty bin may be infinite
			unit := math.Exp(h.shift(k))
			tail += unit * h.mass[k]
			floats.AddScaled(tails, unit, h.replicates(k))
		}
		p := tail / float64(h.boot.samples)
		points[k-1] = ProfilePoint{h.edges[k-1], p, math.NaN(), math.NaN()}
		for r, v := range tails {
			deviation[r] = max(deviation[r], math.Abs(v/h.boot.counts[r]-p))
		}
	}
	deviation = slices.DeleteFunc(deviation, math.IsNaN) // replicates without samples
	if h.boot.lo >= h.boot.hi || len(deviation) == 0 {
		return points
	}
	slices.Sort(deviation)
	half := stat.Quantile(0.95, stat.Empirical, deviation, nil)
	for i := range points {
		points[i].Lo, points[i].Hi = max(0, points[i].P-half), points[i].P+half
	}
	return points
}

const histogramKind, histogramVersion = "coverage.histogram", 1

// MarshalBinary implements [encoding.BinaryMarshaler].
func (h *Histogram) MarshalBinary() ([]byte, error) {
	c := h.config
	return encode(histogramKind, histogramVersion, h.boot.head(uint64(c.Source), uint64(c.Bins)), record.Floats(h.boot.counts),
		record.Floats([]float64{c.Lo, c.Hi}), record.Uints(h.counts...), record.Floats(h.mass), record.Floats(h.sums))
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler], in place of what h was.
func (h *Histogram) UnmarshalBinary(b []byte) error {
	var head [6]uint64
	s, err := decode(b, histogramKind, histogramVersion, 6, head[:])
	if err != nil {
		return err
	}
	var boot bootstrap
	if err := boot.restore(head[2:], s[1]); err != nil {
		return err
	}
	var ends [2]float64
	if err := record.PutFloats(ends[:], s[2]); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	bins := len(s[3])/8 - 2
	if bins < 1 || uint64(bins) != head[1] || len(s[5]) != 8*(bins+2)*boot.replicates {
		return fmt.Errorf("coverage: a %s record that contradicts itself", histogramKind)
	}
	n, err := NewHistogram(HistogramConfig{Source(head[0]), ends[0], ends[1], bins, boot.replicates})
	if err != nil {
		return err
	}
	n.boot = boot
	if err := errors.Join(record.PutUints(n.counts, s[3]), record.PutFloats(n.mass, s[4]), record.PutFloats(n.sums, s[5])); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	*h = *n
	return nil
}
