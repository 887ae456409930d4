package loss

import (
	"math"
	"sync"
)

// covWork is a workspace for covariances of all tokens of a batch that count. It grows to the
// largest batch seen.
type covWork struct {
	cov, order []float64
	chosen     []bool
	at         []int
}

var covs = sync.Pool{New: func() any { return new(covWork) }}

// covariances stores (A − mean A)·(log π − mean log π) of each token that counts in w.cov, the
// means being those over the batch, and its position in w.at. Advantages and log-probabilities
// must be finite.
func (w *covWork) covariances(b Rollouts) error {
	if err := b.finite("LogProb", b.LogProb); err != nil {
		return err
	}
	if err := b.finite("Advantage", b.Advantage); err != nil {
		return err
	}
	w.at = w.at[:0]
	var meanA, meanLP float64
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			if b.Counts(p) {
				w.at = append(w.at, p)
				// Running means: a sum may exceed what its terms do not.
				n := float64(len(w.at))
				meanA += b.Advantage[p]/n - meanA/n
				meanLP += b.LogProb[p]/n - meanLP/n
			}
		}
	}
	w.cov = resize(w.cov, len(w.at))
	for j, p := range w.at {
		w.cov[j] = product(b.Advantage[p]-meanA, b.LogProb[p]-meanLP)
	}
	return nil
}

// share is how many of n tokens a share of them is: rounded down, but one at least.
func share(of float64, n int) int { return min(n, max(1, int(of*float64(n)))) }

// largest marks the k tokens of largest covariance in w.chosen, the first ones of a tie.
func (w *covWork) largest(k int) {
	w.chosen = resize(w.chosen, len(w.cov))
	clear(w.chosen)
	if k == 0 {
		return
	}
	w.order = append(w.order[:0], w.cov...)
	least := nth(w.order, k-1)
	for j, c := range w.cov {
		if c > least {
			w.chosen[j] = true
			k--
		}
	}
	for j, c := range w.cov {
		if k > 0 && c == least {
			w.chosen[j] = true
			k--
		}
	}
}

func checkShare(param string, v float64) error {
	if !(v > 0 && v <= 1) {
		return &ParamError{param, v, "in (0, 1]"}
	}
	return nil
}

// sign is −1, 0 or 1.
func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// absolute adds c·|z| and its slope in z, which is 0 at z = 0, to the tokens of r that are
// marked.
func absolute(r *reply, marked []bool, c float64) {
	for j, z := range r.diff {
		if marked[r.first+j] {
			r.loss[j] += product(c, math.Abs(z))
			r.slope[j] += c * sign(z)
		}
	}
}
