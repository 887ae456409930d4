package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/internal/num"
)

// GumbelMax draws the token of the largest log μ(v) + G_v, with G_v independent Gumbel
// numbers: the distribution of [Row.Draw] by other means. It takes one number of g for
// each of the [Row.Left] tokens, in the order of their ids, so two rows with the same
// tokens left and the same stream are coupled: similar rows mostly give the same token.
func (r *Row) GumbelMax(g *rand.PCG) Token {
	r.ready()
	best, top := -1, math.Inf(-1)
	for v, x := range r.Logits {
		if x == math.Inf(-1) {
			continue
		}
		if y := x + draw.Gumbel(g); y > top {
			best, top = v, y
		}
	}
	return r.Token(int32(best))
}

// Group is several draws from one [Row].
type Group struct {
	Tokens []Token
	Joint  Joint // how they depend on each other

	// LogProb is the log-probability of a Distinct group in its order,
	//
	//	Σ_i log( μ(v_i) / (1 − Σ_{j<i} μ(v_j)) )
	LogProb float64
	// Threshold is the (k+1)-th largest perturbed log-probability κ of a Distinct group of
	// k, −Inf if no token was left over. Given κ, a token is in the group with probability
	// q(v) = 1 − exp(−exp(log μ(v) − κ)), and Σ_{v in the group} f(v)·μ(v)/q(v) is an unbiased
	// estimate of E_μ[f].
	Threshold float64
}

// GumbelTopK draws len(dst) distinct tokens without replacement, each next one from μ
// without those before it, and stores them in dst in that order: the largest of the perturbed
// log-probabilities log μ(v) + G_v. It takes numbers of g as [Row.GumbelMax] does, whose
// token is the first. Each Token has the log-probabilities of a single draw.
//
// More than [Row.Left] draws are an error; GumbelTopK panics if dst is empty. The draws
// are not independent (Vieira 2014; Kool, van Hoof, Welling 2019, arXiv:1903.06059).
func (r *Row) GumbelTopK(dst []Token, g *rand.PCG) (Group, error) {
	r.ready()
	k := len(dst)
	if k == 0 {
		panic("sampler: no draws")
	}
	if left := r.Left(); k > left {
		return Group{}, fmt.Errorf("sampler: %d distinct draws from %d tokens", k, left)
	}
	// The k+1 largest perturbed numbers, descending, the first k with their tokens.
	best := resize(r.score, k+1)
	r.score = best
	for i := range best {
		best[i] = math.Inf(-1)
	}
	for v, x := range r.Logits {
		if x == math.Inf(-1) {
			continue
		}
		y := x - r.top - r.logSum + draw.Gumbel(g)
		if y <= best[k] {
			continue
		}
		i := k
		for i > 0 && y > best[i-1] {
			i--
		}
		copy(best[i+1:], best[i:k])
		best[i] = y
		if i < k {
			copy(dst[i+1:], dst[i:k-1])
			dst[i] = Token{ID: int32(v)}
		}
	}
	for i := range dst {
		dst[i] = r.Token(dst[i].ID)
	}
	return Group{Tokens: dst, Joint: Distinct, LogProb: r.ordered(dst), Threshold: best[k]}, nil
}

// ordered returns the log-probability of drawing the tokens without replacement in their
// order. The mass that is left for each is added up from behind: nothing cancels when
// little is left.
func (r *Row) ordered(tokens []Token) float64 {
	r.newRound()
	for _, t := range tokens {
		r.seen[t.ID] = r.round
	}
	top := math.Inf(-1)
	for v, x := range r.Logits {
		if r.seen[v] != r.round {
			top = max(top, x)
		}
	}
	rest := math.Inf(-1)
	if top > rest {
		sum := 0.0
		for v, x := range r.Logits {
			if r.seen[v] != r.round {
				sum += math.Exp(x - top)
			}
		}
		rest = top - r.top - r.logSum + math.Log(sum)
	}
	logp := 0.0
	for _, t := range slices.Backward(tokens) {
		rest = num.LogAddExp(rest, t.LogProb)
		logp += t.LogProb - rest
	}
	return logp
}

// newRound forgets all tokens that were seen.
func (r *Row) newRound() {
	if len(r.seen) < len(r.Logits) {
		r.seen = make([]uint32, len(r.Logits))
		r.round = 0
	}
	if r.round++; r.round == 0 { // after 2³² rounds
		clear(r.seen)
		r.round = 1
	}
}
