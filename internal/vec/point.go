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

	// Sums take 2^(x_v·scale − k) for e_v, with k the multiple of 1/16 nearest to Ref·scale, and
	// divide in the end by what becomes of Ref. Nothing cancels, however large Ref is: what is left
	// of x_v·scale beyond its own multiple of 1/16 is rounded once.
	fold float64 // magic − k
	unit float64
}

// newPoint returns the point at ref. It is not ok where the float32 next to ref are so far
// away that none is a floor, as for ref = 1e10 and Inv = 1, or where Inv is extreme.
func newPoint(ref float32, inv float64) (p Point, ok bool) {
	p = Point{Ref: float64(ref), Inv: inv, scale: inv * math.Log2E}
	p.floor = float64(float32(p.Ref - depth/inv))
	k := float64(p.Ref*p.scale) + magic - magic
	p.fold = magic - k
	b, q := p.power(p.Ref)
	p.unit = b * q
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

// addPowers adds e_v to sum and stores it in e, in the unit of the point.
func (p *Point) addPowers(sum, e *[lanes]float64, z *[lanes]float32) {
	for i, x := range z {
		y := float64(x)
		if y < p.floor {
			y = p.floor
		}
		b, q := p.power(y)
		e[i], sum[i] = b*q, fma(b, q, sum[i])
	}
}

// power returns two numbers whose product is e_v for x_v = x, in the unit of the point.
func (p *Point) power(x float64) (b, q float64) {
	c, t := &table.c, fma(x, p.scale, p.fold)
	r := fma(x, p.scale, -(t - p.fold))
	return power(t), fma(fma(fma(fma(fma(c[5], r, c[4]), r, c[3]), r, c[2]), r, c[1]), r, c[0])
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
