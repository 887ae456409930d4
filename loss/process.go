package loss

import (
	"cmp"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Steps is a batch of solutions judged step by step: solution i is elements Begin[i] …
// Begin[i+1]−1 of the other slices. A model with two classes per step has the difference of
// their logits as its Logit, and takes the derivative with opposite signs.
type Steps struct {
	Logit []float64 // log-odds that a step is good, under the reward model
	Label []float64 // whether it is: 1 or 0, or a probability between
	Begin []int     // number of solutions + 1 offsets, Begin[0] = 0
}

// StepsOut receives what [ProcessReward] makes of steps; slices may be nil where not wanted.
type StepsOut struct {
	Loss  []float64 // the loss of each solution, aggregated
	Logit []float64 // ∂ Σ Loss / ∂ Steps.Logit
}

// ProcessReward fits a process reward model by the cross-entropy of each step's verdict,
//
//	−q·log σ(z) − (1−q)·log σ(−z)
//
// with log-odds z and label q (Lightman et al. 2023, arXiv:2305.20050; with soft labels from
// rollouts Wang et al. 2023, arXiv:2312.08935), and the aggregation By over the steps of a
// solution. It is convex; z = log(q/(1−q)) is the unique minimiser for 0 < q < 1, else z
// grows for ever.
//
// TRL and OpenRLHF average over the steps of a batch: SumTokens, divided by Total.Tokens, the
// number of steps.
type ProcessReward struct {
	By Aggregation
}

// Eval evaluates a batch. In the total, Tokens counts steps and Sequences solutions. A logit
// that is not finite or a label outside [0, 1] is an [*InputError].
func (l ProcessReward) Eval(dst StepsOut, b Steps) (TokenTotal, error) {
	n := len(b.Logit)
	if len(b.Label) != n {
		panic(badLength)
	}
	sized(n, dst.Logit)
	if !spans(b.Begin, n) {
		panic("loss: Steps.Begin does not span the batch")
	}
	solutions := max(0, len(b.Begin)-1)
	sized(solutions, dst.Loss)
	if err := cmp.Or(l.By.check("ProcessReward.By"), finite("Logit", b.Logit), probabilities("Label", b.Label)); err != nil {
		return TokenTotal{}, err
	}
	t := TokenTotal{Tokens: n, Sequences: solutions}
	for i := range solutions {
		lo, hi := b.Begin[i], b.Begin[i+1]
		scale, err := l.By.scale(i, hi-lo)
		if err != nil {
			return TokenTotal{}, err
		}
		sum := 0.0
		for p := lo; p < hi; p++ {
			z, q := b.Logit[p], b.Label[p]
			sum += q*num.Softplus(-z) + (1-q)*num.Softplus(z)
			// σ(z) − q without 1 − σ: (1−q)·σ(z) − q·σ(−z).
			store(dst.Logit, p, ((1-q)*num.Sigmoid(z)-q*num.Sigmoid(-z))*scale)
		}
		t.Sum += sum * scale
		store(dst.Loss, i, sum*scale)
	}
	return t, nil
}

// spans reports whether begin splits n elements into stretches, which may be empty.
func spans(begin []int, n int) bool {
	if len(begin) == 0 {
		return n == 0
	}
	for i, lo := range begin[:len(begin)-1] {
		if begin[i+1] < lo {
			return false
		}
	}
	return begin[0] == 0 && begin[len(begin)-1] == n
}
