package served

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

// quick is a model on a fake without a network and a probe.
func quick(t testing.TB, f *fake, c Config) *Model {
	t.Helper()
	c.SkipProbe, c.Protocol, c.EOS, c.URL = true, f.protocol, "</s>", "http://localhost"
	if c.Transport == nil {
		c.Transport = f
	}
	m, err := Open(context.Background(), c)
	require.NoError(t, err)
	return m
}

func TestScoreIsExact(t *testing.T) {
	for _, p := range protocols {
		for _, tc := range []struct {
			name, prompt, reply string
			end                 bool
		}{
			{"text", "the", " dog and a cat", false},
			{"with its end", "the", " dog", true},
			{"nothing but the end", "the dog", "", true},
			{"template", "<s>user\nthe</s>\n", "pick", true},
			{"split character", "the", " café", false},
			{"split character at the end", "the", "é", true},
			{"a special token's text", "a", " < s >", false},
		} {
			for _, zero := range []string{"none", "one"} {
				t.Run(fmt.Sprint(p, "/", tc.name, "/", zero), func(t *testing.T) {
					f := newFake(p)
					f.zero = zero
					m := quick(t, f, Config{})
					if e, ok := m.backend.(*echo); ok {
						e.zero = zero == "none"
					}
					y := Reply{Text: tc.reply}
					if tc.end {
						y.End = policy.FinishEOS
					}
					s, err := m.Score(context.Background(), Prompt{Text: tc.prompt}, y)
					require.NoError(t, err)
					assert.InDelta(t, f.want(tc.prompt, tc.reply, tc.end), s.LogProb, 1e-12)
					n := len(f.encode(tc.reply, false))
					if tc.end {
						n++
					}
					assert.Len(t, s.Tokens, n)
				})
			}
		}
	}
}

// TestDrawIsExact: the log-probability that comes with a draw is that of the formula, and
// scoring the draw gives it again.
func TestDrawIsExact(t *testing.T) {
	for _, p := range protocols {
		for _, listed := range []bool{false, true} {
			t.Run(fmt.Sprint(p, "/", listed), func(t *testing.T) {
				f := newFake(p)
				f.listEOS = listed
				m := quick(t, f, Config{MaxTokens: 12})
				ends := map[policy.Finish]int{}
				for seed := range uint32(80) {
					d, err := m.Draw(context.Background(), Prompt{Text: "the"}, seed)
					broken := strings.Contains(d.Reply.Text, "\uFFFD")
					if p == Echo && errors.Is(err, ErrNull) {
						continue // a broken character; TestBrokenCharacter
					}
					require.NoError(t, err)
					ends[d.Reply.End]++
					s, err := m.Score(context.Background(), Prompt{Text: "the"}, d.Reply)
					if p == Echo && (broken || errors.Is(err, ErrBoundary) || !slices.Equal(s.Tokens, d.Score.Tokens)) {
						continue // the text is cut into other tokens than it was drawn as
					}
					require.NoError(t, err)
					assert.InDelta(t, s.LogProb, d.Score.LogProb, 1e-12)
					assert.Equal(t, d.Reply.IDs, s.IDs)
				}
				assert.Greater(t, ends[policy.FinishEOS], 5)
				assert.Greater(t, ends[policy.FinishLength], 5)
			})
		}
	}
}

// TestTemperature: π is the model at the temperature, for draws and scores.
func TestTemperature(t *testing.T) {
	f := newFake(LlamaCPP)
	m := mustOpen(t, f, Config{Temperature: 0.6, MaxTokens: 8})
	for seed := range uint32(10) {
		d, err := m.Draw(context.Background(), Prompt{Text: "a"}, seed)
		require.NoError(t, err)
		last, want := f.encode("a", true)[0], 0.0
		for _, id := range d.Reply.IDs {
			want += f.logProbs(last, 0.6)[id]
			last = id
		}
		assert.InDelta(t, want, d.Score.LogProb, 1e-9)
		s, err := m.Score(context.Background(), Prompt{Text: "a"}, d.Reply)
		require.NoError(t, err)
		assert.InDelta(t, want, s.LogProb, 1e-9)
	}
	for _, p := range []Protocol{VLLM, Echo} {
		m := mustOpen(t, newFake(p), Config{Temperature: 0.6})
		_, err := m.Score(context.Background(), Prompt{Text: "a"}, Reply{Text: "b"})
		assert.ErrorIs(t, err, errors.ErrUnsupported)
		draws := policy.Draws[Reply]{Y: make([]Reply, 1)}
		require.NoError(t, m.Sample(context.Background(), draws, []Prompt{{Text: "a"}}, []uint64{1}, 1, policy.Key{}))
		draws.LogProb = make([]float64, 1)
		err = m.Sample(context.Background(), draws, []Prompt{{Text: "a"}}, []uint64{1}, 1, policy.Key{})
		assert.ErrorIs(t, err, errors.ErrUnsupported, "never the wrong number")
	}
}

