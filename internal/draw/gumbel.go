package draw

import (
	"math"
	"math/rand/v2"
)

// Open returns a uniform number in (0, 1), the middle of one of 2⁵² equal intervals, from
// 52 random bits: its logarithm is finite and not 0.
func Open(g *rand.PCG) float64 { return (float64(g.Uint64()>>12) + 0.5) / (1 << 52) }

// Gumbel returns a number of the standard Gumbel distribution, P(G ≤ x) = exp(−e^−x).
func Gumbel(g *rand.PCG) float64 { return -math.Log(-math.Log(Open(g))) }
