package loss

import "sync"

// Weighted is one term of an [MPO].
type Weighted struct {
	Weight float64 // finite and not negative
	Loss   Pairwise
}

// MPO is Mixed Preference Optimization, the weighted sum
//
//	Σ_k w_k·L_k
//
// of pairwise objectives on one batch (Wang et al. 2024, arXiv:2411.10442), there
// 0.8·[DPO] + 0.2·[BCOPair] + 1·[ChosenNLL] per token. Sums, derivatives and per-pair losses
// are those of the sum; implicit rewards, Correct, Ties, Clipped and Flat are those of the
// first term. A term of weight 0 is evaluated, for its errors, and adds nothing.
//
// The minimiser of the sum, where there is one, is in general that of none of the terms.
//
// What the batch must hold, and what Weight, Margin and Win of [Pairs] do, is up to the
// terms. An MPO is [Coupled] if one of them is. A value that no one changes is safe for
// concurrent use.
type MPO []Weighted

// Eval implements [Pairwise].
func (l MPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	if len(l) == 0 {
		panic("loss: MPO without terms")
	}
	n := len(b.Chosen)
	dst.sized(n)
	work := terms.Get().(*termOut)
	defer terms.Put(work)
	var t Total
	for k, term := range l {
		if term.Loss == nil {
			panic("loss: MPO with a term without Loss")
		}
		if err := nonNegative("MPO.Weight", term.Weight); err != nil {
			return Total{}, err
		}
		out := work.like(dst, n)
		if k == 0 {
			out.RewardChosen, out.RewardRejected = dst.RewardChosen, dst.RewardRejected
		}
		part, err := term.Loss.Eval(out, b)
		if err != nil {
			return Total{}, err
		}
		if k == 0 {
			t = part
			t.Sum = 0
			clear(dst.Loss)
			clear(dst.Chosen)
			clear(dst.Rejected)
			clear(dst.RefChosen)
			clear(dst.RefRejected)
		}
		t.Sum += product(term.Weight, part.Sum)
		addTimes(dst.Loss, out.Loss, term.Weight)
		addTimes(dst.Chosen, out.Chosen, term.Weight)
		addTimes(dst.Rejected, out.Rejected, term.Weight)
		addTimes(dst.RefChosen, out.RefChosen, term.Weight)
		addTimes(dst.RefRejected, out.RefRejected, term.Weight)
	}
	if t.Sum != t.Sum {
		return Total{}, b.noSum()
	}
	return t, nil
}

// Coupled implements [Coupled].
func (l MPO) Coupled() bool {
	for _, term := range l {
		if IsCoupled(term.Loss) {
			return true
		}
	}
	return false
}

// termOut holds what one term stores. It grows to the largest batch seen.
type termOut [5][]float64

var terms = sync.Pool{New: func() any { return new(termOut) }}

// like returns destinations of length n for what is wanted in dst, without rewards.
func (w *termOut) like(dst PairsOut, n int) PairsOut {
	for i := range w {
		if cap(w[i]) < n {
			w[i] = make([]float64, n)
		}
		w[i] = w[i][:n]
	}
	pick := func(want, have []float64) []float64 {
		if want == nil {
			return nil
		}
		return have
	}
	return PairsOut{
		Loss: pick(dst.Loss, w[0]), Chosen: pick(dst.Chosen, w[1]), Rejected: pick(dst.Rejected, w[2]),
		RefChosen: pick(dst.RefChosen, w[3]), RefRejected: pick(dst.RefRejected, w[4]),
	}
}

// addTimes adds a·v to dst, unless that is nil, with 0·∞ = 0.
func addTimes(dst, v []float64, a float64) {
	for i := range dst {
		dst[i] += product(a, v[i])
	}
}
