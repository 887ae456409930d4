package disk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/prefgrad/prefgrad/policy/served"
	"github.com/prefgrad/prefgrad/policy/served/disk"
)

func open(t *testing.T, path string) *disk.Cache {
	t.Helper()
	c, err := disk.Open(path)
	require.NoError(t, err)
	return c
}

func TestSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	c := open(t, path)
	fp, err := c.Fingerprint()
	require.NoError(t, err)
	assert.Nil(t, fp, "a new cache has none")
	require.NoError(t, c.SetFingerprint([]byte("model")))
	require.NoError(t, c.Put([]byte("key"), []byte("value")))
	require.NoError(t, c.Close())

	c = open(t, path)
	defer c.Close()
	fp, err = c.Fingerprint()
	require.NoError(t, err)
	assert.Equal(t, "model", string(fp))
	v, err := c.Get([]byte("key"))
	require.NoError(t, err)
	assert.Equal(t, "value", string(v))
	v, err = c.Get([]byte("fingerprint"))
	require.NoError(t, err)
	assert.Nil(t, v, "keys do not reach what else is in the file")
	n, err := c.Len()
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}

func TestManyAtOnce(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "scores"))
	defer c.Close()
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 20 {
				key := []byte(fmt.Sprint(g, ".", i))
				assert.NoError(t, c.Put(key, key))
				v, err := c.Get(key)
				assert.NoError(t, err)
				assert.Equal(t, key, v)
			}
		})
	}
	wait.Wait()
	n, err := c.Len()
	require.NoError(t, err)
	assert.Equal(t, 160, n)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a store ", 1000)), 0o600))
	foreign := filepath.Join(dir, "foreign")
	db, err := bbolt.Open(foreign, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("somebody's"))
		return err
	}))
	require.NoError(t, db.Close())
	used := filepath.Join(dir, "used")
	defer open(t, used).Close()
	for path, says := range map[string]string{
		text:                        "invalid",
		foreign:                     "somebody's",
		used:                        "timeout",
		filepath.Join(dir, "a/b/c"): "no such file",
	} {
		_, err := disk.Open(path)
		assert.ErrorContains(t, err, says, path)
		assert.ErrorContains(t, err, path)
	}
}

// pair is the smallest server: the reply 7 has log-probability −ln 2 and 8 has −ln 4, after
// any prompt. It stops working after so many requests.
type pair struct {
	requests, most atomic.Int64
}

func (p *pair) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/v1/completions" && p.requests.Add(1) > p.most.Load() {
		return nil, errors.New("the network is gone")
	}
	out := `{"version":"0","data":[{"id":"pair"}]}`
	if r.URL.Path == "/v1/completions" {
		var in struct{ Prompt []int32 }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		all := slices.Repeat([]string{`{"7":{"logprob":-0.6931471805599453},"8":{"logprob":-1.3862943611198906}}`}, len(in.Prompt))
		all[0] = "null"
		out = fmt.Sprintf(`{"choices":[{"prompt_logprobs":[%s]}]}`, strings.Join(all, ","))
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(out)), Header: http.Header{}, Request: r}, nil
}

// TestResume: a run that broke off goes on where it stopped, in another process's place.
func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	server := &pair{}
	const n = 40
	xs, ys := make([][]int32, n), make([][]int32, n)
	for i := range xs {
		xs[i], ys[i] = []int32{int32(i)}, []int32{7, 8}
	}
	run := func(most int64) ([]float64, error) {
		server.requests.Store(0)
		server.most.Store(most)
		c := open(t, path)
		defer c.Close()
		m, err := served.Open(context.Background(), served.Config{
			URL: "http://localhost", Protocol: served.VLLM, SkipProbe: true, Transport: server, Attempts: 1, Cache: c,
		})
		require.NoError(t, err)
		dst := make([]float64, n)
		return dst, served.IDs{Model: m}.LogProbs(context.Background(), dst, xs, ys)
	}
	_, err := run(25)
	require.ErrorContains(t, err, "the network is gone")
	dst, err := run(n - 25)
	require.NoError(t, err, "15 requests are enough")
	for _, v := range dst {
		assert.InDelta(t, -2.0794415416798357, v, 1e-12)
	}
	_, err = run(0)
	assert.NoError(t, err, "and then none")
}
