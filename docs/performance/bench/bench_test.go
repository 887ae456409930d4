package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raceDetector is true in a build under it.
var raceDetector bool

// BenchmarkRows has one benchmark for each row of the table in docs/performance.md.
//
//	go test -run NONE -bench Rows/dpo ./docs/performance/bench
func BenchmarkRows(b *testing.B) {
	for _, group := range cases {
		b.Run(strings.TrimSuffix(group.prefix, "/"), func(b *testing.B) {
			all, err := group.make(options{threads: 1})
			require.NoError(b, err)
			for _, c := range all {
				_, name, _ := strings.Cut(c.name, "/")
				b.Run(name, func(b *testing.B) {
					b.SetBytes(int64(c.n * c.bytes))
					b.ReportAllocs()
					for b.Loop() {
						if err := c.call(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.n), "ns/item")
				})
			}
		})
	}
}

// Each line is an object with the fields that the peers' lines have, and the allocations; no
// numeric path allocates.
func TestJSON(t *testing.T) {
	for _, only := range []string{"dpo/B=64", "rloo/N=16384", "coverage/psis/S=10000", "coverage/stats/S=10000", "loglinear/hypo/d=64"} {
		var stdout, stderr bytes.Buffer
		require.NoError(t, run([]string{"-json", "-only", only, "-budget", "1ms"}, &stdout, &stderr))
		var line map[string]any
		first, _, _ := strings.Cut(stdout.String(), "\n") // S=10000 begins S=1000000 too
		require.NoError(t, json.Unmarshal([]byte(first), &line), first)
		assert.True(t, strings.HasPrefix(line["name"].(string), only))
		assert.Positive(t, line["n"])
		assert.Positive(t, line["ns_per_item"])
		assert.Equal(t, 1.0, line["threads"])
		if !raceDetector { // under it pools forget
			assert.Equal(t, 0.0, line["allocs"], only)
		}
		assert.Len(t, line, 5)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"-level", "mmx"}, {"-threads", "0"}, {"word"}, {"-no-such-flag"}} {
		var stdout, stderr bytes.Buffer
		assert.Error(t, run(args, &stdout, &stderr), args)
		assert.Empty(t, stdout.String())
	}
}

// What is made up is read without an error.
func TestMadeUp(t *testing.T) {
	all, err := jsonl(options{})
	require.NoError(t, err)
	assert.NoError(t, all[0].call())
}
