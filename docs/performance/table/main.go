// Program table puts measurements of compare.sh in docs/performance.md and draws scaling.svg.
//
//	go run ./docs/performance/table results.jsonl
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// measurement is one line of results: a case, or the versions of the peers.
type measurement struct {
	Name      string            `json:"name"`
	N         float64           `json:"n"`
	NsPerItem float64           `json:"ns_per_item"`
	Threads   int               `json:"threads"`
	Allocs    *float64          `json:"allocs"` // nil for a peer
	Scaling   bool              `json:"scaling"`
	Versions  map[string]string `json:"versions"`
}

const page, picture = "docs/performance.md", "docs/performance/scaling.svg"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: table results.jsonl")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	all, err := read(path)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text, err = replace(text, "measurements", tables(all, machine()))
	if err != nil {
		return err
	}
	if err := draw(all, picture); err != nil {
		return err
	}
	return os.WriteFile(page, text, 0o644)
}

func read(path string) ([]measurement, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []measurement
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var m measurement
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		all = append(all, m)
	}
	return all, lines.Err()
}

// replace puts what between <!-- begin name --> and <!-- end name -->.
func replace(text []byte, name, what string) ([]byte, error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return nil, fmt.Errorf("%s has no place marked %q", page, name)
	}
	return slices.Concat(before, []byte(begin+what+end), after), nil
}

// machine says what was measured on.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", model, runtime.NumCPU(), runtime.Version())
}

// tables are one of ours against the peers, on one core, and one of two threads against one.
func tables(all []measurement, machine string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on: %s.", machine)
	for _, m := range all {
		if m.Versions != nil {
			fmt.Fprintf(&b, " Peers: %s.", versions(m.Versions))
		}
	}
	ours := names(all, func(m measurement) bool { return m.Allocs != nil && m.Threads == 1 && !m.Scaling })
	b.WriteString("\n\n| case | ns per item | allocations | peers: ns per item (times as long) |\n|---|---|---|---|\n")
	for _, name := range ours {
		m := best(all, name, 1)
		fmt.Fprintf(&b, "| `%s` | %s | %v | %s |\n", name, short(m.NsPerItem), *m.Allocs, peers(all, m))
	}
	b.WriteString("\n| two threads | ns per item, one | two | efficiency |\n|---|---|---|---|\n")
	for _, name := range ours {
		one, two := best(all, name, 1), best(all, name, 2)
		if two == nil || !parallel(name) {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %.2f |\n", name, short(one.NsPerItem), short(two.NsPerItem), one.NsPerItem/two.NsPerItem/2)
	}
	return b.String()
}

// parallel says whether a case uses the threads that it is given.
func parallel(name string) bool {
	for _, prefix := range []string{"logprob/", "coverage/stats/", "loglinear/"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// names returns the names of the measurements that keep selects, once each, in their order.
func names(all []measurement, keep func(measurement) bool) []string {
	var list []string
	for _, m := range all {
		if m.Versions == nil && keep(m) && !slices.Contains(list, m.Name) {
			list = append(list, m.Name)
		}
	}
	return list
}

// best returns the fastest measurement of a case, nil if there is none.
func best(all []measurement, name string, threads int) *measurement {
	var b *measurement
	for i, m := range all {
		if m.Name == name && m.Threads == threads && !m.Scaling && (b == nil || m.NsPerItem < b.NsPerItem) {
			b = &all[i]
		}
	}
	return b
}

// peers lists the peers of a case: their names are its name with one more part, theirs.
func peers(all []measurement, ours *measurement) string {
	var list []string
	for _, name := range names(all, func(m measurement) bool { return m.Allocs == nil }) {
		parts := strings.Split(name, "/")
		for i, peer := range parts {
			if strings.Join(slices.Delete(slices.Clone(parts), i, i+1), "/") == withoutDirection(ours.Name, name) {
				m := best(all, name, 1)
				list = append(list, fmt.Sprintf("%s %s (%s×)", peer, short(m.NsPerItem), times(m.NsPerItem/ours.NsPerItem)))
			}
		}
	}
	return strings.Join(list, ", ")
}

// withoutDirection is the name of a case as a plain copy has it, which goes neither forward nor back.
func withoutDirection(ours, peer string) string {
	if strings.Contains(peer, "/copy/") {
		return strings.NewReplacer("/fwd", "", "/grad", "").Replace(ours)
	}
	return ours
}

func versions(v map[string]string) string {
	var list []string
	for name, version := range v {
		list = append(list, name+" "+version)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func short(ns float64) string {
	switch {
	case ns < 10:
		return fmt.Sprintf("%.2f", ns)
	case ns < 100:
		return fmt.Sprintf("%.1f", ns)
	}
	return fmt.Sprintf("%.0f", ns)
}

func times(ratio float64) string {
	if ratio < 10 {
		return fmt.Sprintf("%.2g", ratio)
	}
	return fmt.Sprintf("%.0f", ratio)
}
