package text

import "math"

// baselines returns the perplexities of held-out replies under two models without
// parameters to train: the unigram, and the bigram interpolated with it,
//
//	p(v|u) = (n(u, v) + m·p(v)) / (n(u) + m)
//
// with the m from a few that suits the held-out replies best, so that the bigram is not made
// to look bad. The context of a reply's first token is the prompt's last one.
func baselines(fit, held *Tokens, vocab int) (unigram, bigram float64) {
	count := make([]float64, vocab)
	pairs, after := map[[2]int32]float64{}, make([]float64, vocab)
	each(fit, func(u, v int32) {
		count[v]++
		pairs[[2]int32{u, v}]++
		after[u]++
	})
	total := 0.0
	for _, c := range count {
		total += c
	}
	uni := func(v int32) float64 { return (count[v] + 0.5) / (total + float64(vocab)/2) }
	perplexity := func(p func(u, v int32) float64) float64 {
		sum, n := 0.0, 0.0
		each(held, func(u, v int32) { sum -= math.Log(p(u, v)); n++ })
		return math.Exp(sum / n)
	}
	unigram = perplexity(func(_, v int32) float64 { return uni(v) })
	bigram = math.Inf(1)
	for _, m := range []float64{1, 3, 10, 30, 100, 300} {
		bigram = min(bigram, perplexity(func(u, v int32) float64 { return (pairs[[2]int32{u, v}] + m*uni(v)) / (after[u] + m) }))
	}
	return unigram, bigram
}

// each calls f with each token of the chosen replies and the one before it.
func each(d *Tokens, f func(u, v int32)) {
	for i, y := range d.Chosen {
		u := int32(0)
		if x := d.X[i]; len(x) > 0 {
			u = x[len(x)-1]
		}
		for _, v := range y {
			f(u, v)
			u = v
		}
	}
}
