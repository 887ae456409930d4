package sampler

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/policy"
)

// chunkLogits bounds the logits that are asked for at a time, 16 MiB of them.
const chunkLogits = 1 << 22

// writing is the state of one Generate.
type writing struct {
	*Ancestral
	vocab   int
	streams []rand.PCG // of each sequence
	finish  []policy.Finish
	length  []int
	steps   int
	live    []int // the sequences that still grow, in ascending order
	growing []int // those of them that go on after this step, and their tokens
	next    []int32
	drawn   []Token // of all steps, one after the other, each in the order of its live sequences

	transforms []Transform
	history    [][]int32 // prompt and reply of each sequence, for transforms and Stop; nil without

	team  num.Team
	rows  []*Row // of each worker
	z     []float32
	chunk []int   // the sequences whose logits stand in z
	into  []Token // where their tokens go
	tile  func(worker, piece int) error
}

// rowError says that a sequence's logits are no distribution.
type rowError struct {
	seq, token int
	err        error
}

func (e *rowError) Error() string { return e.err.Error() }

func newWriting(a *Ancestral, prompts [][]int32, k int) *writing {
	n := len(prompts) * k
	w := &writing{
		Ancestral: a, vocab: a.Decoder.Vocab(),
		streams: make([]rand.PCG, n), finish: make([]policy.Finish, n), length: make([]int, n),
		live: make([]int, n), growing: make([]int, 0, n), next: make([]int32, 0, n),
		transforms: a.Transforms,
	}
	if a.Temperature != 1 {
		w.transforms = []Transform{Temperature(a.Temperature)}
	}
	if len(a.Transforms)+len(a.Stop) > 0 {
		w.history = make([][]int32, n)
		for i := range w.history {
			w.history[i] = slices.Clone(prompts[i/k])
		}
	}
	for i := range w.live {
		w.live[i] = i
	}
	w.z = make([]float32, min(n, max(1, chunkLogits/w.vocab))*w.vocab)
	w.tile = w.drawTile
	return w
}

// tileLogits is about the number of logits of a piece of work, a few dozen microseconds.
const tileLogits = 1 << 13

// rowsPerTile returns how many sequences make a piece of work.
func (w *writing) rowsPerTile() int { return max(1, tileLogits/w.vocab) }

// step writes one token of every live sequence.
func (w *writing) step(ctx context.Context, d policy.Decode) error {
	begin, rows := len(w.drawn), len(w.z)/w.vocab
	w.drawn = append(w.drawn, make([]Token, len(w.live))...)
	for lo := 0; lo < len(w.live); lo += rows {
		hi := min(lo+rows, len(w.live))
		w.chunk, w.into = w.live[lo:hi], w.drawn[begin+lo:begin+hi]
		if err := d.Logits(ctx, w.z[:len(w.chunk)*w.vocab], w.chunk); err != nil {
			return err
		}
		tiles := (len(w.chunk) + w.rowsPerTile() - 1) / w.rowsPerTile()
		workers := w.team.Workers(tiles)
		for len(w.rows) < workers {
			w.rows = append(w.rows, new(Row))
		}
		if err := w.team.Run(ctx, workers, tiles, w.tile); err != nil {
			return err
		}
	}
	w.growing, w.next = w.growing[:0], w.next[:0]
	for r, seq := range w.live {
		w.length[seq]++
		id := w.drawn[begin+r].ID
		if w.history != nil {
			w.history[seq] = append(w.history[seq], id)
		}
		switch {
		case id == w.EOS:
			w.finish[seq] = policy.FinishEOS
		case w.stopped(seq):
			w.finish[seq] = policy.FinishStop
		case w.length[seq] == w.MaxTokens:
			w.finish[seq] = policy.FinishLength
		default:
			w.growing = append(w.growing, seq)
			w.next = append(w.next, id)
		}
	}
	w.live, w.growing = w.growing, w.live
	w.steps++
	if len(w.live) == 0 {
		return nil
	}
	return d.Append(ctx, w.live, w.next)
}

// drawTile draws the tokens of some sequences of the chunk.
func (w *writing) drawTile(worker, tile int) error {
	rows := w.rowsPerTile()
	for r := tile * rows; r < min((tile+1)*rows, len(w.chunk)); r++ {
		seq := w.chunk[r]
		var history []int32
		if w.history != nil {
			history = w.history[seq]
		}
		row := w.rows[worker]
		if err := row.Set(w.z[r*w.vocab:(r+1)*w.vocab], history, w.transforms...); err != nil {
			return &rowError{seq, w.steps, err}
		}
		w.into[r] = row.Draw(&w.streams[seq])
	}
	return nil
}

// stopped reports whether the last tokens of a reply are a stop sequence.
func (w *writing) stopped(seq int) bool {
	for _, stop := range w.Stop {
		from := len(w.history[seq]) - len(stop)
		if len(stop) <= w.length[seq] && slices.Equal(w.history[seq][from:], stop) {
			return true
		}
	}
	return false
}

// store adds the replies to dst, sequence by sequence.
func (w *writing) store(dst *policy.Rollout, prompts [][]int32, k int) {
	t := &dst.Tokens
	first := t.Len()
	for seq, n := range w.length {
		prompt := prompts[seq/k]
		t.IDs = append(append(t.IDs, prompt...), make([]int32, n)...)
		t.Begin = append(t.Begin, len(t.IDs))
		t.Prompt = append(t.Prompt, len(prompt))
	}
	dst.LogProb = append(dst.LogProb, make([]float64, len(t.IDs)-len(dst.LogProb))...)
	dst.Model = append(dst.Model, make([]float64, len(t.IDs)-len(dst.Model))...)
	dst.Finish = append(dst.Finish, w.finish...)
	from := w.drawn
	for step := range w.steps {
		for seq, n := range w.length {
			if n <= step {
				continue
			}
			lo, _ := t.Reply(first + seq)
			t.IDs[lo+step], dst.LogProb[lo+step], dst.Model[lo+step] = from[0].ID, from[0].LogProb, from[0].Model
			from = from[1:]
		}
	}
}
