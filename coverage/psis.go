package coverage

import (
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// PSIS smooths importance weights: it replaces the largest by the quantiles of the Pareto
// distribution that was fitted to them. The zero value is ready; it keeps its workspace, and
// is not safe for concurrent use.
type PSIS struct {
	tail            largest
	fit             paretoFit
	exponential     []float64 // quantiles of the exponential distribution, largest first, for the last length of a tail
	smoothed, power []float64 // what replaces the tail, and the exponentials of which it is made
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
	cut, err := s.tail.find(logw, TailLen(len(logw))+1)
	if err != nil {
		return Pareto{}, err
	}
	if math.IsInf(s.tail.max, -1) {
		return Pareto{}, errNoWeight
	}
	p := s.fit.run(s.tail.sorted, cut, len(logw))
	if dst == nil {
		return p, nil
	}
	most := 0.0 // of the logarithms that are left
	if p.Tail > 0 {
		s.quantiles(p)
		for r, v := range s.smoothed {
			s.tail.value[s.tail.rank[r]] = v
		}
		most = s.smoothed[0]
	}
	s.normalize(dst, logw, most)
	return p, nil
}

// normalize stores logw in dst, with the values of the candidates in place of theirs, less the logarithm of the sum of
// weights. Few weights are candidates: it never asks which. It writes dst once, as many weights are far from the processor.
func (s *PSIS) normalize(dst, logw []float64, most float64) {
	var part [256]float64
	index, value := s.tail.index, s.tail.value
	sum, next := 0.0, 0
	for lo := 0; lo < len(logw); lo += len(part) {
		hi := min(lo+len(part), len(logw))
		weights := part[:hi-lo]
		elem.Shift(weights, logw[lo:hi], s.tail.max, 0)
		for ; next < len(index) && index[next] < hi; next++ {
			weights[index[next]-lo] = value[next]
		}
		elem.Exp(weights, weights, 1, most)
		sum += elem.Sum(weights)
	}
	z := most + math.Log(sum)
	elem.Shift(dst, logw, s.tail.max, z)
	for i, at := range index {
		dst[at] = value[i] - z
	}
}

// quantiles stores what replaces the weights of the tail, largest first: log(c + σ·(e^(k·E) − 1)/k) for the
// cut-off c and quantiles E of the exponential distribution, at most 0.
func (s *PSIS) quantiles(p Pareto) {
	if len(s.exponential) != p.Tail { // most often one tail is as long as the one before
		s.exponential = slices.Grow(s.exponential[:0], p.Tail)[:p.Tail]
		for i := range s.exponential {
			s.exponential[i] = -math.Log1p(-(float64(p.Tail-1-i) + 0.5) / float64(p.Tail))
		}
	}
	s.power = slices.Grow(s.power[:0], p.Tail)[:p.Tail]
	s.smoothed = slices.Grow(s.smoothed[:0], p.Tail)[:p.Tail]
	elem.Exp(s.power, s.exponential, math.Abs(p.K), 0)
	elem.Log(s.smoothed, s.power)
	for i, e := range s.exponential {
		s.smoothed[i] = s.fit.floor + float64(p.Sigma*boxCox(p.K, e, s.power[i], s.smoothed[i]))
	}
	elem.Log(s.smoothed, s.smoothed)
	for i, v := range s.smoothed {
		s.smoothed[i] = min(v, 0)
	}
}

// boxCox returns (e^(k·x) − 1)/k for x > 0, given w = e^(|k|·x) and its logarithm: x for k = 0. The quotient (w − 1)/log w
// changes little with w: taken with the logarithm of the w that was rounded, nothing cancels.
func boxCox(k, x, w, logw float64) float64 {
	y := math.Abs(k) * x
	switch {
	case math.Abs(k) < 0x1p-52:
		return x
	case y > elem.Far: // where w is nonsense
		return math.Expm1(k*x) / k
	case w > 1:
		y = (w - 1) * (y / logw)
	}
	if k < 0 { // e⁻ʸ − 1 = −(eʸ − 1)/eʸ
		y /= w
	}
	return y / math.Abs(k)
}
