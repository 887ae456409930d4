package served

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const secret = "sk-do-not-tell-anyone"

// scripted answers request n by handler n, and those behind the last by the last.
func scripted(t *testing.T, handlers ...http.HandlerFunc) (string, *atomic.Int32) {
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		handlers[min(i, len(handlers)-1)](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, &n
}

// patient is a client whose waits take no time and are written down.
func patient(t *testing.T, c Config) (*client, *[]time.Duration) {
	c, err := c.withDefaults()
	require.NoError(t, err)
	cl := newClient(c)
	var waits []time.Duration
	cl.sleep = func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}
	return cl, &waits
}

func answer(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

var fine = answer(200, `{"n":7}`)

type number struct{ N int }

// TestEveryStatus: what may pass is tried again, what will not is not.
func TestEveryStatus(t *testing.T) {
	again := map[int]bool{408: true, 425: true, 429: true}
	for code := 201; code < 600; code++ {
		if code >= 300 && code < 400 { // TestRedirect
			continue
		}
		want := int32(1)
		if again[code] || code >= 500 && code != 501 && code != 505 {
			want = 2
		}
		url, n := scripted(t, answer(code, `{"error":{"message":"told so"}}`), fine)
		c, _ := patient(t, Config{URL: url})
		var out number
		err := c.get(context.Background(), "/x", &out)
		assert.Equal(t, want, n.Load(), "requests after status %d", code)
		if want == 2 {
			assert.NoError(t, err, code)
			assert.Equal(t, 7, out.N)
			continue
		}
		var status *StatusError
		require.ErrorAs(t, err, &status, code)
		assert.Equal(t, code, status.Code)
	}
}

func TestMessages(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"told so"}}`:        "told so",
		`{"error":"told so"}`:                    "told so",
		`{"detail":"told so"}`:                   "told so",
		`{"message":"told so"}`:                  "told so",
		`{"detail":[{"loc":1}]}`:                 `[{"loc":1}]`,
		"Internal\n  Server Error":               "Internal Server Error",
		``:                                       "",
		strings.Repeat("a", 400):                 strings.Repeat("a", 300) + "…",
		strings.Repeat("é", 200):                 strings.Repeat("é", 150) + "…",
		`{"error":{"message":"` + secret + `"}}`: "[key]",
		strings.Repeat("a", 290) + secret:        strings.Repeat("a", 290) + "[key]",
	} {
		assert.Equal(t, want, message([]byte(body), secret))
	}
}

// TestBrokenAnswers: what is cut or garbled on the way is asked for again.
func TestBrokenAnswers(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"n":`)
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	for name, broken := range map[string]http.HandlerFunc{
		"cut":   cut,
		"reset": reset,
		"html":  answer(200, "<html>"),
		"empty": answer(200, ""),
		"half":  answer(200, `{"n":7`),
	} {
		url, n := scripted(t, broken, fine)
		c, waits := patient(t, Config{URL: url})
		var out number
		require.NoError(t, c.post(context.Background(), "/x", number{}, &out), name)
		assert.Equal(t, 7, out.N, name)
		assert.EqualValues(t, 2, n.Load(), name)
		assert.Len(t, *waits, 1, name)
	}
}

// TestSlowAnswer: an attempt that takes longer than Config.Timeout is made again.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		slow := roundTrip(func(r *http.Request) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader(`{"n":`), stalled{r.Context()})
			if n++; n == 2 {
				body = strings.NewReader(`{"n":7}`)
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
		})
		c, waits := patient(t, Config{URL: "http://localhost", Timeout: time.Minute, Transport: slow})
		begin := time.Now()
		var out number
		require.NoError(t, c.post(context.Background(), "/x", number{}, &out))
		assert.Equal(t, 7, out.N)
		assert.Equal(t, 2, n)
		assert.Len(t, *waits, 1)
		assert.Equal(t, time.Minute, time.Since(begin))
	})
}

// stalled is a body that never comes.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestWrongShapeIsFinal(t *testing.T) {
	for _, body := range []string{`[]`, `{"n":"seven"}`, `"n"`, `{"n":7.5}`} {
		url, n := scripted(t, answer(200, body))
		c, _ := patient(t, Config{URL: url})
		err := c.get(context.Background(), "/x", new(number))
		assert.ErrorIs(t, err, ErrShape, body)
		assert.EqualValues(t, 1, n.Load(), body)
	}
}

