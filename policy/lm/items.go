package lm

import (
	"errors"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// list checks the batch and lists the rows of the sequences that can be scored. It
// reports whether there are others.
func (p *pass) list() (failed bool) {
	b := p.batch
	p.bad = grow(p.bad, b.Len())
	clear(p.bad)
	if b.Check(p.p.net.cfg.Vocab) != nil {
		failed = true
		for i := range p.bad {
			p.bad[i] = checkOne(b, i, p.p.net.cfg.Vocab)
		}
	}
	p.pos, p.seq, p.labels = p.pos[:0], p.seq[:0], p.labels[:0]
	for i := range p.bad {
		if p.bad[i] != nil {
			continue
		}
		lo, hi := b.Reply(i)
		for at := lo; at < hi; at++ {
			if b.Counts(at) {
				p.pos = append(p.pos, at)
				p.seq = append(p.seq, int32(i))
				p.labels = append(p.labels, b.IDs[at])
			}
		}
	}
	return failed
}

// checkOne returns what is wrong with sequence i.
func checkOne(b policy.Tokens, i, vocab int) error {
	lo, hi := b.Begin[i], b.Begin[i+1]
	one := policy.Tokens{IDs: b.IDs[lo:hi], Begin: []int{0, hi - lo}, Prompt: b.Prompt[i : i+1]}
	err := one.Check(vocab)
	var item *policy.ItemError
	if errors.As(err, &item) {
		item.Index = i
	}
	return err
}

// blame stores NaN for the sequences that could not be scored and joins their errors.
func (p *pass) blame(dst policy.TokenStats) error {
	for i, err := range p.bad {
		if err == nil {
			continue
		}
		lo, hi := p.batch.Reply(i)
		for _, f := range fields(dst) {
			for at := lo; at < hi && f != nil; at++ {
				f[at] = math.NaN()
			}
		}
	}
	return errors.Join(p.bad...)
}
