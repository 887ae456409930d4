package dataset_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/require"
)

// words returns about n bytes of text with the occasional paragraph, quotation mark and character beyond ASCII.
func words(rng *rand.Rand, n int) string {
	list := []string{"the", "answer", "is", "that", "nobody", "really", "knows", `\n\n`, `\"so\"`, "it’s", "a", "matter", "of", "taste."}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(list[rng.IntN(len(list))] + " ")
	}
	return strings.TrimSpace(b.String())
}

// corpus returns lines of one format, each made by the function from three texts.
func corpus(format func(prompt, chosen, rejected string) string) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for range 4000 {
		fmt.Fprintln(&b, format(words(rng, 400), "yes "+words(rng, 300), "no "+words(rng, 300)))
	}
	return b.Bytes()
}

var formats = []struct {
	name string
	line func(prompt, chosen, rejected string) string
	read func(io.Reader) int
}{
	{"explicit", func(p, c, r string) string {
		return fmt.Sprintf(`{"prompt":"%s","chosen":"%s","rejected":"%s"}`, p, c, r)
	}, count[dataset.Pair]},
	{"implicit", func(p, c, r string) string {
		p = `\n\nHuman: ` + p + `\n\nAssistant: `
		return fmt.Sprintf(`{"chosen":"%s","rejected":"%s"}`, p+c, p+r)
	}, count[dataset.Pair]},
	{"reference", func(p, c, r string) string {
		return fmt.Sprintf(`{"prompt":"%s","chosen":"%s","rejected":"%s","margin":0.5,"ref_chosen_logps":-81.53,"ref_rejected_logps":-93.25}`, p, c, r)
	}, count[dataset.Pair]},
	{"conversation", func(p, c, r string) string {
		return fmt.Sprintf(`{"prompt":[{"role":"user","content":"%s"}],"chosen":[{"role":"assistant","content":"%s"}],"rejected":[{"role":"assistant","content":"%s"}]}`, p, c, r)
	}, count[dataset.Pair]},
	{"unpaired", func(p, c, _ string) string {
		return fmt.Sprintf(`{"prompt":"%s","completion":"%s","label":true}`, p, c)
	}, count[dataset.Unpaired]},
	{"prompts", func(p, _, _ string) string { return fmt.Sprintf(`{"prompt":"%s"}`, p) }, count[dataset.PromptOnly]},
}

func count[T dataset.Record](r io.Reader) int { return tally(dataset.Read[T](r, "bench")) }

// tally returns the number of good records.
func tally[T any](records iter.Seq2[T, error]) (n int) {
	for _, err := range records {
		if err == nil {
			n++
		}
	}
	return n
}

// BenchmarkRead reports bytes of JSON per second, after decompression.
func BenchmarkRead(b *testing.B) {
	for _, f := range formats {
		data := corpus(f.line)
		for _, in := range []struct {
			name string
			data []byte
		}{{"plain", data}, {"gzip", zip(b, data)}} {
			b.Run(f.name+"/"+in.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					require.Equal(b, 4000, f.read(bytes.NewReader(in.data)))
				}
			})
		}
	}
}

func BenchmarkReadHH(b *testing.B) {
	packed, err := os.ReadFile(hhFile(b))
	require.NoError(b, err)
	data := unzip(b, packed)
	for _, in := range []struct {
		name string
		data []byte
	}{{"plain", data}, {"gzip", packed}} {
		b.Run(in.name, func(b *testing.B) {
			const times = 8 // gzip files may be concatenated too
			in := bytes.Repeat(in.data, times)
			b.SetBytes(int64(len(data) * times))
			b.ReportAllocs()
			for b.Loop() {
				require.Equal(b, 2303*times, count[dataset.Pair](bytes.NewReader(in)))
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	data := corpus(formats[0].line)
	var pairs []dataset.Pair
	for p, err := range dataset.Read[dataset.Pair](bytes.NewReader(data), "bench") {
		require.NoError(b, err)
		pairs = append(pairs, p)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		e := dataset.NewEncoder[dataset.Pair](io.Discard)
		for _, p := range pairs {
			require.NoError(b, e.Encode(p))
		}
		require.NoError(b, e.Close())
	}
}
