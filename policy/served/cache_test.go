package served

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// memory is a Cache that forgets.
type memory struct {
	mu     sync.Mutex
	fp     []byte
	m      map[string][]byte
	broken error
}

func (c *memory) Fingerprint() ([]byte, error)   { return c.fp, c.broken }
func (c *memory) SetFingerprint(fp []byte) error { c.fp = fp; return c.broken }

func (c *memory) Get(key []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[string(key)], c.broken
}

func (c *memory) Put(key, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string][]byte{}
	}
	c.m[string(key)] = value
	return c.broken
}

// TestCachePaysOnce: a run that breaks off and is started again asks only for what is missing.
func TestCachePaysOnce(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.String(), func(t *testing.T) {
			f := newFake(p).plain()
			cache := &memory{}
			left := 1 << 30
			var mu sync.Mutex
			breaking := roundTrip(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if left--; left < 0 {
					return nil, errors.New("the network is gone")
				}
				return f.RoundTrip(r)
			})
			open := func() *Model {
				return quick(t, f, Config{Cache: cache, Transport: breaking, Attempts: 1, MaxTokens: 4})
			}
			xs := []Prompt{{Text: "a"}, {Text: "b"}, {Text: "c"}, {Text: "d"}, {Text: "e"}}
			ids := []uint64{1, 2, 3, 4, 5}
			run := func(m *Model) (policy.Draws[Reply], []float64, error) {
				d := policy.Draws[Reply]{Y: make([]Reply, 10), LogProb: make([]float64, 10)}
				if err := m.Sample(context.Background(), d, xs, ids, 2, policy.Key{Seed: 1}); err != nil {
					return d, nil, err
				}
				scores := make([]float64, 5)
				return d, scores, m.LogProbs(context.Background(), scores, xs, d.Y[:5])
			}
			first := open()
			left = 9
			_, _, err := run(first)
			require.ErrorContains(t, err, "the network is gone")
			kept := len(cache.m)
			require.Greater(t, kept, 0)
			left = 1 << 30

			second := open()
			drawn, scores, err := run(second)
			require.NoError(t, err)
			assert.EqualValues(t, kept, second.CacheHits())
			assert.Len(t, cache.m, 15)

			third := open()
			before := third.Requests()
			again, rescores, err := run(third)
			require.NoError(t, err)
			assert.Equal(t, before, third.Requests(), "nothing is asked for")
			assert.EqualValues(t, 15, third.CacheHits())
			assert.Equal(t, drawn, again)
			assert.Equal(t, scores, rescores)
		})
	}
}

func TestCacheFingerprint(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(f *fake, c *Config)
		says   string // "": accepted
	}{
		{"nothing", func(*fake, *Config) {}, ""},
		{"noise", func(f *fake, _ *Config) { f.noise = 0.01 }, ""},
		{"name", func(f *fake, _ *Config) { f.name = "desk" }, `this one is "desk`},
		{"revision", func(_ *fake, c *Config) { c.Revision = "step 2" }, "step 2"},
		{"weights", func(f *fake, _ *Config) { f.temperature = 1.1 }, "log-probabilities of a fixed text differ"},
		{"vocabulary", func(f *fake, _ *Config) { f.plain() }, "tokens, and had"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Config{Cache: &memory{}, EOS: "</s>"}
			mustOpen(t, newFake(VLLM), c)
			f := newFake(VLLM)
			tc.change(f, &c)
			_, err := open(t, f, c)
			if tc.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrFingerprint)
			assert.ErrorContains(t, err, tc.says)
		})
	}
}

func TestCacheBroken(t *testing.T) {
	f := newFake(VLLM)
	cache := &memory{broken: errors.New("disk full")}
	c := Config{URL: f.start(t), Cache: cache, SkipProbe: true, Protocol: VLLM}
	_, err := Open(context.Background(), c)
	assert.ErrorIs(t, err, cache.broken)
	c.Cache = &memory{fp: []byte("{")}
	_, err = Open(context.Background(), c)
	assert.ErrorContains(t, err, "fingerprint")

	good := &memory{}
	c.Cache = good
	m, err := Open(context.Background(), c)
	require.NoError(t, err)
	good.broken = cache.broken
	_, err = m.Score(context.Background(), Prompt{Text: "a"}, Reply{Text: "b"})
	assert.ErrorIs(t, err, cache.broken)
}

// TestCacheKeys: whatever changes an answer changes its key.
func TestCacheKeys(t *testing.T) {
	model := func(change func(m *Model)) *Model {
		m := &Model{client: &client{Config: Config{Cache: &memory{}, Temperature: 1, MaxTokens: 9}}, report: Report{Protocol: VLLM}}
		if change != nil {
			change(m)
		}
		return m
	}
	m := model(nil)
	keys := map[string]string{}
	add := func(name string, key []byte) {
		if other, ok := keys[string(key)]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		keys[string(key)] = name
	}
	x, y := Prompt{Text: "ab"}, Reply{Text: "cd"}
	add("score", m.scoreKey(x, y))
	add("boundary", m.scoreKey(Prompt{Text: "abc"}, Reply{Text: "d"}))
	add("end", m.scoreKey(x, Reply{Text: "cd", End: policy.FinishEOS}))
	add("prompt ids", m.scoreKey(Prompt{IDs: []int32{1, 2}}, y))
	add("reply ids", m.scoreKey(x, Reply{IDs: []int32{1, 2}}))
	add("both ids", m.scoreKey(Prompt{IDs: []int32{1}}, Reply{IDs: []int32{2}}))
	add("temperature", model(func(m *Model) { m.client.Temperature = 0.5 }).scoreKey(x, y))
	add("protocol", model(func(m *Model) { m.report.Protocol = Echo }).scoreKey(x, y))
	add("BOS", model(func(m *Model) { m.client.BOS = "<s>" }).scoreKey(x, y))
	add("EOS", model(func(m *Model) { m.client.EOS = "<s>" }).scoreKey(x, y))
	add("draw", m.drawKey(x, 1, true))
	add("seed", m.drawKey(x, 2, true))
	add("without score", m.drawKey(x, 1, false))
	add("length", model(func(m *Model) { m.client.MaxTokens = 8 }).drawKey(x, 1, true))
	assert.Equal(t, m.scoreKey(Prompt{IDs: []int32{1}}, Reply{IDs: []int32{2}, End: policy.FinishEOS}),
		m.scoreKey(Prompt{IDs: []int32{1}, Text: "as text"}, Reply{IDs: []int32{2}, Text: "as text"}), "ids rule")
}

func TestCacheCodec(t *testing.T) {
	for _, d := range []Draw{
		{},
		{Reply: Reply{Text: "café\n", IDs: []int32{3, 4}, End: policy.FinishEOS}, Score: newScore([]float64{-0.1, math.Inf(-1)}, []int32{3, 4})},
		{Reply: Reply{Text: "x", End: policy.FinishLength}, Score: newScore([]float64{math.Nextafter(-1, 0)}, nil)},
	} {
		b, err := json.Marshal(d)
		require.NoError(t, err)
		var got Draw
		require.NoError(t, json.Unmarshal(b, &got))
		assert.Equal(t, d, got)
	}
}
