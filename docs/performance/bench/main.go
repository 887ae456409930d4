// Program bench measures the hot paths of the library, each on the work that a peer is measured
// on, and prints one line per case.
//
//	go run ./docs/performance/bench            a table
//	go run ./docs/performance/bench -json      one JSON object a line, to join with the peers'
//	go run ./docs/performance/bench -only dpo  the cases whose names begin so
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// benchmark is one case: call does all of the work once, on n items, of which each takes so many bytes
// of memory at least, read and written.
type benchmark struct {
	name  string
	n     int
	bytes int
	call  func() error
}

// result is a line of output. The time is that of the fastest of several calls.
type result struct {
	Name      string  `json:"name"`
	N         int     `json:"n"`
	NsPerItem float64 `json:"ns_per_item"`
	Threads   int     `json:"threads"`
	Allocs    float64 `json:"allocs"`            // of one call
	Scaling   bool    `json:"scaling,omitempty"` // measured with -scaling
}

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print one JSON object a line")
	only := flags.String("only", "", "measure the cases whose names begin with `prefix`")
	threads := flags.Int("threads", 1, "number of processors to use")
	level := flags.String("level", cpu.Best.String(), "instructions of the kernels: go, avx2 or avx512")
	scaling := flags.Bool("scaling", false, "measure over sizes from small to large instead")
	file := flags.String("data", "", "preference JSONL to read; none: made up")
	data := flags.String("write-data", "", "write made-up preference JSONL to `file` and stop")
	budget := flags.Duration("budget", time.Second, "time for each case")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *threads < 1 {
		return fmt.Errorf("usage: bench [flags], -threads at least 1")
	}
	if *data != "" {
		return os.WriteFile(*data, madeUp(), 0o644)
	}
	if err := setLevel(*level); err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(*threads))
	groups := cases
	if *scaling {
		groups = sizes
	}
	for _, group := range groups {
		if *only != "" && !strings.HasPrefix(group.prefix, *only) && !strings.HasPrefix(*only, group.prefix) {
			continue
		}
		all, err := group.make(options{threads: *threads, file: *file})
		if err != nil {
			return err
		}
		for _, b := range all {
			if !strings.HasPrefix(b.name, *only) {
				continue
			}
			r, err := b.measure(*budget)
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			r.Threads, r.Scaling = *threads, *scaling
			if err := write(stdout, r, *asJSON); err != nil {
				return err
			}
		}
	}
	return nil
}

func setLevel(name string) error {
	for _, l := range cpu.Levels() {
		if l.String() == name {
			cpu.Best = l
			return nil
		}
	}
	return fmt.Errorf("-level %s: this machine has %v", name, cpu.Levels())
}

func write(w io.Writer, r result, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintf(w, "%-28s %10d items %10.3f ns/item %6.0f allocs\n", r.Name, r.N, r.NsPerItem, r.Allocs)
		return err
	}
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(r); err != nil {
		return err
	}
	_, err := w.Write(line.Bytes())
	return err
}

// measure takes the fastest of at least seven calls.
func (b benchmark) measure(budget time.Duration) (result, error) {
	if err := b.call(); err != nil { // grows workspaces, touches memory
		return result{}, err
	}
	best := time.Duration(1<<63 - 1)
	begin := time.Now()
	for k := 0; k < 7 || time.Since(begin) < budget; k++ {
		start := time.Now()
		// A call that is short next to the clock's resolution is repeated.
		repeat := max(1, int(10*time.Microsecond/max(best, 1)))
		for range repeat {
			if err := b.call(); err != nil {
				return result{}, err
			}
		}
		best = min(best, time.Since(start)/time.Duration(repeat))
	}
	allocs := testing.AllocsPerRun(3, func() { _ = b.call() })
	return result{Name: b.name, N: b.n, NsPerItem: float64(best.Nanoseconds()) / float64(b.n), Allocs: allocs}, nil
}
