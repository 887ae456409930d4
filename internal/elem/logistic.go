package elem

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Smoothed stores value(z[i]) and slope(z[i]) of the package comment for ε = epsilon in
// value[i] and slope[i]; slope may be z. ε = 0 is the plain logistic link. value and slope are
// as long as z. For ε > 0 the value at z = ±Inf is +Inf on both sides.
func Smoothed(value, slope, z []float64, epsilon float64) {
	value, slope = value[:len(z)], slope[:len(z)]
	for i := 0; i < len(z); {
		i += regular(value[i:], slope[i:], z[i:], epsilon)
		// What stopped it: an argument that is not regular, or fewer than a vector.
		for end := min(i+lanes, len(z)); i < end; i++ {
			value[i], slope[i] = smoothed(z[i], epsilon)
		}
	}
}

// smoothed is Smoothed of one argument, whatever it is.
func smoothed(z, epsilon float64) (value, slope float64) {
	if a := math.Abs(z); a <= Far {
		return blend(z, epsilon, a)
	}
	if epsilon == 0 {
		return num.Softplus(-z), -num.Sigmoid(-z)
	}
	// Both terms are ≥ 0: nothing cancels, even at the infinities.
	return (1-epsilon)*num.Softplus(-z) + epsilon*num.Softplus(z), epsilon - num.Sigmoid(-z)
}

// blend is the definition that the assembly repeats, for a = |z| ≤ Far.
func blend(z, epsilon, a float64) (value, slope float64) {
	e := expOf(-a)
	q := 1 / (1 + e)
	miss, share := q, 1-epsilon // σ(−z); of |z| in the value
	if z >= 0 {
		miss, share = float64(e*q), epsilon
	}
	return math.FMA(a, share, log1p(e)), epsilon - miss
}

// log1p returns log(1+e) for 0 < e ≤ 1 within 2 units in the last place. With j the integer nearest to
// 15·e, c = 15/(15+j) and t = (1+e)·c − 1, |t| ≤ 1/30, it is −log c + t + t²·q(t).
func log1p(e float64) float64 {
	j := math.Float64bits(math.FMA(e, 15, integers)) % 16
	c := inverse[j]
	t := math.FMA(e, c, c-1)
	q := math.FMA(log7, t, log6)
	q = math.FMA(q, t, log5)
	q = math.FMA(q, t, log4)
	q = math.FMA(q, t, log3)
	q = math.FMA(q, t, log2)
	q = math.FMA(q, t, log1)
	q = math.FMA(q, t, log0)
	return logInverse[j] + math.FMA(t*t, q, t)
}

// inverse holds 15/(15+j), logInverse −log of that.
var (
	inverse = [16]float64{
		0x1.0000000000000p+0, 0x1.e000000000000p-1, 0x1.c3c3c3c3c3c3cp-1, 0x1.aaaaaaaaaaaabp-1,
		0x1.9435e50d79436p-1, 0x1.8000000000000p-1, 0x1.6db6db6db6db7p-1, 0x1.5d1745d1745d1p-1,
		0x1.4de9bd37a6f4ep-1, 0x1.4000000000000p-1, 0x1.3333333333333p-1, 0x1.2762762762762p-1,
		0x1.1c71c71c71c72p-1, 0x1.1249249249249p-1, 0x1.08d3dcb08d3ddp-1, 0x1.0000000000000p-1,
	}
	logInverse = [16]float64{
		0, 0x1.08598b59e3a07p-4, 0x1.005588ad375aep-3, 0x1.7565011e49675p-3,
		0x1.e41fccb76b0d7p-3, 0x1.269621134db92p-2, 0x1.588c2d913348fp-2, 0x1.882f1ef83ed45p-2,
		0x1.b5b3e24235e88p-2, 0x1.e148a1a2726cep-2, 0x1.058aefa811452p-1, 0x1.199fac68b4ab8p-1,
		0x1.2cf25fad8f1c3p-1, 0x1.3f91275240811p-1, 0x1.5188a4a02d7fep-1, 0x1.62e42fefa39efp-1,
	}
)

// q is minimax: of (log(1+t) − t)/t² for |t| ≤ 1/30, with an error of 2e-17/|t|.
const (
	integers = 0x1.8p52 // adding it rounds to an integer

	log0 = -0x1.fffffffffffa1p-2
	log1 = 0x1.5555555555413p-2
	log2 = -0x1.0000000119b0cp-2
	log3 = 0x1.9999999df2fbap-3
	log4 = -0x1.55553965b9147p-3
	log5 = 0x1.249221dca22e1p-3
	log6 = -0x1.00831d98d8d8ap-3
	log7 = 0x1.c83cd6a7919f2p-4
)