func TestAttemptsAndBackoff(t *testing.T) {
	url, n := scripted(t, answer(503, "busy"))
	c, waits := patient(t, Config{URL: url, Attempts: 5, Backoff: time.Second, MaxWait: 5 * time.Second})
	err := c.get(context.Background(), "/x", new(number))
	assert.ErrorContains(t, err, "attempt 5 of 5: status 503 Service Unavailable: busy")
	assert.EqualValues(t, 5, n.Load())
	require.Len(t, *waits, 4)
	for i, full := range []time.Duration{1, 2, 4, 5} {
		full *= time.Second
		assert.LessOrEqual(t, (*waits)[i], full, i)
		assert.Greater(t, (*waits)[i], full/2, i)
	}
	other, more := patient(t, Config{URL: url, Attempts: 2, Backoff: time.Second})
	_ = other.get(context.Background(), "/x", new(number))
	assert.NotEqual(t, (*waits)[0], (*more)[0], "two clients do not wait in step")
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"7":    7 * time.Second,
		"0":    0,
		"-3":   0,
		"":     0,
		"soon": 0,
		now.Add(9 * time.Second).Format(http.TimeFormat):  9 * time.Second,
		now.Add(-9 * time.Second).Format(http.TimeFormat): 0,
		"99999999999": 1 << 30 * time.Second,
	} {
		if header == "99999999999" && retryAfter(header, now) == 0 {
			continue // more than an int holds on this machine
		}
		assert.Equal(t, want, retryAfter(header, now), header)
	}
	url, _ := scripted(t, answer(429, "", "Retry-After", "7"), fine)
	c, waits := patient(t, Config{URL: url})
	require.NoError(t, c.get(context.Background(), "/x", new(number)))
	assert.Equal(t, []time.Duration{7 * time.Second}, *waits)

	url, n := scripted(t, answer(429, "", "Retry-After", "3600"), fine)
	c, _ = patient(t, Config{URL: url, MaxWait: time.Minute})
	assert.ErrorContains(t, c.get(context.Background(), "/x", new(number)), "asks to wait 1h0m0s")
	assert.EqualValues(t, 1, n.Load())
}

func TestDeadlineBeforeRetry(t *testing.T) {
	url, n := scripted(t, answer(429, "full", "Retry-After", "30"), fine)
	c, waits := patient(t, Config{URL: url})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.get(ctx, "/x", new(number))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "full", "the reason is told")
	assert.EqualValues(t, 1, n.Load())
	assert.Empty(t, *waits, "waiting would be in vain")
}

func TestCancelWhileWaiting(t *testing.T) {
	url, _ := scripted(t, answer(503, ""))
	c, _ := patient(t, Config{URL: url, Backoff: time.Hour, MaxWait: time.Hour})
	c.sleep = sleep
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	assert.ErrorIs(t, c.get(ctx, "/x", new(number)), context.Canceled)
}

func TestMaxResponse(t *testing.T) {
	url, n := scripted(t, answer(200, `{"n":7,"text":"`+strings.Repeat("a", 1000)+`"}`))
	c, _ := patient(t, Config{URL: url, MaxResponse: 1000})
	assert.ErrorIs(t, c.get(context.Background(), "/x", new(number)), ErrTooLarge)
	assert.EqualValues(t, 1, n.Load())
	c, _ = patient(t, Config{URL: url, MaxResponse: 2000})
	assert.NoError(t, c.get(context.Background(), "/x", new(number)))
}

// TestRedirect: text and key go nowhere else.
func TestRedirect(t *testing.T) {
	other, n := scripted(t, fine)
	for code := 301; code < 309; code++ {
		if code > 303 && code < 307 {
			continue
		}
		url, _ := scripted(t, answer(code, "", "Location", other))
		c, _ := patient(t, Config{URL: url, Key: func() (string, error) { return secret, nil }})
		err := c.post(context.Background(), "/x", number{}, new(number))
		assert.ErrorContains(t, err, "redirects", code)
	}
	assert.Zero(t, n.Load())
}

