package served

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/policy"
)

// Cache keeps what a server was asked and answered, so that nothing is paid for twice.
// Package disk, a module of its own inside this one, keeps it in a file. A Cache belongs
// to one model and is safe for concurrent use.
type Cache interface {
	// Fingerprint returns what SetFingerprint stored last, nil for a new cache.
	Fingerprint() ([]byte, error)
	SetFingerprint(fp []byte) error
	// Get returns the value of a key, nil if there is none.
	Get(key []byte) ([]byte, error)
	// Put stores a value before it returns.
	Put(key, value []byte) error
}

// ErrFingerprint says that a cache was filled from another model than the one at hand.
var ErrFingerprint = errors.New("the cache was filled from another model")

// fingerprint tells models apart: by what server and caller call them, and by the
// log-probabilities of a fixed text, which differ where the names do not.
type fingerprint struct {
	Name   string          `json:"name"`
	Probe  []jsonnum.Float `json:"probe"`
	Within float64         `json:"within"` // nats per token: the server's own noise
}

// fingerprintFloor is a difference, in nats per token on average, that rounding explains:
// another number of threads, another order of summation.
const fingerprintFloor = 1e-3

// bindCache claims a new cache for the model, or compares the fingerprints.
func (m *Model) bindCache() error {
	cache := m.client.Cache
	have := fingerprint{Name: m.report.Name, Within: max(fingerprintFloor, 4*m.report.MeanNoise)}
	for _, v := range m.report.Fixed {
		have.Probe = append(have.Probe, jsonnum.Float(v))
	}
	stored, err := cache.Fingerprint()
	if err != nil {
		return fmt.Errorf("served: Config.Cache: %w", err)
	}
	if stored == nil {
		b, err := json.Marshal(have)
		if err == nil {
			err = cache.SetFingerprint(b)
		}
		if err != nil {
			return fmt.Errorf("served: Config.Cache: %w", err)
		}
		return nil
	}
	var want fingerprint
	if err := json.Unmarshal(stored, &want); err != nil {
		return fmt.Errorf("served: Config.Cache: fingerprint: %w", err)
	}
	if err := have.differs(want); err != nil {
		return fmt.Errorf("served: Config.Cache: %w: %w", ErrFingerprint, err)
	}
	return nil
}

// differs says in what f is not the model of g.
func (f fingerprint) differs(g fingerprint) error {
	if f.Name != g.Name {
		return fmt.Errorf("this one is %q, that one was %q", f.Name, g.Name)
	}
	if len(f.Probe) != len(g.Probe) {
		return fmt.Errorf("a fixed text has %d tokens, and had %d", len(f.Probe), len(g.Probe))
	}
	if len(f.Probe) == 0 { // neither was probed
		return nil
	}
	sum := 0.0
	for i := range f.Probe {
		sum += math.Abs(float64(f.Probe[i] - g.Probe[i]))
	}
	if d := sum / float64(len(f.Probe)); !(d <= max(f.Within, g.Within)) {
		return fmt.Errorf("log-probabilities of a fixed text differ by %.3g nats per token", d)
	}
	return nil
}

// cached fills v from the cache, or by compute and then the cache.
func (m *Model) cached(key []byte, v any, compute func() error) error {
	cache := m.client.Cache
	if cache == nil {
		return compute()
	}
	b, err := cache.Get(key)
	if err != nil {
		return fmt.Errorf("served: Config.Cache: %w", err)
	}
	if b != nil {
		if err := json.Unmarshal(b, v); err != nil {
			return fmt.Errorf("served: Config.Cache: %w", err)
		}
		m.hits.Add(1)
		return nil
	}
	if err := compute(); err != nil {
		return err
	}
	if b, err = json.Marshal(v); err == nil {
		err = cache.Put(key, b)
	}
	if err != nil {
		return fmt.Errorf("served: Config.Cache: %w", err)
	}
	return nil
}

// keyVersion changes whenever the meaning of a stored value does.
const keyVersion = 1

// newKey begins a key with all that a score or a draw depends on besides its texts. What
// the model depends on is in the fingerprint.
func (m *Model) newKey(kind string) hash.Hash {
	h := sha256.New()
	hashInts(h, keyVersion, uint64(m.report.Protocol), math.Float64bits(m.client.Temperature))
	hashText(h, kind)
	hashText(h, m.client.BOS)
	hashText(h, m.client.EOS)
	return h
}

func (m *Model) scoreKey(x Prompt, y Reply) []byte {
	if m.client.Cache == nil {
		return nil
	}
	h := m.newKey("score")
	hashItem(h, x.Text, x.IDs)
	hashItem(h, y.Text, y.IDs)
	if len(y.IDs) == 0 { // otherwise the ids say it
		hashInts(h, uint64(y.End))
	}
	return h.Sum(nil)
}

func (m *Model) drawKey(x Prompt, seed uint32, scored bool) []byte {
	if m.client.Cache == nil {
		return nil
	}
	h := m.newKey("draw")
	hashItem(h, x.Text, x.IDs)
	flag := uint64(0)
	if scored {
		flag = 1
	}
	hashInts(h, uint64(seed), uint64(m.client.MaxTokens), flag)
	return h.Sum(nil)
}

// hashItem feeds ids, or the text where there are none: what the server is asked.
func hashItem(h hash.Hash, text string, ids []int32) {
	hashInts(h, uint64(len(ids)))
	if len(ids) == 0 {
		hashText(h, text)
	}
	for _, id := range ids {
		hashInts(h, uint64(uint32(id)))
	}
}

func hashText(h hash.Hash, s string) {
	hashInts(h, uint64(len(s)))
	h.Write([]byte(s))
}

func hashInts(h hash.Hash, v ...uint64) {
	for _, x := range v {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], x)
		h.Write(b[:])
	}
}

// scoreJSON and drawJSON are the stored forms. LogProb is the sum of the tokens again.
type scoreJSON struct {
	Tokens []jsonnum.Float `json:"t"`
	IDs    []int32         `json:"i,omitempty"`
}

type drawJSON struct {
	Text  string        `json:"x"`
	IDs   []int32       `json:"y,omitempty"`
	End   policy.Finish `json:"e"`
	Score *Score        `json:"s,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (s Score) MarshalJSON() ([]byte, error) {
	v := scoreJSON{IDs: s.IDs, Tokens: make([]jsonnum.Float, len(s.Tokens))}
	for i, x := range s.Tokens {
		v.Tokens[i] = jsonnum.Float(x)
	}
	return json.Marshal(v)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Score) UnmarshalJSON(b []byte) error {
	var v scoreJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	tokens := make([]float64, len(v.Tokens))
	for i, x := range v.Tokens {
		tokens[i] = float64(x)
	}
	*s = newScore(tokens, v.IDs)
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (d Draw) MarshalJSON() ([]byte, error) {
	v := drawJSON{Text: d.Reply.Text, IDs: d.Reply.IDs, End: d.Reply.End}
	if d.Score.Tokens != nil {
		v.Score = &d.Score
	}
	return json.Marshal(v)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Draw) UnmarshalJSON(b []byte) error {
	var v drawJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*d = Draw{Reply: Reply{Text: v.Text, IDs: v.IDs, End: v.End}}
	if v.Score != nil {
		d.Score = *v.Score
	}
	return nil
}
