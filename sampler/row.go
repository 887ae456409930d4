package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/internal/vec"
)

// Token is a token that was drawn, with its two log-probabilities, in nats.
type Token struct {
	ID      int32
	LogProb float64 // log μ(ID): under the distribution drawn from
	Model   float64 // log π(ID): under the model, before any transform
}

// Row is the distribution of one next token: a row of logits, the transforms that were
// applied to it, and what can be drawn from the result,
//
//	π = softmax(z),    μ = softmax(f_n(… f_1(z))).
//
// [Row.Set] fills it; the methods that draw panic before. The zero value is ready, its
// memory is reused, and it allocates only to grow. It is not safe for concurrent use.
type Row struct {
	// Logits are what the transforms work on, up to a constant the log-probabilities of
	// μ. −Inf is a token that cannot be drawn. Only a Transform may change them.
	Logits []float64
	// History is the prompt and what has been written of the reply, for transforms that
	// depend on it. It must not be changed.
	History []int32

	raw               []float32
	rawTop, rawLogSum float64 // log π(v) = raw[v] − rawTop − rawLogSum
	top, logSum       float64 // log μ(v) = Logits[v] − top − logSum

	known known
	mask  []uint64
	found candidates

	score, weight []float64
	seen          []uint32 // the round in which a token was last seen
	round         uint32
	selection     selection
	block         [vec.Block]float64
}

// Set makes r the distribution of the logits z after the transforms ts, in their order.
// z and history must stay as they are until the next Set.
//
// Errors: a logit that is NaN or +Inf, logits that are all −Inf, before the transforms
// or after them, and the error of a transform, by its index. A transform that is nil panics.
func (r *Row) Set(z []float32, history []int32, ts ...Transform) error {
	r.Logits, r.raw, r.History = resize(r.Logits, len(z)), nil, history
	r.known.forget()
	done, err := r.begin(z, ts)
	if err != nil {
		return err
	}
	for i := done; i < len(ts); i++ {
		if ts[i] == nil {
			panic("sampler: Row.Set with a nil Transform")
		}
		r.known.trusted = keepsTrack(ts[i])
		if !r.known.trusted {
			r.known.forget()
		}
		if err := ts[i].Apply(r); err != nil {
			return fmt.Errorf("transform %d: %w", i, err)
		}
	}
	r.known.trusted = true
	r.top, r.logSum = r.rawTop, r.rawLogSum
	if len(ts) > 0 {
		if err := r.weigh(); err != nil {
			return fmt.Errorf("after the transforms, %w", err)
		}
		r.top, r.logSum = r.known.top, math.Log(r.known.total)
	}
	r.raw = z
	return nil
}

// begin normalises the model's own distribution and stores its logits, and applies the first
// transform on the way if that is a temperature. It returns how many it has applied.
func (r *Row) begin(z []float32, ts []Transform) (done int, err error) {
	at, sums, ok := vec.Row(z, 1, vec.JustE)
	r.known.trusted = true
	if !ok { // no distribution, or one that is too wide for float32
		vec.Widen(r.Logits, z)
		if err := r.weigh(); err != nil {
			return 0, err
		}
		r.rawTop, r.rawLogSum = r.known.top, math.Log(r.known.total)
		return 0, nil
	}
	r.rawTop, r.rawLogSum = at.Ref, math.Log(sums.E)
	top := float64(sums.Max)
	if len(ts) > 0 {
		if t, ok := ts[0].(Temperature); ok && t.Check(len(z)) == nil {
			shift := t.shift(top)
			vec.Scale(r.Logits, z, shift, float64(t))
			r.known.setTop((top - shift) / float64(t))
			return 1, nil
		}
	}
	vec.Widen(r.Logits, z)
	r.known.setTop(top)
	return 0, nil
}

// Left returns the number of tokens that can be drawn.
func (r *Row) Left() int {
	r.ready()
	n := 0
	for _, x := range r.Logits {
		if x > math.Inf(-1) {
			n++
		}
	}
	return n
}

// Token returns the token with the given id: −Inf where it cannot be drawn.
func (r *Row) Token(id int32) Token {
	r.ready()
	return Token{id, r.Logits[id] - r.top - r.logSum, float64(r.raw[id]) - r.rawTop - r.rawLogSum}
}

// LogProbs stores log μ in dst, which must be as long as the row.
func (r *Row) LogProbs(dst []float64) {
	r.ready()
	if len(dst) != len(r.Logits) {
		panic(badLength)
	}
	for v, x := range r.Logits {
		dst[v] = x - r.top - r.logSum
	}
}

// Draw draws by inversion of the distribution function, with one number of g.
func (r *Row) Draw(g *rand.PCG) Token {
	r.ready()
	w := r.walk()
	return r.Token(int32(w.find(draw.Uniform(g) * r.known.total)))
}

func (r *Row) ready() {
	if r.raw == nil {
		panic("sampler: Row without a successful Set")
	}
}

const badLength = "sampler: slices of different lengths"

// resize returns n numbers of any value, in the memory of s if that is large enough.
func resize(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	return s[:n]
}
