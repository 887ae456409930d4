package served

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// StatusError is an answer with a status other than 200.
type StatusError struct {
	Code       int
	Message    string        // what the server said, shortened, without the API key
	RetryAfter time.Duration // what the server asked for; 0 if it did not
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("status %d %s", e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// ErrTooLarge says that a response was longer than [Config.MaxResponse].
var ErrTooLarge = errors.New("response larger than Config.MaxResponse")

// errRedirect: a redirect could take texts and key to another host, or out of TLS.
var errRedirect = errors.New("the server redirects; set Config.URL to where it is")

// client sends requests, again where that can help. It is safe for concurrent use.
type client struct {
	Config
	http  http.Client
	sleep func(ctx context.Context, d time.Duration) error
	now   func() time.Time

	requests atomic.Int64 // attempts sent

	mu     sync.Mutex
	jitter *rand.Rand
}

func newClient(c Config) *client {
	var seed [16]byte
	_, _ = crand.Read(seed[:]) // never fails; processes that start together must not wait in step
	return &client{
		Config: c,
		http: http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		},
		sleep:  sleep,
		now:    time.Now,
		jitter: rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:]))),
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post sends in as JSON and decodes the answer into out.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	return c.try(ctx, c.Attempts, http.MethodPost, path, in, out)
}

// get decodes what lies at path into out.
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.try(ctx, c.Attempts, http.MethodGet, path, nil, out)
}

// try makes up to so many attempts.
func (c *client) try(ctx context.Context, attempts int, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("served: %s: %w", path, err)
		}
	}
	for n := 1; ; n++ {
		err := c.once(ctx, method, path, body, out)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case n == attempts || !transient(err):
			return fmt.Errorf("served: %s %s, attempt %d of %d: %w", method, path, n, attempts, err)
		}
		wait := c.wait(n, err)
		if wait > c.MaxWait {
			return fmt.Errorf("served: %s %s: the server asks to wait %v, Config.MaxWait is %v: %w", method, path, wait, c.MaxWait, err)
		}
		if deadline, ok := ctx.Deadline(); ok && c.now().Add(wait).After(deadline) {
			return fmt.Errorf("served: %s %s: %w before the next attempt: %w", method, path, context.DeadlineExceeded, err)
		}
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// once makes one attempt.
func (c *client) once(ctx context.Context, method, path string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	key := ""
	if c.Key != nil {
		if key, err = c.Key(); err != nil {
			return permanent{fmt.Errorf("Config.Key: %w", err)}
		}
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) || key == "" {
			return permanent{errors.New("Config.Key: the key is empty or has characters that no header can hold")}
		}
		req.Header.Set("Authorization", "Bearer "+key)
	}
	c.requests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, errRedirect) {
			return permanent{errRedirect}
		}
		return redact(err, key)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxResponse+1))
	switch {
	case int64(len(data)) > c.MaxResponse:
		return permanent{ErrTooLarge}
	case resp.StatusCode != http.StatusOK:
		return &StatusError{resp.StatusCode, message(data, key), retryAfter(resp.Header.Get("Retry-After"), c.now())}
	case err != nil:
		return fmt.Errorf("response body: %w", redact(err, key))
	}
	if err := json.Unmarshal(data, out); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("%w: not JSON: %s", ErrShape, without(err.Error(), key))
		}
		return permanent{fmt.Errorf("%w: %s", ErrShape, without(err.Error(), key))}
	}
	return nil
}

// permanent marks an error that another attempt will not mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// transient reports whether another attempt may succeed: the connection broke, the body
// was cut, the attempt took too long, or the status says so.
func transient(err error) bool {
	if errors.As(err, &permanent{}) {
		return false
	}
	var status *StatusError
	if !errors.As(err, &status) {
		return true
	}
	switch status.Code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status.Code >= 500
}

// wait returns the time to wait after attempt n: what the server asked for, else
// Backoff·2ⁿ⁻¹ up to MaxWait, less a random part of its half.
func (c *client) wait(n int, err error) time.Duration {
	var status *StatusError
	if errors.As(err, &status) && status.RetryAfter > 0 {
		return status.RetryAfter
	}
	d := c.Backoff
	for range n - 1 {
		d = min(2*d, c.MaxWait)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return d - time.Duration(c.jitter.Float64()*float64(d)/2)
}

// retryAfter reads the header's two forms, seconds and a date. 0: neither.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return time.Duration(min(n, 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// message finds what an error body says: in {"error":{"message":…}}, {"error":…},
// {"detail":…} or {"message":…}, else the text itself. The key goes before the text is
// cut, or half of it might stay.
func message(data []byte, key string) string {
	var body struct{ Error, Detail, Message json.RawMessage }
	var inner struct{ Message string }
	text := string(data)
	if json.Unmarshal(data, &body) == nil {
		for _, raw := range []json.RawMessage{body.Error, body.Detail, body.Message} {
			var s string
			switch {
			case raw == nil:
				continue
			case json.Unmarshal(raw, &s) == nil:
				text = s
			case json.Unmarshal(raw, &inner) == nil && inner.Message != "":
				text = inner.Message
			default:
				text = string(raw)
			}
			break
		}
	}
	text = without(strings.Join(strings.Fields(text), " "), key)
	const limit = 300
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// without removes the key from a text.
func without(s, key string) string {
	if key == "" {
		return s
	}
	return strings.ReplaceAll(s, key, "[key]")
}

// redact removes the key from an error's text, and keeps the error if it is not there.
func redact(err error, key string) error {
	if clean := without(err.Error(), key); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}
