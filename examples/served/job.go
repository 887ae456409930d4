package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/served"
	"github.com/prefgrad/prefgrad/train"
)

// model is an endpoint that has been probed.
type model struct {
	*served.Model
	endpoint
	from string
}

// job is a run.
type job struct {
	*config
	policy, ref model
	prompts     []dataset.PromptOnly
	digest      string // of the prompt file
	journal     *journal

	begin  time.Time
	tokens atomic.Int64 // drawn and scored
	failed atomic.Int64
}

func newJob(ctx context.Context, c *config, prompts []dataset.PromptOnly, stderr io.Writer) (*job, error) {
	data, err := os.ReadFile(c.Prompts)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	j := &job{config: c, prompts: prompts, digest: hex.EncodeToString(sum[:8])}
	for _, m := range []struct {
		to   *model
		e    endpoint
		from string
	}{{&j.policy, c.Policy, "policy"}, {&j.ref, c.Ref, "ref"}} {
		fmt.Fprintf(stderr, "probing %s at %s\n", m.from, m.e.URL)
		s, err := served.Open(ctx, c.served(m.e))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.from, err)
		}
		r := s.Report()
		fmt.Fprintf(stderr, "  %s, %s, protocol %v; scores agree with draws within %.2g nats per token\n", r.Server, r.Model, r.Protocol, r.MeanNoise)
		*m.to = model{s, m.e, m.from}
	}
	return j, nil
}

// header is what a journal must have been written for. Where a server is does not matter,
// what it serves does.
func (j *job) header() any {
	c := *j.config
	c.Policy.URL, c.Ref.URL, c.Prompts = "", "", j.digest
	return struct {
		config
		PolicyName string `json:"policy_name"`
		RefName    string `json:"ref_name"`
	}{c, j.policy.Report().Name, j.ref.Report().Name}
}

// run works on the prompts that the journal does not have, several at once, and returns
// the first failure. A prompt that fails is left out.
func (j *job) run(ctx context.Context, stderr io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := train.NewProgress(stderr, "prompts", len(j.prompts))
	p.Skip(len(j.journal.done))
	var todo []int
	for row := range j.prompts {
		if _, ok := j.journal.done[row]; !ok {
			todo = append(todo, row)
		}
	}
	j.begin = time.Now()
	var next, streak atomic.Int64
	var once sync.Once
	var first error
	var wait sync.WaitGroup
	for range min(j.Concurrency, len(todo)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(todo) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				err := j.prompt(ctx, todo[i])
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					j.failed.Add(1)
					once.Do(func() { first = fmt.Errorf("%v: %w", j.prompts[todo[i]].At, err) })
					if streak.Add(1) == 10 {
						cancel(first) // nobody is there any more
					}
					continue
				}
				streak.Store(0)
				p.Add(1, func() string { return fmt.Sprintf("  %.0f tokens/s", j.rate()) })
			}
		})
	}
	wait.Wait()
	p.Done(fmt.Sprintf("%.0f tokens/s drawn and scored", j.rate()))
	return first
}

// rate is the number of tokens drawn and scored per second, by this process.
func (j *job) rate() float64 {
	return float64(j.tokens.Load()) / max(1e-9, time.Since(j.begin).Seconds())
}

// prompt draws and scores the replies to one prompt and writes them down.
func (j *job) prompt(ctx context.Context, row int) error {
	e := entry{Row: row}
	for _, side := range []struct{ by, other model }{{j.policy, j.ref}, {j.ref, j.policy}} {
		if j.From != "both" && j.From != side.by.from {
			continue
		}
		samples, err := j.draw(ctx, row, side.by, side.other)
		if err != nil {
			return err
		}
		e.Samples = append(e.Samples, samples...)
	}
	for i := range e.Samples {
		v, err := j.score(ctx, row, &e.Samples[i])
		if err != nil {
			return fmt.Errorf("scorer: %w", err)
		}
		e.Samples[i].Score = jsonnum.Float(v)
	}
	return j.journal.add(e)
}

// draw draws k replies from one model and scores them under the other.
func (j *job) draw(ctx context.Context, row int, by, other model) ([]sample, error) {
	k := j.K
	x := []served.Prompt{{Text: render(j.Template, by.System, j.prompts[row].Prompt)}}
	d := policy.Draws[served.Reply]{Y: make([]served.Reply, k), LogProb: make([]float64, k)}
	key := policy.Key{Seed: j.Seed}
	if by.from == "ref" {
		key.Step = 1 // other draws than the policy's
	}
	if err := by.Sample(ctx, d, x, []uint64{uint64(row)}, k, key); err != nil {
		return nil, fmt.Errorf("draws from %s: %w", by.from, err)
	}
	y := served.Prompt{Text: render(j.Template, other.System, j.prompts[row].Prompt)}
	samples := make([]sample, k)
	for i, reply := range d.Y {
		if by.Report().Name != other.Report().Name {
			reply.IDs = nil // another model, other tokens
		}
		s, err := other.Score(ctx, y, reply)
		if err != nil {
			return nil, fmt.Errorf("score under %s: %w", other.from, err)
		}
		n := len(s.Tokens)
		if ids := d.Y[i].IDs; ids != nil {
			n = len(ids)
		}
		j.tokens.Add(int64(n + len(s.Tokens)))
		logp, ref := d.LogProb[i], s.LogProb
		if by.from == "ref" {
			logp, ref = ref, logp
		}
		samples[i] = sample{
			From: by.from, Text: reply.Text, Ended: reply.End == policy.FinishEOS, Length: n,
			LogP: jsonnum.Float(logp), RefLogP: jsonnum.Float(ref),
		}
	}
	return samples, nil
}
