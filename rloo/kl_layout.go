package rloo

import (
	"fmt"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Layout says where the replies of a batch of token sequences lie in flat slices; a
// loss.Layout converts to it. Sequence i is elements Begin[i] … Begin[i+1]−1 of each flat
// slice, of which the first Prompt[i] are the prompt and the rest the reply. What stands at
// prompt positions and at masked ones is never read, be it NaN, and what is stored there is 0.
//
// The zero value is the sequence level: every element is one reply, as if of one token.
type Layout struct {
	Begin  []int  // number of sequences + 1 offsets, Begin[0] = 0; nil: one sequence for each element
	Prompt []int  // prompt length of each sequence; nil: no prompts
	Mask   []bool // nil: every reply token counts; else as long as the flat slices, and false leaves one out
}

// check panics unless l fits flat slices of length n. It returns the number of sequences.
func (l Layout) check(n int) int {
	if l.Mask != nil && len(l.Mask) != n {
		panic(badLength)
	}
	if l.Begin == nil {
		if l.Prompt != nil {
			panic(badLayout)
		}
		return n
	}
	m := len(l.Begin) - 1
	if m < 0 || l.Begin[0] != 0 || l.Begin[m] != n || l.Prompt != nil && len(l.Prompt) != m {
		panic(badLayout)
	}
	for i := range m {
		if lo, hi := l.reply(i); lo < l.Begin[i] || lo > hi {
			panic(badLayout)
		}
	}
	return m
}

const badLayout = "rloo: Layout does not fit its batch"

// reply returns the range of the flat slices that holds the reply of sequence i.
func (l Layout) reply(i int) (lo, hi int) {
	if l.Begin == nil {
		return i, i + 1
	}
	if lo = l.Begin[i]; l.Prompt != nil {
		lo += l.Prompt[i]
	}
	return lo, l.Begin[i+1]
}

// counts reports whether the reply token at position p counts.
func (l Layout) counts(p int) bool { return l.Mask == nil || l.Mask[p] }

// fill stores f(p) at the positions that count and 0 elsewhere; the first error ends it.
func (l Layout) fill(dst []float64, f func(p int) (float64, error)) error {
	from := 0
	for i := range l.check(len(dst)) {
		lo, hi := l.reply(i)
		clear(dst[from:lo])
		for p := lo; p < hi; p++ {
			if !l.counts(p) {
				dst[p] = 0
				continue
			}
			v, err := f(p)
			if err != nil {
				return err
			}
			dst[p] = v
		}
		from = hi
	}
	return nil
}

// ratios stores logp − ref at the positions that count and 0 elsewhere.
func (l Layout) ratios(dst, logp, ref []float64) error {
	if len(logp) != len(dst) || len(ref) != len(dst) {
		panic(badLength)
	}
	from, n := 0, l.check(len(dst))
	var room [chunk]float64
	if l.Begin == nil { // one reply or many are the same
		l.Begin, n = []int{0, len(dst)}, 1
	}
	for i := range n {
		lo, hi := l.reply(i)
		clear(dst[from:lo])
		from = hi
		if err := l.spanRatios(dst, logp, ref, lo, hi, &room); err != nil {
			return err
		}
	}
	return nil
}

// spanRatios is ratios for the positions lo … hi−1 of a reply.
func (l Layout) spanRatios(dst, logp, ref []float64, lo, hi int, room *[chunk]float64) error {
	for ; lo < hi; lo += chunk {
		d := room[:min(chunk, hi-lo)]
		// What is masked may be NaN and yet be read, since nothing comes of it.
		if !elem.Differences(d, logp[lo:lo+len(d)], ref[lo:lo+len(d)]) {
			for j := range d {
				if l.counts(lo + j) {
					if _, err := ratio(logp[lo+j], ref[lo+j], lo+j); err != nil {
						return err
					}
				}
			}
		}
		copy(dst[lo:], d)
		if l.Mask != nil {
			l.blank(dst, lo, lo+len(d))
		}
	}
	return nil
}

// blank stores 0 at the positions lo … hi−1 that do not count.
func (l Layout) blank(dst []float64, lo, hi int) {
	for p := lo; p < hi; p++ {
		if !l.Mask[p] {
			dst[p] = 0
		}
	}
}

// overflow is the error of a weight that is not a number any more.
func overflow(what string, p int, l float64) error {
	return fmt.Errorf("rloo: %s[%d] overflows at a log-ratio of %v", what, p, l)
}
