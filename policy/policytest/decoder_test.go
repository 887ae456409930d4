package policytest_test

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

func decoderConfig() policytest.DecoderConfig {
	return policytest.DecoderConfig{
		Prompts: [][]int32{{0, 1}, {2}, {}, {1, 1}}, Model: newBigram(1, nil),
		Tol: policytest.Tolerance{LogProb: 1e-6}, Seed: 8,
	}
}

func TestDecoder(t *testing.T) {
	policytest.Decoder(t, newBigram(1, nil), decoderConfig())
}

// decodeDefect is a decoder any method of which can be wrong.
type decodeDefect struct {
	*bigram
	open   func(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error)
	logits func(d *bigramDecode, ctx context.Context, dst []float32, rows []int) error
	append func(d *bigramDecode, ctx context.Context, rows []int, ids []int32) error
	close  func(d *bigramDecode)
}

func (d decodeDefect) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	open := d.bigram.Open
	if d.open != nil {
		open = d.open
	}
	right, err := open(ctx, prompts, k)
	if err != nil {
		return nil, err
	}
	return wrongDecode{right.(*bigramDecode), d}, nil
}

type wrongDecode struct {
	*bigramDecode
	d decodeDefect
}

func (w wrongDecode) Logits(ctx context.Context, dst []float32, rows []int) error {
	if w.d.logits != nil {
		return w.d.logits(w.bigramDecode, ctx, dst, rows)
	}
	return w.bigramDecode.Logits(ctx, dst, rows)
}

func (w wrongDecode) Append(ctx context.Context, rows []int, ids []int32) error {
	if w.d.append != nil {
		return w.d.append(w.bigramDecode, ctx, rows, ids)
	}
	return w.bigramDecode.Append(ctx, rows, ids)
}

func (w wrongDecode) Close() error {
	if w.d.close != nil {
		w.d.close(w.bigramDecode)
	}
	return nil
}

func TestBrokenDecoders(t *testing.T) {
	entry := func(name, check string, only bool, d func() decodeDefect) broken {
		return broken{name, check, only, func(t testing.TB) {
			d := d()
			d.bigram = newBigram(1, nil)
			policytest.Decoder(t, d, decoderConfig())
		}}
	}
	runBroken(t, []broken{
		entry("logits at a temperature", "DecodeModel", true, func() decodeDefect {
			return decodeDefect{logits: func(d *bigramDecode, ctx context.Context, dst []float32, rows []int) error {
				err := d.Logits(ctx, dst, rows)
				for i := range dst {
					dst[i] *= 2
				}
				return err
			}}
		}),
		entry("a logit is not written", "DecodeModel", false, func() decodeDefect {
			return decodeDefect{logits: func(d *bigramDecode, ctx context.Context, dst []float32, rows []int) error {
				err := d.Logits(ctx, dst, rows)
				dst[0] = float32(math.NaN())
				return err
			}}
		}),
		entry("copies share their tokens", "DecodeCopies", false, func() decodeDefect {
			return decodeDefect{append: func(d *bigramDecode, ctx context.Context, rows []int, ids []int32) error {
				if err := d.Append(ctx, rows, ids); err != nil {
					return err
				}
				for i := range d.seqs {
					d.seqs[i] = d.seqs[rows[0]]
				}
				return nil
			}}
		}),
		entry("rows in order of number", "DecodeRows", false, func() decodeDefect {
			return decodeDefect{logits: func(d *bigramDecode, ctx context.Context, dst []float32, rows []int) error {
				rows = slices.Clone(rows)
				slices.Sort(rows)
				return d.Logits(ctx, dst, rows)
			}}
		}),
		entry("tokens go to the sequences in order of number", "DecodeAppend", true, func() decodeDefect {
			return decodeDefect{append: func(d *bigramDecode, ctx context.Context, rows []int, ids []int32) error {
				rows = slices.Clone(rows)
				slices.Sort(rows)
				return d.Append(ctx, rows, ids)
			}}
		}),
		entry("nothing is appended", "DecodeAppend", false, func() decodeDefect {
			return decodeDefect{append: func(*bigramDecode, context.Context, []int, []int32) error { return nil }}
		}),
		entry("the second token is forgotten", "DecodeModel", false, func() decodeDefect {
			return decodeDefect{append: func(d *bigramDecode, ctx context.Context, rows []int, ids []int32) error {
				if len(rows) == 1 && len(d.seqs[rows[0]]) == 2 {
					return nil
				}
				return d.Append(ctx, rows, ids)
			}}
		}),
		entry("closing one closes all", "DecodeAgain", false, func() decodeDefect {
			closed := new(atomic.Bool)
			return decodeDefect{
				close: func(*bigramDecode) { closed.Store(true) },
				open: func(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
					closed.Store(false)
					return newBigram(1, nil).Open(ctx, prompts, k)
				},
				logits: func(d *bigramDecode, ctx context.Context, dst []float32, rows []int) error {
					err := d.Logits(ctx, dst, rows)
					if closed.Load() {
						clear(dst)
					}
					return err
				},
			}
		}),
		entry("ignores the context", "DecodeContext", true, func() decodeDefect {
			return decodeDefect{logits: func(d *bigramDecode, _ context.Context, dst []float32, rows []int) error {
				return d.Logits(context.Background(), dst, rows)
			}}
		}),
		entry("one cache for all callers", "DecodeConcurrent", false, func() decodeDefect {
			busy := new(atomic.Int32)
			return decodeDefect{logits: func(d *bigramDecode, ctx context.Context, dst []float32, rows []int) error {
				defer busy.Add(-1)
				crowd := busy.Add(1)
				time.Sleep(2 * time.Millisecond)
				err := d.Logits(ctx, dst, rows)
				if crowd > 1 {
					dst[0]++
				}
				return err
			}}
		}),
	})
}
