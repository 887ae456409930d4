package loss

import (
	"math"
	"sync"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Rankings is a batch of rankings of K ≥ 2 replies to one prompt each, best first: ranking i is
// elements Begin[i] … Begin[i+1]−1 of the other slices. K may differ.
type Rankings struct {
	LogProb []float64 // log π(y|x)
	Ref     []float64 // log π_ref(y|x)
	Begin   []int     // number of rankings + 1 offsets, Begin[0] = 0
}

// RankingsOut receives what an objective makes of rankings; slices may be nil where not
// wanted.
type RankingsOut struct {
	Loss    []float64 // the loss of each ranking
	LogProb []float64 // ∂L/∂log π(y), L = Σ Loss, no log-probability; of scores, ∂L/∂score
	Reward  []float64 // the implicit reward of each reply, or its score
}

// scores is a workspace of any size.
type scores struct{ s, ds []float64 }

var scoresPool = sync.Pool{New: func() any { return new(scores) }}

// check panics unless begin splits n replies into rankings of at least two.
func (o RankingsOut) check(begin []int, n int) {
	sized(n, o.LogProb, o.Reward)
	if len(begin) == 0 && n == 0 {
		sized(0, o.Loss)
		return
	}
	if len(begin) == 0 || begin[0] != 0 || begin[len(begin)-1] != n {
		panic("loss: Begin does not span the batch")
	}
	sized(len(begin)-1, o.Loss)
	for i, lo := range begin[:len(begin)-1] {
		if begin[i+1]-lo < 2 {
			panic("loss: a ranking of fewer than two replies")
		}
	}
}

// plackettLuce stores the derivatives with respect to the scores s of one ranking, best
// first, in d, which may be s itself, and returns the negative log-likelihood of its first top
// choices. Where it is NaN, at is the first of two choices whose scores have no difference.
//
// With xₖ = log Σ_{j>k} e^{sⱼ} − sₖ the k-th choice costs softplus(xₖ), and reply k is passed
// over there with probability qₖ = σ(xₖ) in favour of later ones. A derivative is
//
//	∂L/∂sᵢ = (1−qᵢ)·Cᵢ − qᵢ·1[i ≤ top],   Cᵢ = qᵢ₋₁·(Cᵢ₋₁ + 1[i−1 ≤ top])
//
// where all products have factors in [0, 1], and Cᵢ is the sum over earlier choices of the
// probability that the choice falls on i or later.
func plackettLuce(d, s []float64, top int) (value float64, at int) {
	base := math.Inf(-1) // what all have in common would only round
	for _, v := range s {
		if isFinite(v) {
			base = max(base, v)
		}
	}
	if !isFinite(base) {
		base = 0
	}
	last := len(s) - 1
	rest := s[last] - base // log Σ_{j>k} e^{sⱼ}
	for k := last - 1; k >= 0; k-- {
		own := s[k] - base
		x := rest - own
		if x != x && k >= top && own < 0 {
			x = 0 // neither can be chosen, and which of two that cannot be does not matter
		}
		if x != x {
			return x, k
		}
		if k < top {
			value += num.Softplus(x)
		}
		rest = num.LogAddExp(own, rest)
		d[k] = x
	}
	passed := 0.0 // C of reply k
	for k := range last {
		x := d[k]
		q := num.Sigmoid(x)
		d[k] = num.Sigmoid(-x) * passed
		if k < top {
			d[k] -= q
			passed++
		}
		passed *= q
	}
	d[last] = passed
	return value, 0
}
