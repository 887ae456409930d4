package gomlx

import "math"

// frequencies returns the angles of the pairs of a head at position 1, in float32 as the
// models were trained.
func (c Config) frequencies() []float32 {
	f := make([]float32, c.HeadDim/2)
	for i := range f {
		f[i] = float32(1 / math.Pow(c.RoPE.Theta, float64(2*i)/float64(c.HeadDim)))
		f[i] = c.RoPE.scale(f[i])
	}
	return f
}

// scale stretches a frequency: "linear" all by Factor; "llama3" those with wavelengths
// above OriginalMaxLen/LowFreqFactor by Factor, those below OriginalMaxLen/HighFreqFactor
// not at all, and in between a mixture of both.
func (r RoPE) scale(f float32) float32 {
	switch r.Kind {
	case "linear":
		return f / float32(r.Factor)
	case "llama3":
		turns := float64(f) * float64(r.OriginalMaxLen) / (2 * math.Pi) // over the original length
		s := (turns - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
		s = min(max(s, 0), 1)
		return float32((1-s)*float64(f)/r.Factor + s*float64(f))
	}
	return f
}

// turns returns cosine and sine of position·frequency for positions 0 … n−1, n × HeadDim/2.
func (c Config) turns(n int) (cos, sin []float32) {
	f := c.frequencies()
	cos, sin = make([]float32, n*len(f)), make([]float32, n*len(f))
	for p := range n {
		for i, w := range f {
			s, c := math.Sincos(float64(float32(p) * w))
			cos[p*len(f)+i], sin[p*len(f)+i] = float32(c), float32(s)
		}
	}
	return cos, sin
}
