package coverage

import (
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/record"
)

// Tail keeps the largest log-ratios ℓ of a stream: enough of them for the Pareto fit of as
// many samples as were declared. Merging is exact: any grouping, in any order, gives the
// same bits as one pass, and the fit of merged parts is that of [PSIS.Smooth] on all. Make it with [NewTail];
// it is not safe for concurrent use.
type Tail struct {
	limit, n int
	top      topHeap
}

// NewTail returns an empty accumulator for at most maxSamples samples, all shards
// together. It holds [TailLen](maxSamples) + 1 numbers: 9488 for ten million. It panics if
// maxSamples < 1.
func NewTail(maxSamples int) *Tail {
	if maxSamples < 1 {
		panic("coverage: maxSamples < 1")
	}
	t := &Tail{limit: maxSamples}
	t.top.reset(TailLen(maxSamples) + 1)
	return t
}

// Add adds log-ratios. NaN, or more samples than were declared, is an error, and then nothing
// is added. ±Inf is allowed: a sample where one of the two probabilities is 0.
func (t *Tail) Add(l []float64) error {
	if len(l) > t.limit-t.n {
		return fmt.Errorf("coverage: %d samples, declared were at most %d", t.n+len(l), t.limit)
	}
	for i, v := range l {
		if math.IsNaN(v) {
			return fmt.Errorf("coverage: l[%d] = NaN", i)
		}
	}
	t.n += len(l)
	for _, v := range l {
		t.top.push(v)
	}
	return nil
}

// Merge adds what o has seen; o must not be t. More samples than were declared is an error,
// and then nothing is added. It panics if the declared numbers differ.
func (t *Tail) Merge(o *Tail) error {
	if t.limit != o.limit {
		panic("coverage: merging accumulators of different configurations")
	}
	if o.n > t.limit-t.n {
		return fmt.Errorf("coverage: %d samples, declared were at most %d", t.n+o.n, t.limit)
	}
	t.n += o.n
	for _, v := range o.top.values {
		t.top.push(v)
	}
	return nil
}

// N returns the number of samples.
func (t *Tail) N() int { return t.n }

// MaxSeen returns the largest log-ratio among the samples, −Inf if there are none. It is a lower
// bound of log max w, and not an estimate of it: what no sample has shown may be larger.
func (t *Tail) MaxSeen() float64 {
	if t.n == 0 {
		return math.Inf(-1)
	}
	return slices.Max(t.top.values)
}

// Quantile returns the log-ratio that at most the given share of the samples exceed, for
// shares in the tail: exactly the (⌊share·n⌋+1)-th largest. NaN if that one was not kept, or
// share is not in [0, 1).
func (t *Tail) Quantile(share float64) float64 {
	if !(share >= 0 && share < 1) || t.n == 0 {
		return math.NaN()
	}
	rank := int(share * float64(t.n))
	if rank >= len(t.top.values) {
		return math.NaN()
	}
	return t.sorted()[rank]
}

// sorted returns what is kept, largest first.
func (t *Tail) sorted() []float64 {
	kept := topHeap{values: slices.Clone(t.top.values)}
	return kept.descending()
}

// Pareto fits the tail of the weights e^ℓ; the samples must be those of π_ref. No positive
// weight, or one that is +Inf, is an error.
func (t *Tail) Pareto() (Pareto, error) {
	top := t.sorted()
	if t.n > 0 && math.IsInf(top[0], 1) {
		return Pareto{}, fmt.Errorf("coverage: a log-ratio is +Inf, which no sample of π_ref has")
	}
	if t.n == 0 || math.IsInf(top[0], -1) {
		return Pareto{}, errNoWeight
	}
	top = top[:min(TailLen(t.n)+1, len(top))]
	for i, largest := 0, top[0]; i < len(top); i++ {
		top[i] -= largest
	}
	return new(paretoFit).run(top, top[len(top)-1], t.n), nil
}

const tailKind, tailVersion = "coverage.tail", 1

// MarshalBinary implements [encoding.BinaryMarshaler]. Equal contents give equal bytes.
func (t *Tail) MarshalBinary() ([]byte, error) {
	return encode(tailKind, tailVersion, record.Uints(uint64(t.limit), uint64(t.n)), record.Floats(t.sorted()))
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler], in place of what t was.
func (t *Tail) UnmarshalBinary(b []byte) error {
	var head [2]uint64
	s, err := decode(b, tailKind, tailVersion, 2, head[:])
	if err != nil {
		return err
	}
	limit, n := int(head[0]), int(head[1])
	top := make([]float64, len(s[1])/8)
	if err := record.PutFloats(top, s[1]); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	if limit < 1 || uint64(limit) != head[0] || n < 0 || n > limit || len(top) != min(n, TailLen(limit)+1) ||
		slices.ContainsFunc(top, math.IsNaN) {
		return fmt.Errorf("coverage: a %s record that contradicts itself", tailKind)
	}
	*t = Tail{limit: limit, n: n}
	t.top.capacity = TailLen(limit) + 1
	for _, v := range top {
		t.top.push(v)
	}
	return nil
}