func TestGrammar(t *testing.T) {
	f := newFake(LlamaCPP)
	m := quick(t, f, Config{Grammar: true})
	for _, reply := range []string{" dog over the", "é dog", "aé", "a"} {
		s, err := m.Score(context.Background(), Prompt{Text: "the"}, Reply{Text: reply, End: policy.FinishEOS})
		require.NoError(t, err)
		assert.InDelta(t, f.want("the", reply, true), s.LogProb, 1e-12, reply)
	}
	before := f.calls["/completion"]
	_, err := m.Score(context.Background(), Prompt{Text: "the"}, Reply{Text: " dog over the"})
	require.NoError(t, err)
	assert.Equal(t, 1, f.calls["/completion"]-before, "one request for three tokens")
}

func TestPolicySuite(t *testing.T) {
	for _, p := range protocols {
		f := newFake(p)
		if p == Echo { // where a text may be cut into other tokens than it was drawn as
			f.plain()
		}
		m := quick(t, f, Config{MaxTokens: 2})
		bad := []policytest.Item[Prompt, Reply]{
			{X: Prompt{Text: "the"}, Y: Reply{}},
			{X: Prompt{}, Y: Reply{Text: "a"}},
		}
		if p != Echo {
			bad = append(bad,
				policytest.Item[Prompt, Reply]{X: Prompt{Text: "the"}, Y: Reply{IDs: []int32{-1}}},
				policytest.Item[Prompt, Reply]{X: Prompt{IDs: []int32{-1}}, Y: Reply{IDs: []int32{7}}})
		}
		t.Run(p.String(), func(t *testing.T) {
			policytest.Policy(t, m, policytest.Config[Prompt, Reply]{
				X:   []Prompt{{Text: "the"}, {Text: "the"}, {Text: "a dog"}},
				Y:   []Reply{{Text: " dog"}, {Text: "q", End: policy.FinishEOS}, {Text: " over the"}},
				Bad: bad, Draws: 100, Seed: 4,
			})
		})
	}
}

