package lm

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// Sizes of the pieces of work. They are fixed, because the order of additions in a
// gradient follows from them, and small enough that gonum does a piece in the
// goroutine that asks for it. A logit is the same sum in the same order whatever other
// rows are computed with it.
const (
	tileRows = 32  // rows of a forward or backward pass computed at a time
	decoding = 8   // the same while writing, where a step may have few rows for all processors
	stripe   = 192 // columns of a product
	inner    = 512 // terms of a product over the vocabulary
	sub      = 16  // rows of the output layer's gradient
	align    = 16  // rows of matrices begin at multiples of 64 bytes, so that sums in vector lanes are the same in each run
)

// layer is a model's output layer in float32: d × V embeddings and V biases.
type layer struct {
	dim, vocab, stride int
	out, bias          []float32
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
	a := blas32.General{Rows: rows, Cols: l.dim, Stride: l.dim, Data: h}
	for c := 0; c < l.vocab; c += stripe {
		w := min(stripe, l.vocab-c)
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, a,
			blas32.General{Rows: l.dim, Cols: w, Stride: l.stride, Data: l.out[c:]}, 1,
			blas32.General{Rows: rows, Cols: w, Stride: stride, Data: z[c:]})
	}
}

// pullHidden stores dz·outᵀ in dh: the gradient of the context vectors.
func (l *layer) pullHidden(dh, dz []float32, stride int) {
	rows := len(dh) / l.dim
	clear(dh)
	for c := 0; c < l.vocab; c += inner {
		w := min(inner, l.vocab-c)
		a := blas32.General{Rows: rows, Cols: w, Stride: stride, Data: dz[c:]}
		for d := 0; d < l.dim; d += stripe {
			m := min(stripe, l.dim-d)
			blas32.Gemm(blas.NoTrans, blas.Trans, 1, a,
				blas32.General{Rows: m, Cols: w, Stride: l.stride, Data: l.out[d*l.stride+c:]}, 1,
				blas32.General{Rows: rows, Cols: m, Stride: l.dim, Data: dh[d:]})
		}
	}
}

// pullOut adds hᵀ·dz, for the columns of dz from c on, at most stripe, to the gradient
// of the output layer that begins at grad with the embeddings. sum is room for
// sub × stripe numbers.
func (l *layer) pullOut(grad []float64, h, dz []float32, stride, c int, sum []float32) {
	rows, w := len(h)/l.dim, min(stripe, l.vocab-c)
	b := blas32.General{Rows: rows, Cols: w, Stride: stride, Data: dz[c:]}
	for d := 0; d < l.dim; d += sub {
		m := min(sub, l.dim-d)
		part := blas32.General{Rows: m, Cols: w, Stride: stripe, Data: sum}
		blas32.Gemm(blas.Trans, blas.NoTrans, 1,
			blas32.General{Rows: rows, Cols: m, Stride: l.dim, Data: h[d:]}, b, 0, part)
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
