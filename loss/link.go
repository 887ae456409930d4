package loss

import "github.com/prefgrad/prefgrad/internal/elem"

// Link is a scalar function of the margin z. Hundreds of pairs go through one call.
type Link interface {
	// Link stores the value at z[i] in value[i] and the derivative in slope[i]; slope
	// may be z itself.
	Link(value, slope, z []float64)
	// Check returns a [*ParamError] for a parameter outside its range.
	Check() error
}

// Logistic is −log σ(z), the negative log-likelihood of Bradley–Terry. Slope −σ(−z).
type Logistic struct{}

// Link implements [Link].
func (Logistic) Link(value, slope, z []float64) {
	elem.Smoothed(value, slope, z, 0)
}

// Curvature implements [CurvedLink]: σ(z)·σ(−z).
func (Logistic) Curvature(c, z []float64) {
	slopes(c, z, 0, 1)
}

// Check implements [Link].
func (Logistic) Check() error { return nil }

// Smoothed is the logistic link for labels that are flipped with probability Epsilon,
//
//	−(1−ε)·log σ(z) − ε·log σ(−z) = −log σ(z) + ε·z
//
// with slope ε − σ(−z) (cDPO; Mitchell 2023). ε is in [0, ½); ε = 0 is [Logistic] bit
// for bit. For ε > 0 the value at z = ±Inf is +Inf on both sides.
type Smoothed struct{ Epsilon float64 }

// Link implements [Link].
func (l Smoothed) Link(value, slope, z []float64) {
	elem.Smoothed(value, slope, z, l.Epsilon)
}

// Curvature implements [CurvedLink]; it is that of [Logistic].
func (Smoothed) Curvature(c, z []float64) { Logistic{}.Curvature(c, z) }

// Check implements [Link].
func (l Smoothed) Check() error { return belowHalf("Smoothed.Epsilon", l.Epsilon) }

// Squared is (z − Target)², with slope 2(z − Target).
type Squared struct{ Target float64 }

// Link implements [Link].
func (l Squared) Link(value, slope, z []float64) {
	for i, x := range z {
		d := x - l.Target
		value[i], slope[i] = d*d, 2*d
	}
}

// Curvature implements [CurvedLink]: 2.
func (Squared) Curvature(c, z []float64) {
	for i := range z {
		c[i] = 2
	}
}

// Check implements [Link].
func (l Squared) Check() error {
	if !isFinite(l.Target) {
		return &ParamError{"Squared.Target", l.Target, "finite"}
	}
	return nil
}