// TestIDsSuite: the replies of one token are all that there are, and add up to 1.
func TestIDsSuite(t *testing.T) {
	for _, p := range []Protocol{LlamaCPP, VLLM} {
		f := newFake(p)
		m := quick(t, f, Config{MaxTokens: 1})
		all := make([][]int32, len(f.vocab))
		for id := range all {
			all[id] = []int32{int32(id)}
		}
		t.Run(p.String(), func(t *testing.T) {
			policytest.Policy(t, IDs{m}, policytest.Config[[]int32, []int32]{
				X: [][]int32{{7}, {8, 9}}, Y: [][]int32{{3, 4}, {5}},
				Bad:   []policytest.Item[[]int32, []int32]{{X: []int32{}, Y: []int32{3}}, {X: []int32{7}, Y: nil}},
				All:   func([]int32) [][]int32 { return all },
				Draws: 100, Seed: 2,
			})
		})
	}
	m := quick(t, newFake(Echo), Config{})
	err := IDs{m}.LogProbs(context.Background(), make([]float64, 1), [][]int32{{7}}, [][]int32{{8}})
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestGeneratorSuite(t *testing.T) {
	for _, p := range []Protocol{LlamaCPP, VLLM} {
		f := newFake(p)
		m := quick(t, f, Config{MaxTokens: 3})
		t.Run(p.String(), func(t *testing.T) {
			policytest.Generator(t, m, policytest.GeneratorConfig{
				Prompts: [][]int32{{7}, {8, 9}}, Vocab: len(f.vocab), MaxTokens: 3,
				EOS: func(id int32) bool { return id == 1 }, Draws: 100, Seed: 6,
			})
		})
	}
	m := quick(t, newFake(Echo), Config{})
	err := m.Generate(context.Background(), new(policy.Rollout), [][]int32{{7}}, []uint64{1}, 1, policy.Key{})
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}

// TestServerFaults: what a server gets wrong after it was probed is an error of the item,
// never a number.
func TestServerFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		on    []Protocol
		spoil func(f *fake)
		want  error
		what  string // "score", "draw"
	}{
		{"null", []Protocol{Echo}, func(f *fake) { f.nullAt = 2 }, ErrNull, "score"},
		{"null", []Protocol{VLLM}, func(f *fake) { f.nullAt = 2 }, ErrNull, "score"},
		{"null", []Protocol{LlamaCPP}, func(f *fake) { f.nullAt = 0 }, ErrNull, "score"},
		{"null", protocols, func(f *fake) { f.nullAt = 0 }, ErrNull, "draw"},
		{"duplicate", []Protocol{VLLM, Echo}, func(f *fake) { f.duplicate = true }, ErrShape, "score"},
		{"duplicate", []Protocol{VLLM, Echo}, func(f *fake) { f.duplicate = true }, ErrShape, "draw"},
		{"no echo", []Protocol{Echo}, func(f *fake) { f.ignoreEcho = true }, ErrShape, "score"},
		{"bias ignored", []Protocol{LlamaCPP}, func(f *fake) { f.bias = true }, ErrShape, "score"},
		{"chat", []Protocol{Echo, VLLM}, func(f *fake) { f.chat = true }, ErrShape, "draw"},
	} {
		for _, p := range tc.on {
			t.Run(fmt.Sprint(tc.name, "/", tc.what, "/", p), func(t *testing.T) {
				f := newFake(p)
				m := quick(t, f, Config{MaxTokens: 4})
				tc.spoil(f)
				xs := []Prompt{{Text: "a"}}
				dst := []float64{1}
				var err error
				if tc.what == "score" {
					err = m.LogProbs(context.Background(), dst, xs, []Reply{{Text: "bcd"}})
					assert.True(t, math.IsNaN(dst[0]))
				} else {
					err = m.Sample(context.Background(), policy.Draws[Reply]{Y: make([]Reply, 1), LogProb: dst}, xs, []uint64{1}, 1, policy.Key{})
				}
				var item *policy.ItemError
				require.ErrorAs(t, err, &item)
				assert.ErrorIs(t, err, tc.want)
			})
		}
	}
}

// TestBoundary: "t" and "h" become one token where they meet.
func TestBoundary(t *testing.T) {
	m := quick(t, newFake(Echo), Config{})
	_, err := m.Score(context.Background(), Prompt{Text: "a t"}, Reply{Text: "he dog"})
	assert.ErrorIs(t, err, ErrBoundary)
	f := newFake(LlamaCPP)
	s, err := quick(t, f, Config{}).Score(context.Background(), Prompt{Text: "a t"}, Reply{Text: "he dog"})
	require.NoError(t, err, "with ids the boundary is where it was put")
	assert.InDelta(t, f.want("a t", "he dog", false), s.LogProb, 1e-12)
}

func TestEOSUnknown(t *testing.T) {
	for _, p := range []Protocol{VLLM, Echo} {
		m := mustOpen(t, newFake(p), Config{SkipProbe: true, Protocol: p})
		_, err := m.Score(context.Background(), Prompt{Text: "a"}, Reply{Text: "b", End: policy.FinishEOS})
		assert.ErrorIs(t, err, ErrEOS)
	}
	_, err := open(t, newFake(LlamaCPP), Config{EOS: "no token"})
	assert.ErrorContains(t, err, "tokens, want 1")
}

func TestSentinels(t *testing.T) {
	num := func(x float64) *float64 { return &x }
	v, err := logProb(num(-9999), 0)
	require.NoError(t, err)
	assert.Equal(t, math.Inf(-1), v, "vLLM's word for impossible")
	for _, p := range []*float64{nil, num(-math.MaxFloat32), num(math.Inf(-1))} {
		_, err = logProb(p, 3)
		assert.ErrorIs(t, err, ErrNull)
		assert.ErrorContains(t, err, "token 3")
	}
	for _, p := range []*float64{num(0.5), num(math.NaN()), num(math.Inf(1))} {
		_, err = logProb(p, 3)
		assert.ErrorIs(t, err, ErrShape)
	}
}

