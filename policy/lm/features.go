package lm

import (
	"math"
	"math/bits"
)

// net is a model's configuration and parameters: all that scoring needs.
type net struct {
	cfg    Config
	at     layout
	params []float64
}

// embedding returns row f of the embeddings.
func (n *net) embedding(f int) []float64 {
	d := n.cfg.Dim
	return n.params[f*d : f*d+d : f*d+d]
}

// history stores the last len(dst) of the ids before a position in dst, the nearest
// first, and the begin marker where there are none.
func history(dst, before []int32) {
	for i := range dst {
		if at := len(before) - 1 - i; at >= 0 {
			dst[i] = before[at]
		} else {
			dst[i] = beginMarker
		}
	}
}

// active stores the embeddings of the n-grams that end with a history in dst, which
// is as long as the history.
func (n *net) active(dst, history []int32) {
	last := int(history[0])
	if last == beginMarker {
		last = n.cfg.Vocab
	}
	dst[0] = int32(firstTokens + last)
	h := mix(0, uint64(uint32(history[0])))
	for i, id := range history[1:] {
		h = mix(h, uint64(uint32(id)))
		bucket, _ := bits.Mul64(h, uint64(n.cfg.Buckets))
		dst[1+i] = int32(n.at.buckets + int(bucket))
	}
}

// mix absorbs x into a hash: a golden-ratio step and the finalizer of SplitMix64.
func mix(h, x uint64) uint64 {
	z := (h ^ x) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// promptScale is the weight of each embedding of a prompt of m words.
func promptScale(m int) float64 { return 1 / math.Sqrt(float64(m)) }

// base stores in dst the part of the context vector that all positions of a reply
// share: the bias and the prompt's words.
func (n *net) base(dst []float64, prompt []int32) {
	copy(dst, n.embedding(biasRow))
	if n.at.prompt == noPromptRows || len(prompt) == 0 {
		return
	}
	scale := promptScale(len(prompt))
	for _, id := range prompt {
		for i, e := range n.embedding(n.at.prompt + int(id)) {
			dst[i] += scale * e
		}
	}
}

// hidden stores the context vector of one position in dst: base and the embeddings of
// the active n-grams, added in float64 in this order. sum is room for it.
func (n *net) hidden(dst []float32, sum, base []float64, active []int32) {
	copy(sum, base)
	for _, f := range active {
		for i, e := range n.embedding(int(f)) {
			sum[i] += e
		}
	}
	for i, s := range sum {
		dst[i] = float32(s)
	}
}
