package loss

import "math"

// Layout says where the replies of a batch of token sequences lie in flat slices, with the
// meaning that policy.Tokens gives it. Sequence i is elements Begin[i] … Begin[i+1]−1 of each
// flat slice; the first Prompt[i] of them are the prompt, the rest the reply. What stands at
// prompt positions and at masked ones is never read, be it NaN; derivatives there are 0.
type Layout struct {
	Begin  []int  // number of sequences + 1 offsets, Begin[0] = 0
	Prompt []int  // prompt length of each sequence
	Mask   []bool // nil: every reply token counts; else as long as the flat slices, and false leaves one out
}

// Len returns the number of sequences.
func (l Layout) Len() int { return len(l.Prompt) }

// Reply returns the range of the flat slices that holds the reply of sequence i.
func (l Layout) Reply(i int) (lo, hi int) { return l.Begin[i] + l.Prompt[i], l.Begin[i+1] }

// Counts reports whether the reply token at position p counts.
func (l Layout) Counts(p int) bool { return l.Mask == nil || l.Mask[p] }

// Count returns the number of tokens of reply i that count.
func (l Layout) Count(i int) int {
	lo, hi := l.Reply(i)
	if l.Mask == nil {
		return hi - lo
	}
	n := 0
	for _, m := range l.Mask[lo:hi] {
		if m {
			n++
		}
	}
	return n
}

// check panics unless the layout fits flat slices of length n.
func (l Layout) check(n int) {
	sized(n, l.Mask)
	if l.Len() == 0 && len(l.Begin) == 0 && n == 0 {
		return
	}
	if len(l.Begin) != l.Len()+1 || l.Begin[0] != 0 || l.Begin[l.Len()] != n {
		panic("loss: Layout.Begin does not span the batch")
	}
	for i, p := range l.Prompt {
		if lo, hi := l.Reply(i); p < 0 || lo > hi {
			panic("loss: Layout.Begin and Layout.Prompt do not fit together")
		}
	}
}

// logProbs returns an error for the first element of v that counts and is NaN or +Inf.
func (l Layout) logProbs(field string, v []float64) error {
	for i := range l.Prompt {
		lo, hi := l.Reply(i)
		for p := lo; p < hi; p++ {
			if l.Counts(p) && !(v[p] <= math.MaxFloat64) {
				return &InputError{field, p, v[p], notLogProb}
			}
		}
	}
	return nil
}

// finite returns an error for the first element of v that counts and is NaN or infinite.
func (l Layout) finite(field string, v []float64) error {
	for i := range l.Prompt {
		lo, hi := l.Reply(i)
		for p := lo; p < hi; p++ {
			if l.Counts(p) && !isFinite(v[p]) {
				return &InputError{field, p, v[p], notFinite}
			}
		}
	}
	return nil
}