func TestAlign(t *testing.T) {
	list := func(ids ...int32) (l []llamaProb) {
		for _, id := range ids {
			l = append(l, llamaProb{ID: &id})
		}
		return l
	}
	for name, tc := range map[string]struct {
		tokens, ids []int32
		want        []int
	}{
		"all":           {[]int32{4, 5, 4}, []int32{4, 5, 4}, []int{0, 1, 2}},
		"last missing":  {[]int32{4, 5}, []int32{4}, []int{0, -1}},
		"inner missing": {[]int32{4, 9, 5}, []int32{4, 5}, []int{0, -1, 1}},
		"ambiguous":     {[]int32{4, 9, 9, 5}, []int32{4, 9, 5}, []int{0, -1, -1, 2}},
		"other tokens":  {[]int32{4, 5}, []int32{6}, nil},
		"other order":   {[]int32{4, 5}, []int32{5, 4}, nil},
		"none":          {[]int32{4}, nil, []int{-1}},
	} {
		assert.Equal(t, tc.want, align(tc.tokens, list(tc.ids...)), name)
	}
	assert.Nil(t, align([]int32{4}, []llamaProb{{}}), "no id")
}

// TestConcurrency: never more requests at once than allowed, over several calls.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(VLLM)
		var now, most atomic.Int32
		counting := roundTrip(func(r *http.Request) (*http.Response, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Second) // until all others wait, too
			return f.RoundTrip(r)
		})
		m := quick(t, f, Config{Concurrency: 3, Transport: counting})
		xs, ys := slices.Repeat([]Prompt{{Text: "a"}}, 20), slices.Repeat([]Reply{{Text: "b"}}, 20)
		done := make(chan error)
		for range 3 {
			go func() { done <- m.LogProbs(context.Background(), make([]float64, 20), xs, ys) }()
		}
		for range 3 {
			require.NoError(t, <-done)
		}
		assert.EqualValues(t, 3, most.Load())
	})
}

// TestCancel: a call in the middle of its requests returns at once with the reason.
func TestCancel(t *testing.T) {
	stuck := make(chan struct{})
	url, _ := scripted(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stuck:
		}
	})
	defer close(stuck)
	f := newFake(VLLM)
	m := quick(t, f, Config{})
	m.client.URL, m.client.http.Transport = url, http.DefaultTransport
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := m.LogProbs(ctx, make([]float64, 9), make([]Prompt, 9), slices.Repeat([]Reply{{Text: "b"}}, 9))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(begin), 10*time.Second)
}

func TestManyItemErrors(t *testing.T) {
	m := quick(t, newFake(LlamaCPP), Config{MaxTokens: 2})
	xs := []Prompt{{Text: "a"}, {IDs: []int32{9999}}, {Text: "b"}, {IDs: []int32{}}}
	d := policy.Draws[Reply]{Y: make([]Reply, 12)}
	err := m.Sample(context.Background(), d, xs, []uint64{1, 2, 3, 4}, 3, policy.Key{})
	list, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	var got []int
	for _, err := range list.Unwrap() {
		var item *policy.ItemError
		require.ErrorAs(t, err, &item)
		assert.ErrorIs(t, item, policy.ErrPrompt)
		got = append(got, item.Index)
	}
	assert.Equal(t, []int{1, 3}, got, "one error for each prompt")
	assert.NotEmpty(t, d.Y[8].IDs, "the others are drawn")
}

func TestPanics(t *testing.T) {
	m := &Model{}
	ctx := context.Background()
	assert.PanicsWithValue(t, badLength, func() { _ = m.LogProbs(ctx, nil, make([]Prompt, 1), nil) })
	assert.PanicsWithValue(t, badLength, func() { _ = m.Sample(ctx, policy.Draws[Reply]{}, make([]Prompt, 1), nil, 1, policy.Key{}) })
	assert.PanicsWithValue(t, badDraws, func() { _ = m.Sample(ctx, policy.Draws[Reply]{}, nil, nil, 0, policy.Key{}) })
	assert.PanicsWithValue(t, badDraws, func() { _ = m.Generate(ctx, nil, nil, nil, 0, policy.Key{}) })
}