// TestKeyStaysSecret: the key reaches the server, and no error, whatever the server does
// with it.
func TestKeyStaysSecret(t *testing.T) {
	t.Setenv("SERVED_TEST_KEY", secret)
	seen := ""
	echoing := func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Authorization")
		w.WriteHeader(401)
		fmt.Fprintf(w, `{"error":{"message":"Incorrect API key: %s"}}`, strings.TrimPrefix(seen, "Bearer "))
	}
	failing := roundTrip(func(r *http.Request) (*http.Response, error) {
		return nil, errors.New("proxy does not like " + r.Header.Get("Authorization"))
	})
	url, _ := scripted(t, echoing)
	for name, c := range map[string]Config{
		"401":       {URL: url},
		"transport": {URL: url, Transport: failing, Attempts: 2},
	} {
		c.Key = EnvKey("SERVED_TEST_KEY")
		cl, _ := patient(t, c)
		err := cl.get(context.Background(), "/x", new(number))
		require.Error(t, err, name)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret, name)
		assert.Contains(t, err.Error(), "[key]", name)
	}
	assert.Equal(t, "Bearer "+secret, seen)

	for _, key := range []string{"", "two words", "line\nbreak", "é" + secret} {
		cl, _ := patient(t, Config{URL: url, Key: func() (string, error) { return key, nil }})
		err := cl.get(context.Background(), "/x", new(number))
		require.ErrorContains(t, err, "Config.Key")
		assert.NotContains(t, err.Error(), secret)
	}
	_, err := EnvKey("SERVED_TEST_NOTHING")()
	assert.ErrorContains(t, err, "SERVED_TEST_NOTHING is not set")
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestURL(t *testing.T) {
	for _, tc := range []struct {
		url   string
		plain bool
		want  string // "": refused
	}{
		{"http://127.0.0.1:8080", false, "http://127.0.0.1:8080"},
		{"http://127.0.0.1:8080/v1/", false, "http://127.0.0.1:8080"},
		{"http://localhost:1", false, "http://localhost:1"},
		{"http://[::1]:1/api/v1", false, "http://[::1]:1/api"},
		{"https://models.example/v1", false, "https://models.example"},
		{"http://models.example", false, ""},
		{"http://models.example", true, "http://models.example"},
		{"http://127.0.0.1.example", false, ""},
		{"http://10.0.0.1", false, ""},
		{"ftp://localhost", false, ""},
		{"localhost:8080", false, ""},
		{"", false, ""},
		{"https://me:" + secret + "@models.example", false, ""},
		{"https://models.example?key=" + secret, false, ""},
		{"https://models.example#" + secret, false, ""},
		{"https://models.example/%zz" + secret, false, ""},
	} {
		got, err := checkURL(tc.url, tc.plain)
		if tc.want == "" {
			require.ErrorContains(t, err, "Config.URL", tc.url)
			assert.NotContains(t, err.Error(), secret)
			continue
		}
		require.NoError(t, err, tc.url)
		assert.Equal(t, tc.want, got)
	}
}

func TestConfigErrors(t *testing.T) {
	for name, c := range map[string]Config{
		"Temperature": {Temperature: -1},
		"MaxTokens":   {MaxTokens: -1},
		"Concurrency": {Concurrency: -1},
		"Attempts":    {Attempts: -1},
		"Timeout":     {Timeout: -1},
		"MaxResponse": {MaxResponse: -1},
		"Tolerance":   {Tolerance: -1},
		"Protocol":    {Protocol: 9},
		"SkipProbe":   {SkipProbe: true},
	} {
		c.URL = "http://localhost"
		_, err := Open(context.Background(), c)
		assert.ErrorContains(t, err, "served: Config."+name)
	}
	_, err := ParseProtocol("smoke signals")
	assert.ErrorContains(t, err, "smoke signals")
	for p := Auto; p <= Echo; p++ {
		q, err := ParseProtocol(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, q)
	}
}

// TestConnectionsAreKept: a request for each token must not cost a connection each.
func TestConnectionsAreKept(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(fine)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	const workers = 8
	c, _ := patient(t, Config{URL: s.URL, Concurrency: workers})
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for range 20 {
				assert.NoError(t, c.get(context.Background(), "/x", new(number)))
			}
		})
	}
	wait.Wait()
	assert.LessOrEqual(t, opened.Load(), int32(2*workers), "160 requests")
}
