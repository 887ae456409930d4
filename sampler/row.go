package sampler

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/internal/num"
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

	raw                []float32
	rawTop, rawLogSum  float64 // log π(v) = raw[v] − rawTop − rawLogSum
	top, total, logSum float64 // of Logits: the largest, Σ weight and its logarithm
	weight             []float64

	score     []float64
	seen      []uint32 // the round in which a token was last seen
	round     uint32
	selection selection
}

// Set makes r the distribution of the logits z after the transforms ts, in their order.
// z and history must stay as they are until the next Set.
//
// Errors: a logit that is NaN or +Inf, logits that are all −Inf, before the transforms
// or after them, and the error of a transform, by its index.
func (r *Row) Set(z []float32, history []int32, ts ...Transform) error {
	r.Logits, r.weight, r.raw, r.History = resize(r.Logits, len(z)), resize(r.weight, len(z)), nil, history
	logits := r.Logits[:len(z)]
	for v, x := range z {
		logits[v] = float64(x)
	}
	if err := r.weigh(); err != nil {
		return err
	}
	r.rawTop, r.rawLogSum = r.top, r.logSum
	for i, t := range ts {
		if err := t.Apply(r); err != nil {
			return fmt.Errorf("transform %d: %w", i, err)
		}
	}
	if len(ts) > 0 {
		if err := r.weigh(); err != nil {
			return fmt.Errorf("after the transforms, %w", err)
		}
	}
	r.raw = z
	return nil
}

// weigh brings everything that follows from Logits up to date. After an error the weights
// are unspecified.
func (r *Row) weigh() error {
	top := math.Inf(-1)
	for v, x := range r.Logits {
		if x > top {
			if top = x; x > math.MaxFloat64 {
				return fmt.Errorf("logit %d is +Inf", v)
			}
		} else if x != x {
			return fmt.Errorf("logit %d is NaN", v)
		}
	}
	if math.IsInf(top, -1) {
		return errors.New("all logits are -Inf")
	}
	weight := r.weight[:len(r.Logits)]
	for v, x := range r.Logits {
		weight[v] = x - top
	}
	r.top = top
	num.ExpNonPositive(r.weight, r.weight)
	total := 0.0
	for _, x := range r.weight {
		total += x
	}
	r.total = total
	r.logSum = math.Log(r.total)
	return nil
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
	return r.Token(int32(draw.Weights(r.weight, r.total, draw.Uniform(g))))
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
