package dataset

import (
	"iter"
	"math"
	"math/rand/v2"
)

// InFull is the buffer for [Shuffle] that holds everything: a uniform permutation, in memory for all records.
const InFull = math.MaxInt

// Shuffle returns the records in an order drawn from the seed, the same one for each range and on every machine.
// It holds at most buffer of them: a new record takes the place of a random one in the buffer, which is delivered; so
// record i (from 0) comes at position i − buffer + 1 or later, and a buffer at least as long as the sequence, or [InFull],
// gives a uniform permutation. Errors are delivered when they come. Shuffle panics if buffer < 1, and without records.
func Shuffle[T any](records iter.Seq2[T, error], seed uint64, buffer int) iter.Seq2[T, error] {
	if buffer < 1 {
		panic("dataset: shuffle buffer must be at least 1")
	}
	if records == nil {
		panic("dataset: Shuffle without records")
	}
	return func(yield func(T, error) bool) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var held []T
		for record, err := range records {
			switch {
			case err != nil:
				if !yield(record, err) {
					return
				}
			case len(held) < buffer:
				held = append(held, record)
			default:
				i := rng.IntN(buffer)
				out := held[i]
				held[i] = record
				if !yield(out, nil) {
					return
				}
			}
		}
		rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for _, record := range held {
			if !yield(record, nil) {
				return
			}
		}
	}
}
