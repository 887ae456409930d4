package train

import (
	"fmt"
	"slices"

	"github.com/prefgrad/prefgrad/loss"
)

// pairLoss evaluates a loss on pairs and reports on it. Its slices are reused.
type pairLoss struct {
	pairs loss.Pairs
	out   loss.PairsOut
}

// eval evaluates l on the pairs. A loss that is not finite is an error about the pair.
func (p *pairLoss) eval(l loss.Pairwise) (loss.Total, error) {
	n, o := len(p.pairs.Chosen), &p.out
	for _, s := range []*[]float64{&o.Loss, &o.Chosen, &o.Rejected, &o.RewardChosen, &o.RewardRejected} {
		*s = resize(*s, n)
	}
	total, err := l.Eval(p.out, p.pairs)
	if err != nil {
		return total, err
	}
	if i := slices.IndexFunc(o.Loss, notFinite); i >= 0 {
		return total, p.culprit(i)
	}
	return total, nil
}

// culprit returns the error for pair i, whose loss is not finite. It names the
// log-probability that made it so, where there is one.
func (p *pairLoss) culprit(i int) error {
	v := p.out.Loss[i]
	for _, f := range []struct {
		name string
		logp []float64
	}{{"Chosen", p.pairs.Chosen}, {"Rejected", p.pairs.Rejected}, {"RefChosen", p.pairs.RefChosen}, {"RefRejected", p.pairs.RefRejected}} {
		if f.logp != nil && notFinite(f.logp[i]) {
			return &loss.InputError{Field: f.name, Index: i, Value: f.logp[i], Reason: fmt.Sprintf("the pair's loss is %v", v)}
		}
	}
	return &loss.InputError{Field: "Loss", Index: i, Value: v, Reason: "not finite"}
}

// report reports on the pairs, under the names that TRL gives them.
func (p *pairLoss) report(total loss.Total, m *Metrics) {
	n := total.Count
	chosen, rejected := sum(p.out.RewardChosen), sum(p.out.RewardRejected)
	m.Mean("rewards/chosen", chosen, n)
	m.Mean("rewards/rejected", rejected, n)
	m.Mean("rewards/margins", chosen-rejected, n)
	m.Mean("rewards/accuracies", float64(total.Correct)+0.5*float64(total.Ties), n)
	m.Mean("logps/chosen", sum(p.pairs.Chosen), n)
	m.Mean("logps/rejected", sum(p.pairs.Rejected), n)
	if p.pairs.RefChosen != nil && p.pairs.RefRejected != nil {
		m.Mean("displacement/chosen", below(p.pairs.Chosen, p.pairs.RefChosen), n)
		m.Mean("displacement/rejected", below(p.pairs.Rejected, p.pairs.RefRejected), n)
	}
}

// below counts the i with a[i] < b[i].
func below(a, b []float64) float64 {
	n := 0.0
	for i, x := range a {
		if x < b[i] {
			n++
		}
	}
	return n
}

// checkWhole refuses micro-batches for a loss that looks at the batch as a whole.
func checkWhole[X, Y any](b *Batch[X, Y], l any, coupled bool) error {
	if coupled && b.Len() != b.Rows {
		return fmt.Errorf("train: %T looks at the whole batch and cannot be accumulated from %d of %d rows", l, b.Len(), b.Rows)
	}
	return nil
}
