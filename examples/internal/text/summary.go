package text

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/train"
)

// summarise turns the outcomes of one method on all seeds into statistics.
func summarise(name, size string, seeds []outcome) report.Method {
	stat := func(q func(*Result) coverage.Estimate) *report.Stat {
		var values, se []float64
		for _, o := range seeds {
			e := q(o.result)
			values, se = append(values, e.Value), append(se, e.SE)
		}
		return report.NewStat(values, se)
	}
	histories := make([]train.History, len(seeds))
	var ppl []float64
	for i, o := range seeds {
		histories[i] = o.history
		ppl = append(ppl, o.result.Perplexity)
	}
	return report.Method{Name: name, Size: size, Trace: report.TraceOf(histories), Final: report.Final{
		KL:                      stat(func(r *Result) coverage.Estimate { return r.KL }),
		Reward:                  stat(func(r *Result) coverage.Estimate { return r.Reward }),
		Winrate:                 stat(func(r *Result) coverage.Estimate { return r.Winrate }),
		WinrateLengthControlled: stat(func(r *Result) coverage.Estimate { return r.LengthControl }),
		WinrateChosen:           stat(func(r *Result) coverage.Estimate { return r.WinrateChosen }),
		Length:                  stat(func(r *Result) coverage.Estimate { return r.Length }),
		Choice:                  stat(func(r *Result) coverage.Estimate { return r.Choice }),
		Perplexity:              report.NewStat(ppl, nil),
	}}
}

// shownPrompts is the number of prompts whose replies are shown.
const shownPrompts = 3

// showSamples prints a reply of each method to the first test prompts, and writes them into
// the folder for output.
func (x *Experiment) showSamples(s *Setup, names []string, outcomes [][]outcome) error {
	var b strings.Builder
	for i := range min(shownPrompts, s.Test.Len()) {
		prompt := strings.TrimSpace(s.Tokenizer.Decode(s.Test.X[i]))
		fmt.Fprintf(&b, "\n…%s\n", lastLines(prompt, 3))
		for j, name := range names {
			fmt.Fprintf(&b, "  [%s] %s\n", name, strings.TrimSpace(strings.ReplaceAll(outcomes[j][0].result.Samples[i], "\n", " ")))
		}
	}
	fmt.Fprintf(x.Log, "\nSamples of the first seed:\n%s\n", b.String())
	if x.Out == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(x.Out, "samples.txt"), []byte(b.String()), 0o644)
}

// lastLines returns the last n lines that are not empty.
func lastLines(s string, n int) string {
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		if strings.TrimSpace(l) != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n  ")
}
