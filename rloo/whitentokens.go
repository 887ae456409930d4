package rloo

import (
	"fmt"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// WhitenTokens stores (v − mean v)/(std v + ε) in dst, with mean and standard deviation over
// all tokens of the batch that count, and 0 elsewhere. What is masked is not read. Equal
// numbers, and fewer than two, give exactly 0. dst may be v.
//
// It shrinks and shifts the gradient, by numbers that depend on the samples: see [Whitened].
//
// An ε that is negative or not finite, and a number that is not finite at a token that counts,
// are errors. WhitenTokens panics if dst or v does not fit l.
func WhitenTokens(dst, v []float64, l Layout, s Std) error {
	if len(dst) != len(v) {
		panic(badLength)
	}
	replies := l.check(len(v))
	if err := s.check(); err != nil {
		return err
	}
	work := pool.Get().(*scratch)
	defer pool.Put(work)
	packed := work.value[:0]
	for i := range replies {
		lo, hi := l.reply(i)
		if l.Mask == nil {
			packed = append(packed, v[lo:hi]...)
			continue
		}
		for p := lo; p < hi; p++ {
			if l.Mask[p] {
				packed = append(packed, v[p])
			}
		}
	}
	work.value = packed
	if _, _, finite := elem.Extent(packed); !finite {
		return badNumber(v, l, replies)
	}
	if err := summable("token", packed); err != nil {
		return err
	}
	s.standardise(packed, packed)
	clear(dst)
	for i := range replies {
		lo, hi := l.reply(i)
		if l.Mask == nil {
			packed = packed[copy(dst[lo:hi], packed):]
			continue
		}
		for p := lo; p < hi; p++ {
			if l.Mask[p] {
				dst[p] = packed[0]
				packed = packed[1:]
			}
		}
	}
	return nil
}

// badNumber is the error of the first token that counts and is not finite.
func badNumber(v []float64, l Layout, replies int) error {
	for i := range replies {
		lo, hi := l.reply(i)
		for p := lo; p < hi; p++ {
			if l.counts(p) && !isFinite(v[p]) {
				return fmt.Errorf("rloo: token[%d] = %v, must be finite", p, v[p])
			}
		}
	}
	return nil
}
