package parquet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
	"github.com/stretchr/testify/require"
)

// words returns about n bytes of text.
func words(rng *rand.Rand, n int) string {
	list := []string{"the", "answer", "is", "that", "nobody", "really", "knows", "\n\n", `"so"`, "it’s", "a", "matter", "of", "taste."}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(list[rng.IntN(len(list))] + " ")
	}
	return strings.TrimSpace(b.String())
}

const benchRows = 4000

// corpus returns pairs of about a kilobyte each, and how many bytes their texts have.
func corpus(isChat bool) (pairs []dataset.Pair, size int64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range benchRows {
		p, c, r := words(rng, 400), "yes "+words(rng, 300), "no "+words(rng, 300)
		size += int64(len(p) + len(c) + len(r))
		if isChat {
			pairs = append(pairs, dataset.Pair{Prompt: chat("system", "Be brief.", "user", p), Chosen: chat("assistant", c), Rejected: chat("assistant", r)})
		} else {
			pairs = append(pairs, dataset.Pair{Prompt: text(p), Chosen: text(c), Rejected: text(r), Margin: ptr(rng.Float64()), Ref: &dataset.Ref{Chosen: -rng.ExpFloat64(), Rejected: -rng.ExpFloat64()}})
		}
	}
	return pairs, size
}

// perRow reports rows per second beside the bytes of text.
func perRow(b *testing.B, size int64) {
	b.SetBytes(size)
	b.ReportAllocs()
}

func BenchmarkRead(b *testing.B) {
	for _, form := range []struct {
		name   string
		isChat bool
	}{{"plain", false}, {"chat", true}} {
		pairs, size := corpus(form.isChat)
		data := encoded(b, parquet.Writer[dataset.Pair]{RowGroup: 1000}, pairs)
		b.Run(form.name, func(b *testing.B) {
			perRow(b, size)
			for b.Loop() {
				n := 0
				for _, err := range inMemory[dataset.Pair](data) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				require.Equal(b, benchRows, n)
			}
			b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkReadLines reads the same as JSONL, to compare.
func BenchmarkReadLines(b *testing.B) {
	pairs, size := corpus(false)
	var lines bytes.Buffer
	e := dataset.NewEncoder[dataset.Pair](&lines)
	for _, p := range pairs {
		require.NoError(b, e.Encode(p))
	}
	require.NoError(b, e.Close())
	perRow(b, size)
	for b.Loop() {
		for _, err := range dataset.Read[dataset.Pair](bytes.NewReader(lines.Bytes()), "lines") {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkWrite(b *testing.B) {
	for _, form := range []struct {
		name   string
		isChat bool
	}{{"plain", false}, {"chat", true}} {
		pairs, size := corpus(form.isChat)
		b.Run(form.name, func(b *testing.B) {
			perRow(b, size)
			for b.Loop() {
				e := parquet.NewEncoder[dataset.Pair](io.Discard)
				for _, p := range pairs {
					if err := e.Encode(p); err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, e.Close())
			}
			b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
