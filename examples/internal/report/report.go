package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// Report is the result of an experiment, in the form that -json prints.
type Report struct {
	Problem     string       `json:"problem"`
	Seeds       []uint64     `json:"seeds"`
	Config      any          `json:"config"`
	Methods     []Method     `json:"methods"`
	Frontier    []Frontier   `json:"frontier,omitempty"`
	Data        *Data        `json:"data,omitempty"`
	RewardModel *RewardModel `json:"reward_model,omitempty"`
}

// Method is what came out of one method, over all seeds.
type Method struct {
	Name   string  `json:"name"`
	Size   string  `json:"size,omitempty"`
	Signal string  `json:"signal,omitempty"` // what it learned from, where there is a choice
	Final  Final   `json:"final"`
	Trace  []Trace `json:"trace,omitempty"`
}

// Final holds the quantities at the end of training; what does not apply is nil.
type Final struct {
	KL                      *Stat `json:"kl,omitempty"`
	Reward                  *Stat `json:"reward,omitempty"`
	Winrate                 *Stat `json:"winrate,omitempty"`
	Garbage                 *Stat `json:"garbage,omitempty"`
	Perplexity              *Stat `json:"perplexity,omitempty"`
	Length                  *Stat `json:"length,omitempty"`
	Choice                  *Stat `json:"choice_accuracy,omitempty"`
	WinrateChosen           *Stat `json:"winrate_chosen,omitempty"`
	WinrateLengthControlled *Stat `json:"winrate_length_controlled,omitempty"`
}

// Trace holds the quantities after some number of updates.
type Trace struct {
	Step    int   `json:"step"`
	Samples int   `json:"samples,omitempty"` // responses drawn so far, where that is counted
	KL      *Stat `json:"kl,omitempty"`
	Reward  *Stat `json:"reward,omitempty"`
	Winrate *Stat `json:"winrate,omitempty"`
}

// Frontier is one point of the reward–KL frontier: a method with one setting of its
// parameter.
type Frontier struct {
	Name   string        `json:"name"`
	Beta   jsonnum.Float `json:"beta"`
	Lambda jsonnum.Float `json:"lambda"`
	KL     *Stat         `json:"kl"`
	Reward *Stat         `json:"reward"`
}

// Data says what was read.
type Data struct {
	Read    int            `json:"read"`
	Skipped int            `json:"skipped"`
	Reasons map[string]int `json:"reasons"`
}

// RewardModel says how well the learned reward predicts preferences that it has not seen.
type RewardModel struct {
	TrainPairs int           `json:"train_pairs"`
	Accuracy   jsonnum.Float `json:"heldout_accuracy"`
	Lo         jsonnum.Float `json:"lo"` // 95% interval (Wilson)
	Hi         jsonnum.Float `json:"hi"`
}

// columns are the quantities of the table in order, with their headings.
var columns = []struct {
	head string
	stat func(*Final) *Stat
}{
	{"KL(π‖π_ref)", func(f *Final) *Stat { return f.KL }},
	{"reward gained", func(f *Final) *Stat { return f.Reward }},
	{"win rate vs π_ref", func(f *Final) *Stat { return f.Winrate }},
	{"…length-controlled", func(f *Final) *Stat { return f.WinrateLengthControlled }},
	{"win rate vs chosen", func(f *Final) *Stat { return f.WinrateChosen }},
	{"length", func(f *Final) *Stat { return f.Length }},
	{"perplexity", func(f *Final) *Stat { return f.Perplexity }},
	{"choice accuracy", func(f *Final) *Stat { return f.Choice }},
	{"garbage mass", func(f *Final) *Stat { return f.Garbage }},
}

// Table writes the final quantities, a row per method. Over several seeds a cell is
// "median [min, max]  mean ± std"; of one seed it is the value, ± its standard error where
// it was sampled.
func (r *Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	var used []int
	fmt.Fprint(t, "method")
	for i, c := range columns {
		for j := range r.Methods {
			if c.stat(&r.Methods[j].Final) != nil {
				used = append(used, i)
				fmt.Fprintf(t, "\t%s", c.head)
				break
			}
		}
	}
	fmt.Fprintln(t)
	for i := range r.Methods {
		m := &r.Methods[i]
		fmt.Fprint(t, label(m.Name, m.Signal))
		for _, c := range used {
			fmt.Fprintf(t, "\t%s", columns[c].stat(&m.Final))
		}
		fmt.Fprintln(t)
	}
	if len(r.Seeds) > 1 {
		fmt.Fprintf(t, "\nOver %d seeds: median [min, max]  mean ± standard deviation.\n", len(r.Seeds))
	}
	return t.Flush()
}
