package main

import (
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// methodRow is one method of examples/hypo.
type methodRow struct {
	Name  string
	Final struct {
		KL, Reward, Winrate, Garbage *stat
		Perplexity, Length           *stat
		Choice                       *stat `json:"choice_accuracy"`
		WinrateChosen                *stat `json:"winrate_chosen"`
		WinrateLengthControlled      *stat `json:"winrate_length_controlled"`
	}
	Trace []struct {
		Step    int
		Winrate *stat
	}
}

type hypoReport struct {
	Seeds    []uint64
	Methods  []methodRow
	Frontier []struct {
		Name         string
		Beta, Lambda jsonnum.Float
		KL, Reward   *stat
	}
	RewardModel *struct {
		Accuracy jsonnum.Float `json:"heldout_accuracy"`
		Lo, Hi   jsonnum.Float
	} `json:"reward_model"`
}

func (r *hypoReport) method(name string) (*methodRow, error) {
	for i := range r.Methods {
		if r.Methods[i].Name == name {
			return &r.Methods[i], nil
		}
	}
	return nil, fmt.Errorf("no method %q", name)
}

// gapBlocks makes the table of the synthetic problem.
func gapBlocks(output []byte) (map[string]string, error) {
	r, err := decode[hypoReport](output)
	if err != nil {
		return nil, err
	}
	t := newTable("", "KL(π‖π_ref), nats", "reward gained over π_ref", "win rate against π_ref", "mass on garbage")
	for _, m := range r.Methods {
		t.row(m.Name, m.Final.KL, m.Final.Reward, m.Final.Winrate, m.Final.Garbage)
	}
	dpo, err := r.method("dpo")
	if err != nil {
		return nil, err
	}
	hypo, err := r.method("hypo")
	if err != nil {
		return nil, err
	}
	both := 0
	for i, kl := range dpo.Final.KL.Values {
		if hypo.Final.KL.Values[i] < kl && hypo.Final.Winrate.Values[i] > dpo.Final.Winrate.Values[i] {
			both++
		}
	}
	if len(dpo.Trace) == 0 {
		return nil, errors.New("no trace of dpo")
	}
	top := dpo.Trace[0]
	for _, p := range dpo.Trace {
		if p.Winrate.Median > top.Winrate.Median {
			top = p
		}
	}
	fmt.Fprintf(t, "\nHyPO ends with a lower KL and a higher win rate than DPO in %d of %d seeds. DPO's median win rate is highest after %d updates, %s.\n",
		both, len(r.Seeds), top.Step, number(top.Winrate.Median))
	return map[string]string{"gap": t.String()}, nil
}

// frontierBlocks names the best setting of each method.
func frontierBlocks(output []byte) (map[string]string, error) {
	r, err := decode[hypoReport](output)
	if err != nil {
		return nil, err
	}
	if len(r.Frontier) == 0 {
		return nil, errors.New("no frontier")
	}
	t := newTable("method", "setting with the highest median reward", "KL(π‖π_ref), nats", "reward gained over π_ref")
	for i := 0; i < len(r.Frontier); {
		best, j := r.Frontier[i], i
		for ; j < len(r.Frontier) && r.Frontier[j].Name == best.Name; j++ {
			if r.Frontier[j].Reward.Median > best.Reward.Median {
				best = r.Frontier[j]
			}
		}
		setting := fmt.Sprintf("β = %v, of %d values", float64(best.Beta), j-i)
		if best.Lambda != 0 {
			setting = fmt.Sprintf("β = %v, λ = %v, of %d values of λ", float64(best.Beta), float64(best.Lambda), j-i)
		}
		t.row(best.Name, setting, best.KL, best.Reward)
		i = j
	}
	return map[string]string{"frontier": t.String()}, nil
}

// textBlocks makes the table of the experiment on text for one size of model.
func textBlocks(size string) func(output []byte) (map[string]string, error) {
	return func(output []byte) (map[string]string, error) {
		r, err := decode[hypoReport](output)
		if err != nil {
			return nil, err
		}
		t := newTable(size, "KL(π‖π_ref), nats", "win rate against π_ref", "length-controlled", "win rate against chosen",
			"judge's score over π_ref", "length, tokens", "perplexity", "choice accuracy")
		for _, m := range r.Methods {
			f := m.Final
			t.row(m.Name, f.KL, f.Winrate, f.WinrateLengthControlled, f.WinrateChosen, f.Reward, f.Length, f.Perplexity, f.Choice)
		}
		return map[string]string{"text-" + size: t.String()}, nil
	}
}
