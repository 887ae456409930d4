package dataset_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prompts returns n lines with prompts "0", "1", …
func prompts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"prompt\":\"%d\"}\n", i)
	}
	return b.String()
}

// plainPrompts returns the prompts' texts.
func plainPrompts(records []dataset.PromptOnly) (out []string) {
	for _, r := range records {
		out = append(out, r.Prompt.Plain)
	}
	return out
}

func TestStreams(t *testing.T) {
	lines := prompts(3)
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"plain", []byte(lines)},
		{"last line without end", []byte(strings.TrimSuffix(lines, "\n"))},
		{"CRLF", []byte(strings.ReplaceAll(lines, "\n", "\r\n"))},
		{"byte order mark", []byte("\uFEFF" + lines)},
		{"blank lines", []byte("\n" + strings.ReplaceAll(lines, "\n", "\n \n\n"))},
		{"gzip", zip(t, []byte(lines))},
		{"byte order mark in gzip", zip(t, []byte("\uFEFF"+lines))},
		{"gzip of two members, cut in a line", slices.Concat(zip(t, []byte(lines[:20])), zip(t, []byte(lines[20:])))},
		{"empty gzip member between", slices.Concat(zip(t, []byte(lines[:20])), zip(t, nil), zip(t, []byte(lines[20:])))},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []io.Reader{
				bytes.NewReader(c.data), iotest.OneByteReader(bytes.NewReader(c.data)), iotest.DataErrReader(bytes.NewReader(c.data)),
			} {
				good, bad := collect(dataset.Read[dataset.PromptOnly](in, "in"))
				require.Empty(t, bad)
				assert.Equal(t, []string{"0", "1", "2"}, plainPrompts(good))
			}
		})
	}
	for _, empty := range []string{"", "\n", " \n\t\n", "\uFEFF"} {
		good, bad := read[dataset.PromptOnly](empty)
		assert.Empty(t, good)
		assert.Empty(t, bad)
	}
	_, bad := read[dataset.PromptOnly](prompts(1) + "\uFEFF" + prompts(1))
	require.Len(t, bad, 1) // a byte order mark elsewhere is no white space
	assert.ErrorIs(t, bad[0], dataset.InvalidJSON)
}

// A gzip stream cut anywhere gives the records before the cut and one error.
func TestTruncatedGzip(t *testing.T) {
	const n = 40
	packed := zip(t, []byte(prompts(n)))
	packed = slices.Concat(packed, packed) // the cut may be in the second member's header, too
	half := len(packed) / 2
	most := 0
	for cut := range packed {
		good, bad := collect(dataset.Read[dataset.PromptOnly](bytes.NewReader(packed[:cut]), "in.gz"))
		for i, text := range plainPrompts(good) {
			require.Equal(t, fmt.Sprint(i%n), text)
		}
		most = max(most, len(good))
		if cut == half {
			require.Empty(t, bad, "a whole member is a whole file")
			require.Len(t, good, n)
			continue
		}
		require.Len(t, bad, 1, cut)
		require.ErrorIs(t, bad[0], dataset.Truncated, cut)
		if len(good) > 0 && len(good) < n {
			require.ErrorContains(t, bad[0], fmt.Sprintf("in.gz:%d: ", len(good)+1))
		}
	}
	assert.Equal(t, 2*n, most, "cut behind the data, in the checksum")
}

func TestCorruptGzip(t *testing.T) {
	packed := zip(t, []byte(prompts(40)))
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"checksum", func(b []byte) []byte { b[len(b)-8] ^= 1; return b }},
		{"length", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"method", func(b []byte) []byte { b[2] = 9; return b }},
		{"block type", func(b []byte) []byte { b[10] = 0xff; return b }},
		{"text behind", func(b []byte) []byte { return append(b, "{\"prompt\":\"x\"}"...) }},
	} {
		_, bad := collect(dataset.Read[dataset.PromptOnly](bytes.NewReader(c.damage(slices.Clone(packed))), "in"))
		require.Len(t, bad, 1, c.name)
		assert.ErrorIs(t, bad[0], dataset.Corrupt, c.name)
	}
}

func TestReadFails(t *testing.T) {
	broken := errors.New("cable pulled")
	for _, cut := range []int{0, 1, 2, 20, len(prompts(2))} {
		in := io.MultiReader(strings.NewReader(prompts(2)[:cut]), iotest.ErrReader(broken))
		good, bad := collect(dataset.Read[dataset.PromptOnly](in, "in"))
		assert.Len(t, good, strings.Count(prompts(2)[:cut], "\n"), "an unfinished line is not delivered")
		require.Len(t, bad, 1)
		assert.ErrorIs(t, bad[0], dataset.ReadFailed)
		assert.ErrorIs(t, bad[0], broken)
	}
}

func TestLongLines(t *testing.T) {
	line := func(n int) string { return `{"prompt":"` + strings.Repeat("x", n-len(`{"prompt":""}`)) + `"}` }
	for _, limit := range []int{100, 128 << 10, 300_000} { // below, at and beyond the size of the buffer
		for _, over := range []int{1, 1000, 500_000} {
			in := strings.Join([]string{line(limit), line(limit + over), line(limit), line(limit + over)}, "\n")
			for _, end := range []string{"", "\n"} {
				good, bad := collect(dataset.Reader[dataset.PromptOnly]{MaxLine: limit}.Read(strings.NewReader(in+end), "in"))
				assert.Len(t, good, 2)
				require.Len(t, bad, 2)
				for i, err := range bad {
					require.ErrorIs(t, err, dataset.LineTooLong)
					assert.ErrorContains(t, err, fmt.Sprintf("in:%d: ", 2*i+2))
				}
			}
		}
	}
	require.Equal(t, 1, tally(dataset.Read[dataset.PromptOnly](strings.NewReader(line(dataset.DefaultMaxLine)), "in")))
	require.Equal(t, 0, tally(dataset.Read[dataset.PromptOnly](strings.NewReader(line(dataset.DefaultMaxLine+1)), "in")))
}

// repeat reads the same line n times and calls probe now and then.
type repeat struct {
	line  string
	n     int
	rest  string
	probe func()
}

func (r *repeat) Read(b []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		if r.n--; r.n%8_000 == 0 {
			r.probe()
		}
		r.rest = r.line
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// The heap does not grow with the file, be it of good lines, bad ones or one endless line, nor in a shuffle.
func TestConstantMemory(t *testing.T) {
	const limit = 4 << 20 // of 40 MB read
	pair := `{"prompt":"` + strings.Repeat("p", 400) + `","chosen":"` + strings.Repeat("c", 300) + `","rejected":"` + strings.Repeat("r", 300) + "\"}\n"
	for name, line := range map[string]string{"good": pair, "bad": "{" + pair, "endless": strings.TrimSuffix(pair, "\n")} {
		t.Run(name, func(t *testing.T) {
			heap := func() int64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc)
			}
			probes, before := 0, heap()
			in := &repeat{line: line, n: 40_000, probe: func() {
				probes++
				require.Less(t, heap()-before, int64(limit))
			}}
			items := 0
			for range dataset.Shuffle(dataset.Reader[dataset.Pair]{MaxLine: 64 << 10}.Read(in, "in"), 1, 100) {
				items++
			}
			assert.Equal(t, 5, probes)
			assert.Equal(t, map[string]int{"good": 40_000, "bad": 40_000, "endless": 1}[name], items)
		})
	}
}
