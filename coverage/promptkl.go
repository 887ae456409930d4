package coverage

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/internal/record"
)

// PromptKL estimates KL(π‖π_ref) of each prompt, and its mean over prompts, from samples of
// any [Source] in any order. With v the weight π/from of a sample, 1 for samples of π,
//
//	k1 = v·ℓ,   k3 = v·(e^{−ℓ} − 1 + ℓ) ≥ 0
//
// Both are unbiased, k3 only if the policy can give whatever the reference can, which top-p
// sampling breaks. Standard errors are those of a mean over prompts, each of which counts
// once. Memory grows with the number of prompts, not of samples. Merging is exact for
// prompts of which one side has all samples; what both have is added, up to rounding. The
// zero value takes samples of π; make others with [NewPromptKL]. It is not safe for
// concurrent use.
type PromptKL struct {
	source  Source
	prompts map[uint64]*promptSum
}

type promptSum struct {
	n      uint64
	k1, k3 float64
	top    float64 // largest ℓ
}

// PromptStat is what samples of one prompt say.
type PromptStat struct {
	Prompt      uint64
	N           int     // samples
	K1, K3      float64 // means
	MaxLogRatio float64 // largest ℓ seen: a lower bound of log max w
}

// NewPromptKL returns an empty accumulator. It panics if the source is unknown.
func NewPromptKL(source Source) *PromptKL {
	if source < FromPolicy || source > FromMixture {
		panic("coverage: unknown source")
	}
	return &PromptKL{source: source}
}

// Add adds a batch. A log-probability that a sample of the source cannot have is an error
// that names it, and then nothing is added. It panics if lengths differ.
func (a *PromptKL) Add(b Batch) error {
	if err := b.check(a.source); err != nil {
		return err
	}
	b.runs(func(lo, hi int) {
		s := a.of(b.Prompt[lo])
		s.n += uint64(hi - lo)
		for i := lo; i < hi; i++ {
			logw, logref, l := b.logWeights(a.source, i)
			s.top = max(s.top, l)
			k1, k3 := klTerms(logw, logref, l)
			s.k1 += k1
			s.k3 += k3
		}
	})
	return nil
}

// klTerms returns k1 and k3 = π_ref/from + π/from·(ℓ−1) of a sample.
func klTerms(logw, logref, l float64) (k1, k3 float64) {
	w := math.Exp(logw)
	switch {
	case w == 0: // ℓ may be −Inf
		return 0, math.Exp(logref)
	case math.IsInf(l, 1):
		return l, l
	case math.Abs(l) < 1:
		return w * l, w * num.Excess(-l)
	}
	return w * l, math.Exp(logref) + w*(l-1)
}

func (a *PromptKL) of(prompt uint64) *promptSum {
	if a.prompts == nil {
		a.prompts = map[uint64]*promptSum{}
	}
	s := a.prompts[prompt]
	if s == nil {
		s = &promptSum{top: math.Inf(-1)}
		a.prompts[prompt] = s
	}
	return s
}

// Merge adds what o has seen. It panics if the sources differ.
func (a *PromptKL) Merge(o *PromptKL) {
	if a.source != o.source {
		panic("coverage: merging accumulators of different configurations")
	}
	for id, t := range o.prompts {
		s := a.of(id)
		s.n += t.n
		s.k1 += t.k1
		s.k3 += t.k3
		s.top = max(s.top, t.top)
	}
}

// Prompts returns what is known of each prompt, in the order of their ids.
func (a *PromptKL) Prompts() []PromptStat {
	all := make([]PromptStat, 0, len(a.prompts))
	for _, id := range slices.Sorted(maps.Keys(a.prompts)) {
		s := a.prompts[id]
		n := float64(s.n)
		all = append(all, PromptStat{id, int(s.n), s.k1 / n, s.k3 / n, s.top})
	}
	return all
}

// Worst returns the k prompts with the largest K1, largest first; fewer if there are fewer.
func (a *PromptKL) Worst(k int) []PromptStat {
	all := a.Prompts()
	slices.SortStableFunc(all, func(p, q PromptStat) int { return cmp.Compare(q.K1, p.K1) })
	return all[:min(k, len(all))]
}

// Result returns the means over prompts of both estimates. One that is +Inf has no
// standard error; k1 is where a sample of π has π_ref = 0, and then so is the KL.
func (a *PromptKL) Result() (k1, k3 Estimate) {
	all := a.Prompts()
	mean := func(value func(PromptStat) float64) Estimate {
		var e KLEstimator
		for _, p := range all {
			v := value(p)
			if math.IsInf(v, 0) {
				return Estimate{v, math.NaN(), len(all)}
			}
			e.Merge(KLEstimator{n: 1, mean: v})
		}
		return e.Result()
	}
	return mean(func(p PromptStat) float64 { return p.K1 }), mean(func(p PromptStat) float64 { return p.K3 })
}

const promptKLKind, promptKLVersion = "coverage.promptkl", 1

// MarshalBinary implements [encoding.BinaryMarshaler]. Equal contents give equal bytes.
func (a *PromptKL) MarshalBinary() ([]byte, error) {
	var ids []uint64
	var sums []float64
	for _, id := range slices.Sorted(maps.Keys(a.prompts)) {
		s := a.prompts[id]
		ids = append(ids, id, s.n)
		sums = append(sums, s.k1, s.k3, s.top)
	}
	return encode(promptKLKind, promptKLVersion, record.Uints(uint64(a.source)), record.Uints(ids...), record.Floats(sums))
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler], in place of what a was.
func (a *PromptKL) UnmarshalBinary(b []byte) error {
	var head [1]uint64
	s, err := decode(b, promptKLKind, promptKLVersion, 3, head[:])
	if err != nil {
		return err
	}
	ids, sums := make([]uint64, len(s[1])/8), make([]float64, len(s[2])/8)
	err = cmp.Or(record.PutUints(ids, s[1]), record.PutFloats(sums, s[2]))
	if err == nil && (3*len(ids) != 2*len(sums) || head[0] > uint64(FromMixture)) {
		err = fmt.Errorf("a %s record that contradicts itself", promptKLKind)
	}
	if err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	*a = PromptKL{source: Source(head[0]), prompts: make(map[uint64]*promptSum, len(ids)/2)}
	for i := range len(ids) / 2 {
		a.prompts[ids[2*i]] = &promptSum{ids[2*i+1], sums[3*i], sums[3*i+1], sums[3*i+2]}
	}
	return nil
}
