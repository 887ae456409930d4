package sampler

import (
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/internal/draw"
)

// Stratified draws len(dst) tokens by inversion of one uniform number from each of the
// parts [j/k, (j+1)/k) of [0, 1), so that a token of probability p is drawn k·p times on
// average and never off by 2. It takes one number of g per draw.
//
// The mean of f over the draws is an unbiased estimate of E_μ[f], and for a function that
// is monotone in the id one of smaller variance. A single draw is not distributed as μ, but as
// its own part of it, and the draws are not independent of each other's place: Joint says
// so. LogProb of each Token is log μ. Stratified panics if dst is empty.
func (r *Row) Stratified(dst []Token, g *rand.PCG) Group {
	r.ready()
	if len(dst) == 0 {
		panic("sampler: no draws")
	}
	w := r.walk()
	for j := range dst {
		u := (float64(j) + draw.Uniform(g)) / float64(len(dst))
		dst[j] = r.Token(int32(w.find(u * r.known.total)))
	}
	return Group{Tokens: dst, Joint: Stratified}
}
