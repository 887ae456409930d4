package rloo

// ControlVariate has a value estimate V(x) of each prompt for its baseline, scaled to fit
// the rewards: a straight line through all samples of the batch but the one that it is for,
//
//	Aᵢ = rᵢ − m₋ᵢ − c₋ᵢ·(V_g(i) − v₋ᵢ),   c₋ᵢ = Σ_{j≠i} (V_g(j)−v₋ᵢ)·(rⱼ−m₋ᵢ) / Σ_{j≠i} (V_g(j)−v₋ᵢ)²
//
// with m₋ᵢ and v₋ᵢ the means of r and V over the n−1 others. Unbiased, whatever V is: nothing in
// the baseline has seen yᵢ. A line fitted on all samples would shrink the gradient, by
// 1 − hᵢ with hᵢ the leverage; dividing the residual by that is how the n lines are had from
// one.
//
// Groups of one are welcome: the others are those of other prompts. Where the values of all
// others are equal, c₋ᵢ = 0, and with equal values for all it is [RLOO] over the whole batch. A
// batch of one sample has advantage 0. The call has to see the whole step, and a value that
// sets one sample far apart from all others makes for a line of large variance. Dependent
// draws are refused with [ErrDependent].
type ControlVariate struct {
	Value []float64 // one per group
}

// Eval implements [Advantage]. A value that is NaN or infinite is an error. Eval panics if
// there is not one per group.
func (a ControlVariate) Eval(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scanBatch(dst, reward, g)
	if err != nil {
		return s, err
	}
	if len(a.Value) != s.Groups {
		panic("rloo: not one ControlVariate.Value for each group")
	}
	least, most, err := extent("ControlVariate.Value", a.Value, 0)
	if err != nil {
		return Signal{}, err
	}
	if len(reward) < 2 {
		clear(dst)
		return s, nil
	}
	// Values as parts of half their range, which cannot overflow: the line is the same.
	work := pool.Get().(*scratch)
	defer pool.Put(work)
	v := work.value[:0]
	half := most/2 - least/2
	for i, x := range a.Value {
		lo, hi := g.Group(i)
		if half > 0 {
			x = (x/2 - least/2) / half
		} else {
			x = 0
		}
		for range hi - lo {
			v = append(v, x)
		}
	}
	work.value = v
	residuals(dst, reward, v)
	return s, nil
}

// residuals stores the distance of each point from the line through the others.
func residuals(dst, r, v []float64) {
	all := fit(r, v, -1)
	// A leverage near 1 leaves no digits to its point's 1 − h: those are fitted anew, before
	// dst, which may be r, is written. The leverages add up to 2, so they are two at most.
	var (
		apart [2]int
		exact [2]float64
		n     int
	)
	for i := range r {
		if all.rest(v[i]) < 0.25 && n < len(apart) {
			apart[n], exact[n] = i, fit(r, v, i).residual(r[i], v[i])
			n++
		}
	}
	for i := range r {
		dst[i] = all.residual(r[i], v[i]) / all.rest(v[i])
	}
	for i, a := range exact[:n] {
		dst[apart[i]] = a
	}
}

// line is the least-squares fit r ≈ first + mean + slope·(v − at) of n points.
type line struct{ first, mean, at, slope, spread, n float64 }

// fit leaves point skip out.
func fit(r, v []float64, skip int) line {
	origin := 0
	if skip == 0 {
		origin = 1
	}
	l := line{first: r[origin], at: v[origin]}
	var sum, at float64
	for i := range r {
		if i != skip {
			l.n++
			sum += r[i] - l.first
			at += v[i] - v[origin]
		}
	}
	l.mean, at = sum/l.n, at/l.n
	l.at += at
	sum = 0
	for i := range r {
		if i != skip {
			d := v[i] - v[origin] - at
			l.spread += d * d
			sum += d * (r[i] - l.first - l.mean)
		}
	}
	if l.spread > 0 {
		l.slope = sum / l.spread
	}
	return l
}

// residual is the distance of a point from the line.
func (l line) residual(r, v float64) float64 {
	return r - l.first - l.mean - l.slope*(v-l.at)
}

// rest is 1 − h for the leverage h of a point.
func (l line) rest(v float64) float64 {
	rest := 1 - 1/l.n
	if l.spread > 0 {
		rest -= (v - l.at) * (v - l.at) / l.spread
	}
	return rest
}

// Coupled reports that the call has to see the whole step.
func (ControlVariate) Coupled() bool { return true }
