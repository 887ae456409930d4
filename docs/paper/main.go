// Command paper runs the counterparts of the paper's experiments and writes what came out into
// docs/paper.md: tables between the marks in the text, plots beside this program. From the root
// of the repository:
//
//	go run ./docs/paper
//	go run ./docs/paper -data FILE   # real preferences too: JSONL or JSONL.gz
//
// The tables that need -data stay as they are without it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

const page = "docs/paper.md"

func main() {
	data := flag.String("data", "", "preference `file` for the experiment on text")
	seeds := flag.Int("text-seeds", 3, "with -data: `number` of seeds")
	keep := flag.String("keep", "", "`dir` for what the programs give; what is there already is not run again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := write(ctx, *keep, jobs(*data, *seeds))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "paper:", err)
		os.Exit(1)
	}
}

// job is one run of a program and what becomes of it.
type job struct {
	name    string
	machine string // the block that says where it ran
	args    []string
	blocks  func(output []byte) (map[string]string, error)
	plots   map[string]string // file of the program → file here
}

// jobs lists the runs.
func jobs(data string, textSeeds int) []job {
	out := []job{
		{"extrapolation", "machine", []string{"./examples/extrapolation"}, extrapolationBlocks, map[string]string{
			"extrapolation-linear-dpo.svg":         "linear-dpo.svg",
			"extrapolation-linear-online-rlhf.svg": "linear-online-rlhf.svg",
			"extrapolation-random-dpo.svg":         "random-dpo.svg",
			"extrapolation-random-online-rlhf.svg": "random-online-rlhf.svg",
			"extrapolation-tabular.svg":            "tabular.svg",
			"extrapolation-odds.svg":               "odds.svg",
			"extrapolation-counterexample.svg":     "counterexample.svg",
		}},
		{"gap", "machine", []string{"./examples/hypo", "-seeds", "20"}, gapBlocks, map[string]string{"kl.svg": "kl.svg", "winrate.svg": "winrate.svg"}},
		{"frontier", "machine", []string{"./examples/hypo", "-seeds", "5", "-frontier"}, frontierBlocks, map[string]string{"frontier.svg": "frontier.svg"}},
	}
	if data == "" {
		return out
	}
	for _, size := range []string{"small", "large"} {
		out = append(out, job{
			"text-" + size, "machine-text", []string{"./examples/hypo", "-data", data, "-skip-bad", "-size", size, "-seeds", fmt.Sprint(textSeeds)},
			textBlocks(size), map[string]string{"kl.svg": "text-" + size + "-kl.svg"},
		})
	}
	return out
}

// write runs everything and only then changes the document.
func write(ctx context.Context, keep string, jobs []job) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("%w: run this from the root of the repository", err)
	}
	if keep == "" {
		if keep, err = os.MkdirTemp("", "paper"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(keep) }()
	}
	machines, plots := map[string]string{}, map[string]string{}
	for _, j := range jobs {
		dir := filepath.Join(keep, j.name)
		output, err := j.run(ctx, dir)
		if err != nil {
			return err
		}
		blocks, err := j.blocks(output)
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		for name, block := range blocks {
			if text, err = replace(text, name, block); err != nil {
				return err
			}
		}
		for there, here := range j.plots {
			plots[filepath.Join("docs", "paper", here)] = filepath.Join(dir, there)
		}
		machines[j.machine] += "- `go run " + shown(j.args) + "`\n"
	}
	for name, commands := range machines {
		if text, err = replace(text, name, processor()+"\n\n"+commands); err != nil {
			return err
		}
	}
	for here, there := range plots {
		b, err := os.ReadFile(there)
		if err != nil {
			return err
		}
		if err := os.WriteFile(here, b, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(page, text, 0o644)
}

// run runs the program and returns the JSON that it prints, which it leaves in dir with the
// plots; or what is there already.
func (j job) run(ctx context.Context, dir string) ([]byte, error) {
	path := filepath.Join(dir, "result.json")
	if b, err := os.ReadFile(path); err == nil {
		return b, nil
	}
	args := append([]string{"run"}, j.args...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-json", "-out", dir)...)
	cmd.Stderr = os.Stderr
	fmt.Fprintln(os.Stderr, "go", strings.Join(args, " "))
	b, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.name, err)
	}
	return b, os.WriteFile(path, b, 0o644)
}

// shown is a command line without the reader's own path.
func shown(args []string) string {
	out := append([]string(nil), args...)
	for i, a := range out {
		if a == "-data" {
			out[i+1] = "FILE"
		}
	}
	return strings.Join(out, " ")
}

// processor says what everything ran on.
func processor() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s, %s/%s.", model, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// replace puts a block between its marks.
func replace(text []byte, name, block string) ([]byte, error) {
	begin, end := []byte("<!-- begin "+name+" -->\n"), []byte("<!-- end "+name+" -->\n")
	head, rest, ok := bytes.Cut(text, begin)
	if !ok || bytes.Contains(rest, begin) {
		return nil, fmt.Errorf("%s has not exactly one mark %q", page, begin)
	}
	_, tail, ok := bytes.Cut(rest, end)
	if !ok || bytes.Contains(tail, end) {
		return nil, fmt.Errorf("%s has not exactly one mark %q after %q", page, end, begin)
	}
	return bytes.Join([][]byte{head, begin, []byte("\n" + strings.TrimSpace(block) + "\n\n"), end, tail}, nil), nil
}

// decode reads the one object that a program printed.
func decode[T any](output []byte) (*T, error) {
	v := new(T)
	return v, json.Unmarshal(output, v)
}
