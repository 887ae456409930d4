package sampler_test

import (
	"context"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/policy"
)

// fake is a Decoder whose logits are a function of prompt and reply, and which writes
// down how it is called.
type fake struct {
	vocab  int
	logits func(dst []float32, prompt, reply []int32)

	opened, closed int
	asked          [][]int
	appended       [][]int

	openErr, logitsErr, appendErr, closeErr error
}

func (f *fake) Vocab() int { return f.vocab }

func (f *fake) Open(_ context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	f.opened++
	if f.openErr != nil {
		return nil, f.openErr
	}
	return &fakeDecode{fake: f, prompts: prompts, k: k, replies: make([][]int32, len(prompts)*k)}, nil
}

type fakeDecode struct {
	*fake
	prompts [][]int32
	k       int
	replies [][]int32
}

func (d *fakeDecode) Logits(_ context.Context, dst []float32, rows []int) error {
	d.asked = append(d.asked, slices.Clone(rows))
	for i, seq := range rows {
		d.logits(dst[i*d.vocab:(i+1)*d.vocab], d.prompts[seq/d.k], d.replies[seq])
	}
	return d.logitsErr
}

func (d *fakeDecode) Append(_ context.Context, rows []int, ids []int32) error {
	d.appended = append(d.appended, slices.Clone(rows))
	for i, seq := range rows {
		d.replies[seq] = append(d.replies[seq], ids[i])
	}
	return d.appendErr
}

func (d *fakeDecode) Close() error {
	d.closed++
	return d.closeErr
}

// uneven gives logits that differ for every prompt and reply; the token before the last
// is impossible after an odd number of tokens.
func uneven(dst []float32, prompt, reply []int32) {
	h := float64(len(reply))
	for _, id := range prompt {
		h = 1.7*h + float64(id)
	}
	for _, id := range reply {
		h = 1.3*h + float64(id) + 0.5
	}
	for v := range dst {
		dst[v] = float32(1.5 * math.Sin(h+2.1*float64(v)))
	}
	if len(reply)%2 == 1 {
		dst[len(dst)-2] = float32(math.Inf(-1))
	}
}

// softmax is the distribution of logits at a temperature.
func softmax(z []float32, temperature float64) []float64 {
	p, total := make([]float64, len(z)), 0.0
	for v, x := range z {
		p[v] = math.Exp(float64(x) / temperature)
		total += p[v]
	}
	for v := range p {
		p[v] /= total
	}
	return p
}

// replies calls visit with every reply of at most longest tokens that uneven can give,
// its probability at a temperature and that at 1.
func replies(vocab int, eos int32, longest int, prompt []int32, temperature float64, visit func(y []int32, mu, pi float64)) {
	var extend func(y []int32, mu, pi float64)
	extend = func(y []int32, mu, pi float64) {
		if n := len(y); n == longest || n > 0 && y[n-1] == eos {
			visit(slices.Clone(y), mu, pi)
			return
		}
		z := make([]float32, vocab)
		uneven(z, prompt, y)
		p, q := softmax(z, temperature), softmax(z, 1)
		for v := range vocab {
			extend(append(y, int32(v)), mu*p[v], pi*q[v])
		}
	}
	extend(nil, 1, 1)
}
