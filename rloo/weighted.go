package rloo

import "fmt"

// OptimalBaseline weighs the rewards of the other samples:
//
//	Aᵢ = rᵢ − Σ_{j≠i} wⱼ·rⱼ / Σ_{j≠i} wⱼ
//
// With wⱼ = ‖∇ log π(yⱼ)‖² the baseline estimates E[w·r]/E[w], the constant that minimises the
// trace of the covariance of r-baseline times score; lengths are a stand-in where the norms
// of scores grow with them. Equal weights give [RLOO]. Where the weights of all others are
// 0, theirs count as equal.
//
// Unbiased for every choice of weights that are functions of their own sample. Fitting the
// same ratio on all samples, the own one included, is not: see [OPO]. A group of one has
// advantage 0. Dependent draws are refused with [ErrDependent].
//
// Source: Greensmith, Bartlett, Baxter 2004, for the constant.
type OptimalBaseline struct {
	Weight []float64 // one per sample, finite and not negative
}

// Eval implements [Advantage]. Eval panics if there is not one weight per sample.
func (a OptimalBaseline) Eval(dst, reward []float64, g Groups) (Signal, error) {
	return weighted(dst, reward, a.Weight, "OptimalBaseline.Weight", g, true)
}

// OPO weighs the rewards of all samples of the group by their lengths:
//
//	Aᵢ = rᵢ − Σⱼ |yⱼ|·rⱼ / Σⱼ |yⱼ| = Σⱼ |yⱼ|·(rᵢ − rⱼ) / Σⱼ |yⱼ|
//
// Biased, since the sample's own reward is in its baseline: by the factor (k−1)/k if all
// lengths are equal, and by more than a factor if not. The longer a reply, the more of its
// own reward the baseline takes away, so the estimate climbs
//
//	E[a(y)·∇ log π(y)],   a(y) = E[ Σ_{j≠1} |yⱼ|·(r₁ − rⱼ) / Σⱼ |yⱼ|  given y₁ = y ]
//
// in which differences to a long reply count less. [OptimalBaseline] with lengths as weights
// is the unbiased form. A group of one has advantage 0. Dependent draws are refused with
// [ErrDependent].
//
// Source: Hao et al. 2025 (arXiv:2505.23585).
type OPO struct {
	Length []float64 // |yᵢ|, one per sample, finite and not negative, not all 0 in a group
}

// Eval implements [Advantage]. Eval panics if there is not one length per sample.
func (a OPO) Eval(dst, reward []float64, g Groups) (Signal, error) {
	return weighted(dst, reward, a.Length, "OPO.Length", g, false)
}

// weighted subtracts the weighted mean of the group, or of the others.
func weighted(dst, reward, weight []float64, field string, g Groups, others bool) (Signal, error) {
	if len(weight) != len(reward) {
		panic("rloo: not one weight for each sample")
	}
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	for i := range s.Groups {
		lo, hi := g.Group(i)
		if err := checkWeights(field, weight[lo:hi], lo); err != nil {
			return Signal{}, err
		}
		if lo == hi {
			continue
		}
		r, w, d := reward[lo:hi], weight[lo:hi], dst[lo:hi]
		sum, total := weightedSums(r, w)
		if !isFinite(total) || !isFinite(sum) {
			return Signal{}, overflowingWeights(field, i)
		}
		switch {
		case others:
			leaveOneOutWeighted(d, r, w, sum, total)
		case total == 0:
			return Signal{}, fmt.Errorf("rloo: %s of group %d are all 0", field, i)
		default:
			first := r[0]
			for j, v := range r {
				d[j] = v - first - sum/total
			}
		}
	}
	return s, nil
}

// weightedSums returns Σ w·(r − r[0]) and Σ w.
func weightedSums(r, w []float64) (sum, total float64) {
	for j, v := range r {
		sum += w[j] * (v - r[0])
		total += w[j]
	}
	return sum, total
}

func overflowingWeights(field string, group int) error {
	return fmt.Errorf("rloo: %s times rewards of group %d: the sum overflows", field, group)
}

// leaveOneOutWeighted subtracts from each reward the weighted mean of the others, given
// what weightedSums returns.
func leaveOneOutWeighted(dst, r, w []float64, sum, total float64) {
	top := 0
	for j, x := range w {
		if x > w[top] {
			top = j
		}
	}
	// The others of the heaviest are added up anew: taken from the totals, they may cancel.
	// No other weight is more than half of the total.
	first, mean := centre(r)
	var topSum, topTotal float64
	for j, v := range r {
		if j != top {
			topSum += w[j] * (v - first)
			topTotal += w[j]
		}
	}
	k := float64(len(r))
	for j, v := range r {
		s, t := sum-w[j]*(v-first), total-w[j]
		if j == top {
			s, t = topSum, topTotal
		}
		switch {
		case t > 0:
			dst[j] = v - first - s/t
		case k > 1:
			dst[j] = (v - first - mean) * (k / (k - 1))
		default:
			dst[j] = 0
		}
	}
}

func checkWeights(field string, w []float64, at int) error {
	for i, x := range w {
		if !(x >= 0) || !isFinite(x) {
			return fmt.Errorf("rloo: %s[%d] = %v, must be finite and not negative", field, at+i, x)
		}
	}
	return nil
}
