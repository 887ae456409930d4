package rloo

import (
	"fmt"
	"math"
)

// GradientStats accumulates gradient vectors of independent groups of samples at one θ, and
// says how noisy an estimator is: feed it one vector per group for each estimator that is to
// be compared. Accumulators merge, in any order up to rounding (Welford; Chan, Golub,
// LeVeque 1983), and their state is in exported fields. The zero value is ready; its first
// vector sets the length. Only that one allocates. It is not safe for concurrent use.
type GradientStats struct {
	N    int       // vectors
	Mean []float64 // of each coordinate
	M2   []float64 // Σ (g − Mean)² of each coordinate
}

// Add adds the gradient of one group. A coordinate that is not finite is an error that names
// its index, and then nothing is added. It panics if the length is not that of the first.
func (s *GradientStats) Add(g []float64) error {
	for i, v := range g {
		if !isFinite(v) {
			return fmt.Errorf("rloo: gradient[%d] = %v, must be finite", i, v)
		}
	}
	s.size(len(g))
	s.N++
	for i, v := range g {
		d := v - s.Mean[i]
		s.Mean[i] += d / float64(s.N)
		s.M2[i] += d * (v - s.Mean[i])
	}
	return nil
}

// Merge adds what o has seen. It panics if that are vectors of another length.
func (s *GradientStats) Merge(o *GradientStats) {
	if o.N == 0 {
		return
	}
	s.size(len(o.Mean))
	a, b := float64(s.N), float64(o.N)
	for i, m := range o.Mean {
		d := m - s.Mean[i]
		s.Mean[i] += d * b / (a + b)
		s.M2[i] += o.M2[i] + d*d*a*b/(a+b)
	}
	s.N += o.N
}

func (s *GradientStats) size(n int) {
	if s.N == 0 && len(s.Mean) != n {
		s.Mean, s.M2 = make([]float64, n), make([]float64, n)
	}
	if len(s.Mean) != n || len(s.M2) != n {
		panic(badLength)
	}
}

// GradientNoise is what [GradientStats.Noise] returns.
type GradientNoise struct {
	N      int     // vectors
	Trace  float64 // Σ of the coordinates' variances of one group's gradient: tr Cov, unbiased
	Square float64 // ‖E g‖², unbiased: ‖mean‖² − Trace/N; below 0 where there is nothing but noise
}

// Noise returns the spread of the gradients; for fewer than two it is NaN.
func (s *GradientStats) Noise() GradientNoise {
	r := GradientNoise{s.N, math.NaN(), math.NaN()}
	if s.N < 2 {
		return r
	}
	m2, norm := 0.0, 0.0
	for i, m := range s.Mean {
		m2 += s.M2[i]
		norm += m * m
	}
	r.Trace = m2 / float64(s.N-1)
	r.Square = norm - r.Trace/float64(s.N)
	return r
}

// SE returns the standard error of the mean of n groups, √(tr Cov/n): the root of its
// expected squared distance from the mean of the estimator. A bias is no part of it.
func (g GradientNoise) SE(n int) float64 { return math.Sqrt(g.Trace / float64(n)) }

// SNR returns the signal-to-noise ratio of one group's gradient, ‖E g‖²/tr Cov; that of n
// groups is n times that. Its inverse is the number of groups from which on the signal
// exceeds the noise: the simple noise scale of McCandlish et al. 2018 (arXiv:1812.06162,
// equation 2.9) in groups.
func (g GradientNoise) SNR() float64 { return g.Square / g.Trace }

// EffectiveSize returns the number of equal weights that have the variance of a sum of these,
// (Σ|w|)²/Σw², in [1, len(w)]: 0 where all are 0, NaN where one is not finite. For importance
// weights pass them as they are before any bound; sampler.Importance does it from logarithms.
func EffectiveSize(w []float64) float64 {
	top := 0.0
	for _, v := range w {
		if !isFinite(v) {
			return math.NaN()
		}
		top = max(top, math.Abs(v))
	}
	if top == 0 {
		return 0
	}
	sum, sq := 0.0, 0.0
	for _, v := range w {
		v = math.Abs(v) / top
		sum += v
		sq += v * v
	}
	return sum * sum / sq
}
