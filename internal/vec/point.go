package vec

import "math"

const (
	depth  = 700 // exponentials below e^−depth count as that
	height = 300 // the largest exponent whose exponential may still be squared
)

// Point is the origin and the unit of the exponents of a row x: e_v = exp((x_v − Ref)·Inv).
// Any Ref with x_v − Ref ≤ 300/Inv gives the same distribution, so the largest x need not
// be known beforehand: the kernels read a row once. Assembly knows the places of the fields.
type Point struct {
	Ref, Inv float64
	scale    float64 // d_v = x_v − Ref, e_v = 2^(d_v·scale)
	floor    float64 // a float32; an x below counts as that
}

// newPoint returns the point at ref. It is not ok where the float32 next to ref are so far
// away that none is a floor, as for ref = 1e10 and Inv = 1, or where Inv is extreme.
func newPoint(ref float32, inv float64) (p Point, ok bool) {
	p = Point{Ref: float64(ref), Inv: inv, scale: inv * math.Log2E}
	p.floor = float64(float32(p.Ref - depth/inv))
	x := p.Exponent(p.floor)
	return p, x < -depth+50 && x > -depth-8
}

// Exponent returns the natural logarithm of e_v for x_v = x.
func (p *Point) Exponent(x float64) float64 { return (x - p.Ref) * p.Inv }

// guess returns a point for z, whose Ref is one of the first of z or the largest of all.
func guess(z []float32, inv float64) (Point, bool) {
	ref := largest(z[:min(len(z), lanes)])
	if !(ref >= -math.MaxFloat32) {
		ref = largest(z)
	}
	return newPoint(ref, inv)
}

// largest returns the largest number of z, −Inf if there is none.
func largest(z []float32) float32 {
	m := float32(math.Inf(-1))
	for _, x := range z {
		if x > m {
			m = x
		}
	}
	return m
}

// distances stores d_v in d.
func (p *Point) distances(d *[lanes]float64, z *[lanes]float32) {
	floor, ref := p.floor, p.Ref
	for i, x := range z {
		y := float64(x)
		if y < floor {
			y = floor
		}
		d[i] = y - ref
	}
}
