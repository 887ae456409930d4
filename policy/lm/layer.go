package lm

import "github.com/prefgrad/prefgrad/internal/elem"

// Sizes of the pieces of work. They are fixed, because the order of additions in a
// gradient follows from them. A logit is the same sum in the same order whatever other
// rows are computed with it.
const (
	tileRows = 32  // rows of a forward or backward pass computed at a time
	decoding = 8   // the same while writing, where a step may have few rows for all processors
	stripe   = 192 // columns of the output layer's gradient
	inner    = 256 // terms of a product over the vocabulary that are added up by themselves
	sub      = 16  // rows of the output layer's gradient
	align    = 16  // rows of matrices begin at multiples of 64 bytes
)

// layer is a model's output layer in float32: d × V embeddings, once more transposed where a
// pullback needs them so, and V biases.
type layer struct {
	dim, vocab, stride int
	out, outT, bias    []float32
}

// set makes l the output layer of n.
func (l *layer) set(n *net) {
	l.dim, l.vocab = n.cfg.Dim, n.cfg.Vocab
	l.stride = (l.vocab + align - 1) / align * align
	l.out = grow(l.out, l.dim*l.stride)
	l.bias = grow(l.bias, l.vocab)
	narrow(l.bias, n.params[n.at.outBias:])
	for i := range l.dim {
		narrow(l.out[i*l.stride:i*l.stride+l.vocab], n.params[n.at.out+i*l.vocab:])
	}
}

func narrow(dst []float32, src []float64) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = float32(v)
	}
}

// grow returns a slice of length n, s itself if it is large enough. Its content is
// unspecified.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// logits stores bias + h·out in z, whose rows begin stride apart; h has a row of dim
// numbers for each.
func (l *layer) logits(z []float32, stride int, h []float32) {
	rows := len(h) / l.dim
	for r := range rows {
		copy(z[r*stride:r*stride+l.vocab], l.bias)
	}
	elem.AddMatMul(elem.Matrix{Data: z, Rows: rows, Cols: l.vocab, Stride: stride},
		elem.Matrix{Data: h, Rows: rows, Cols: l.dim, Stride: l.dim},
		elem.Matrix{Data: l.out, Rows: l.dim, Cols: l.vocab, Stride: l.stride})
}

// transpose makes outT, which pullHidden reads, from out.
func (l *layer) transpose() {
	stride := l.hiddenStride()
	l.outT = grow(l.outT, l.vocab*stride)
	clear(l.outT)
	for c := 0; c < l.vocab; c += align { // whole lines of memory at a time
		for d := range l.dim {
			for i, v := range l.out[d*l.stride+c : d*l.stride+min(c+align, l.vocab)] {
				l.outT[(c+i)*stride+d] = v
			}
		}
	}
}

// hiddenStride is the number of columns of outT: dim, and zeros that make whole vectors of them.
func (l *layer) hiddenStride() int { return (l.dim + align - 1) / align * align }

// pullHidden stores dz·outᵀ in dh: the gradient of the context vectors. sum is room for tileRows × hiddenStride numbers.
func (l *layer) pullHidden(dh, dz []float32, stride int, sum []float32) {
	rows, d := len(dh)/l.dim, l.hiddenStride()
	clear(dh)
	part := elem.Matrix{Data: sum, Rows: rows, Cols: d, Stride: d}
	for c := 0; c < l.vocab; c += inner {
		w := min(inner, l.vocab-c)
		clear(sum)
		elem.AddMatMul(part, elem.Matrix{Data: dz[c:], Rows: rows, Cols: w, Stride: stride},
			elem.Matrix{Data: l.outT[c*d:], Rows: w, Cols: d, Stride: d})
		for r := range rows {
			for i, v := range sum[r*d : r*d+l.dim] {
				dh[r*l.dim+i] += v
			}
		}
	}
}

// pullOut adds hᵀ·dz, for the columns of dz from c on, at most stripe, to the gradient
// of the output layer that begins at grad with the embeddings. sum is room for
// sub × stripe numbers.
func (l *layer) pullOut(grad []float64, h, dz []float32, stride, c int, sum []float32) {
	rows, w := len(h)/l.dim, min(stripe, l.vocab-c)
	b := elem.Matrix{Data: dz[c:], Rows: rows, Cols: w, Stride: stride}
	for d := 0; d < l.dim; d += sub {
		m := min(sub, l.dim-d)
		clear(sum)
		elem.AddMatTMul(elem.Matrix{Data: sum, Rows: m, Cols: w, Stride: stripe},
			elem.Matrix{Data: h[d:], Rows: rows, Cols: m, Stride: l.dim}, b)
		for i := range m {
			widen(grad[(d+i)*l.vocab+c:], sum[i*stripe:i*stripe+w])
		}
	}
	bias := grad[l.dim*l.vocab+c:]
	for r := range rows {
		widen(bias, dz[r*stride+c:r*stride+c+w])
	}
}

// widen adds src to dst.
func widen(dst []float64, src []float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] += float64(v)
	}
}
