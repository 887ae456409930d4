package parquet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/require"
)

// FuzzRead: whatever the bytes are, reading comes to an end without a fault, every error is one of package dataset, rows
// come in order, and every record is one that could be written.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"bad-chat", "bad-plain", "bad-unpaired", "numbers-int", "implicit-null", "unpaired-v2", "plain-none-v1-dict", "plain-delta",
		"types/margin-list", "types/prompt-map", "datasets-plain-00002-of-00003"} {
		f.Add(contents(f, name+".parquet"))
	}
	f.Fuzz(readAsAny)
}

// TestFlippedBytes is the same for bytes that changed here and there, where the fuzzer rarely gets.
func TestFlippedBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"bad-chat", "bad-plain", "bad-unpaired", "numbers-small", "implicit-null", "unpaired-v2", "chat-required", "plain-none-v1-dict", "plain-delta"} {
		whole := contents(t, name+".parquet")
		for range 60 {
			data := bytes.Clone(whole)
			for range 1 + rng.IntN(4) {
				i := rng.IntN(len(data))
				if rng.IntN(3) == 0 {
					i = len(data) - 1 - rng.IntN(len(data)/8) // in the footer
				}
				data[i] = []byte{data[i] ^ 1<<rng.IntN(8), byte(rng.Uint32()), 0xff}[rng.IntN(3)]
			}
			readAsAny(t, data)
		}
	}
}

func readAsAny(t *testing.T, data []byte) {
	readAs(t, data, func(p *dataset.Pair) (dataset.Position, error) { return p.At, p.Resolve() })
	readAs(t, data, func(u *dataset.Unpaired) (dataset.Position, error) { return u.At, u.Resolve() })
	readAs(t, data, func(p *dataset.PromptOnly) (dataset.Position, error) { return p.At, p.Resolve() })
}

func readAs[T dataset.Record](t *testing.T, data []byte, check func(*T) (dataset.Position, error)) {
	line, over := 0, false
	for record, err := range inMemory[T](bytes.Clone(data)) {
		require.False(t, over, "goes on after the error of a file")
		if err == nil {
			at, err := check(&record)
			require.NoError(t, err)
			require.Equal(t, line+1, at.Line)
			line++
			continue
		}
		var e *dataset.Error
		require.True(t, errors.As(err, &e), err)
		switch {
		case e.Line == 0, e.Kind == dataset.Corrupt, e.Kind == dataset.ReadFailed:
			over = true
		default:
			require.Equal(t, line+1, e.Line)
		}
		line++
	}
}
