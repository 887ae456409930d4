package served

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// fake is a server with a language model that is a table: the next token depends on the
// last one, with log-probabilities that follow from a formula. It speaks all protocols and
// does wrong what its fields say.
type fake struct {
	protocol Protocol
	vocab    []string // 0 is <s>, 1 is </s>

	shift       bool // echoed log-probabilities are those of the token before
	ignoreEcho  bool // the answer has the generated tokens alone
	topK        int  // stays on whatever the request says
	minP        float64
	sharp       float64 // another temperature is used for draws; 0: as requested
	greedy      bool    // the temperature is ignored
	noise       float64
	nullAt      int     // the log-probability of this position is null; −1: of none
	zero        string  // what max_tokens 0 does: "none", "one", "unlimited", "refused"
	strict      bool    // unknown fields are refused
	listEOS     bool    // a sampled </s> is among the tokens listed
	maxTop      int     // the longest list of likeliest tokens
	mix         uint64  // the reply to this seed goes on from another text; 0: none
	wobble      bool    // another reply each time, whatever the seed
	duplicate   bool    // every choice comes twice
	bias        bool    // logit_bias is ignored
	chat        bool    // logprobs in the form of chats
	noBOS       bool    // shift unless the text begins with <s>
	temperature float64 // of the model itself, with respect to the formula; 0: 1
	name        string

	mu    sync.Mutex
	rows  map[rowKey]row
	texts sync.Map // of lists, as JSON
	calls map[string]int
	drawn map[uint64]int // replies by seed
}

func newFake(p Protocol) *fake {
	f := &fake{protocol: p, nullAt: -1, zero: "one", maxTop: 25, name: "table", calls: map[string]int{}, drawn: map[uint64]int{}}
	f.vocab = []string{"<s>", "</s>", "\xc3", "\xa9", "\xa8", "\n"}
	for c := ' '; c <= '~'; c++ {
		f.vocab = append(f.vocab, string(c))
	}
	f.vocab = append(f.vocab, " t", "th", " the", "ing", "qu", " a", "er", "li", "pick", " over", " dog", "dom")
	return f
}

// plain gives f a vocabulary of single characters: every text is cut in one way only.
func (f *fake) plain() *fake {
	for id, piece := range f.vocab[2:] {
		if len(piece) > 1 || !utf8.ValidString(piece) {
			f.vocab[2+id] = string(rune('а' + id))
		}
	}
	return f
}

// start serves f until the test ends.
func (f *fake) start(t testing.TB) string {
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// RoundTrip answers without a network.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result(), nil
}

// encode cuts a text greedily into the longest tokens. specials: their texts are tokens.
func (f *fake) encode(text string, specials bool) []int32 {
	var ids []int32
	for text != "" {
		best, n := -1, 0
		for id, piece := range f.vocab {
			if len(piece) > n && strings.HasPrefix(text, piece) && (specials || id > 1) {
				best, n = id, len(piece)
			}
		}
		if best < 0 {
			_, n = utf8.DecodeRuneInString(text)
			best = int('?' - ' ' + 6)
		}
		ids, text = append(ids, int32(best)), text[n:]
	}
	return ids
}

// logProbs is the formula.
func (f *fake) logProbs(last int32, temperature float64) []float64 {
	if f.temperature != 0 {
		temperature *= f.temperature
	}
	p := make([]float64, len(f.vocab))
	for id := range p {
		p[id] = 3 * math.Sin(float64(7*int(last)+3)*float64(id+1)*0.37) / temperature
	}
	p[0] = -40
	if last != 1 {
		p[1] -= 1 / temperature // replies of some length
	}
	m, s := slices.Max(p), 0.0
	for _, v := range p {
		s += math.Exp(v - m)
	}
	for id := range p {
		p[id] -= m + math.Log(s)
	}
	return p
}

type rowKey struct {
	last        int32
	temperature float64
}

// row is a distribution with its order, likeliest first.
type row struct {
	logp  []float64
	order []int
}

func (f *fake) row(last int32, temperature float64) row {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := rowKey{last, temperature}
	r, ok := f.rows[k]
	if !ok {
		r.logp = f.logProbs(last, temperature)
		for id := range r.logp {
			r.order = append(r.order, id)
		}
		slices.SortFunc(r.order, func(a, b int) int { return cmp.Compare(r.logp[b], r.logp[a]) })
		if f.rows == nil {
			f.rows = map[rowKey]row{}
		}
		f.rows[k] = r
	}
	return r
}

// sample draws up to n tokens, with their log-probabilities under the model itself and
// under the distribution drawn from.
func (f *fake) sample(ids []int32, n int, temperature float64, seed uint64) (reply []int32, raw, drawn []float64) {
	// Nothing may depend on the order in which requests arrive: they are under way at once.
	mixed := f.mix != 0 && seed == f.mix
	if f.wobble {
		f.mu.Lock()
		f.drawn[seed]++
		seed += uint64(1000 * f.drawn[seed])
		f.mu.Unlock()
	}
	g := rand.New(rand.NewPCG(seed, 99))
	last := ids[len(ids)-1]
	for range n {
		if mixed {
			last = 2 + (last+7)%100
		}
		r := f.row(last, temperature*cmp.Or(f.sharp, 1))
		p, order := r.logp, r.order
		keep := len(p)
		if f.topK > 0 {
			keep = f.topK
		}
		for f.minP > 0 && p[order[keep-1]] < p[order[0]]+math.Log(f.minP) {
			keep--
		}
		mass := 0.0
		for _, id := range order[:keep] {
			mass += math.Exp(p[id])
		}
		u, next := g.Float64()*mass, order[0]
		for _, id := range order[:keep] {
			if next = id; u < math.Exp(p[id]) || f.greedy {
				break
			}
			u -= math.Exp(p[id])
		}
		reply = append(reply, int32(next))
		raw = append(raw, f.row(last, 1).logp[next]+f.noise*(g.Float64()-0.5))
		drawn = append(drawn, p[next])
		if last = int32(next); last == 1 {
			break
		}
	}
	return reply, raw, drawn
}

// text spells ids out as a server does: without special tokens, broken characters as U+FFFD.
func (f *fake) text(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id > 1 {
			b.WriteString(f.vocab[id])
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
