package gomlx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	g "github.com/gomlx/gomlx/core/graph"
)

// net builds the graph of one model. Functions of this file panic where they cannot
// build it, as GoMLX's do; the executor turns that into an error.
type net struct {
	cfg     Config
	base    []*g.Node // parameters, in the order of Config.specs
	lora    *LoRA     // nil: none
	adapter []*g.Node // in the order of LoRA.specs
	dropout *g.Node   // state of the generator of LoRA's dropout; nil: no dropout
}

// cache holds the keys and values of one layer, each of shape
// [rows, KVHeads, positions, HeadDim].
type cache struct{ k, v *g.Node }

// site says where the queries of a batch stand, and what they see.
type site struct {
	cos, sin *g.Node // [rows or 1, queries, 1, HeadDim/2]
	mask     *g.Node // [rows or 1, 1, 1, queries, keys], see mask

	// with turns the keys and values of the queries of a layer into all that they may
	// see. Nil: they see each other.
	with func(layer int, own cache) cache
}

// hidden returns the output of the last norm, [rows·queries, Dim], for ids of shape
// [rows, queries], and all the keys and values of each layer.
func (n *net) hidden(ids *g.Node, at site) (*g.Node, []cache) {
	rows, queries := ids.Shape().Dim(0), ids.Shape().Dim(1)
	x := g.Gather(n.base[embedding], g.Reshape(ids, rows*queries, 1))
	caches := make([]cache, n.cfg.Layers)
	for layer := range n.cfg.Layers {
		attended, kv := n.attention(layer, n.norm(x, inLayer(layer, attentionNorm)), rows, at)
		x = g.Add(x, attended)
		x = g.Add(x, n.feedForward(layer, n.norm(x, inLayer(layer, hiddenNorm))))
		caches[layer] = kv
	}
	return n.norm(x, n.cfg.lastNorm()), caches
}

// logits returns h·headᵀ, [rows, Vocab].
func (n *net) logits(h *g.Node) *g.Node { return timesTransposed(h, n.base[n.cfg.head()]) }

// norm returns x/√(mean x² + ε) · weight, over rows.
func (n *net) norm(x *g.Node, weight int) *g.Node {
	square := g.ReduceAndKeep(g.Square(x), g.ReduceMean, -1)
	x = g.Div(x, g.Sqrt(g.AddScalar(square, n.cfg.NormEps)))
	return g.Mul(x, g.ExpandLeftToRank(n.base[weight], 2))
}

// attention returns what the layer's heads add to x, [rows·queries, Dim].
func (n *net) attention(layer int, x *g.Node, rows int, at site) (*g.Node, cache) {
	c := n.cfg
	queries, group := x.Shape().Dim(0)/rows, c.Heads/c.KVHeads
	q := rotate(g.Reshape(n.linear(x, layer, queryProj), rows, queries, c.Heads, c.HeadDim), at)
	k := rotate(g.Reshape(n.linear(x, layer, keyProj), rows, queries, c.KVHeads, c.HeadDim), at)
	v := g.Reshape(n.linear(x, layer, valueProj), rows, queries, c.KVHeads, c.HeadDim)
	all := cache{g.TransposeAllAxes(k, 0, 2, 1, 3), g.TransposeAllAxes(v, 0, 2, 1, 3)}
	if at.with != nil {
		all = at.with(layer, all)
	}
	keys := all.k.Shape().Dim(2)
	q = g.TransposeAllAxes(g.Reshape(q, rows, queries, c.KVHeads, group, c.HeadDim), 0, 2, 3, 1, 4)
	q = g.MulScalar(g.Reshape(q, rows, c.KVHeads, group*queries, c.HeadDim), 1/math.Sqrt(float64(c.HeadDim)))
	score := g.DotGeneral(q, []int{3}, []int{0, 1}, all.k, []int{3}, []int{0, 1})
	score = g.Add(g.Reshape(score, rows, c.KVHeads, group, queries, keys), at.mask)
	weight := g.Reshape(g.Softmax(score, -1), rows, c.KVHeads, group*queries, keys)
	out := g.DotGeneral(weight, []int{3}, []int{0, 1}, all.v, []int{2}, []int{0, 1})
	out = g.TransposeAllAxes(g.Reshape(out, rows, c.KVHeads, group, queries, c.HeadDim), 0, 3, 1, 2, 4)
	return n.linear(g.Reshape(out, rows*queries, c.Heads*c.HeadDim), layer, outputProj), all
}

// unseen is added to the score of a key that a query may not see: finite, so that no row
// is −∞ throughout, and low enough for a weight of 0 beside any other score.
const unseen = -1e30

// mask returns 0 where a query may see a key and unseen elsewhere.
func mask(see *g.Node) *g.Node {
	zero := g.Zeros(see.Graph(), shapes.Make(dtypes.Float32, see.Shape().Dimensions...))
	return g.Where(see, zero, g.AddScalar(zero, unseen))
}

// feedForward returns down(silu(gate(x)) ⊙ up(x)).
func (n *net) feedForward(layer int, x *g.Node) *g.Node {
	gate := n.linear(x, layer, gateProj)
	return n.linear(g.Mul(g.Mul(gate, g.Logistic(gate)), n.linear(x, layer, upProj)), layer, downProj)
}

// linear returns x·Wᵀ, and with an adapter on W x·Wᵀ + (α/r)·drop(x)·Aᵀ·Bᵀ.
func (n *net) linear(x *g.Node, layer, which int) *g.Node {
	y := timesTransposed(x, n.base[inLayer(layer, which)])
	if n.lora == nil {
		return y
	}
	at := n.lora.place(layer, which)
	if at < 0 {
		return y
	}
	if n.dropout != nil {
		x = n.drop(x)
	}
	low := timesTransposed(timesTransposed(x, n.adapter[at]), n.adapter[at+1])
	return g.Add(y, g.MulScalar(low, n.lora.scale()))
}

// drop sets each element to 0 with the probability of the adapter's dropout, and
// multiplies the others so that the mean stays.
func (n *net) drop(x *g.Node) *g.Node {
	var u *g.Node
	n.dropout, u = g.RandomUniform(n.dropout, x.Shape())
	p := n.lora.Dropout
	keep := g.GreaterOrEqual(u, g.Scalar(x.Graph(), x.DType(), p))
	return g.Where(keep, g.MulScalar(x, 1/(1-p)), g.ZerosLike(x))
}

func timesTransposed(x, w *g.Node) *g.Node {
	return g.DotGeneral(x, []int{1}, nil, w, []int{1}, nil)
}

// rotate turns the pairs (x[i], x[i + HeadDim/2]) of [rows, queries, heads, HeadDim].
func rotate(x *g.Node, at site) *g.Node {
	half := x.Shape().Dim(-1) / 2
	a := g.SliceAxis(x, -1, g.AxisRange(0, half))
	b := g.SliceAxis(x, -1, g.AxisRange(half))
	return g.Concatenate([]*g.Node{
		g.Sub(g.Mul(a, at.cos), g.Mul(b, at.sin)),
		g.Add(g.Mul(b, at.cos), g.Mul(a, at.sin)),
	}, -1)
}

// causal returns the site of whole sequences of the given length, from their beginning.
func (n *net) causal(graph *g.Graph, length int) site {
	cos, sin := n.cfg.turns(length)
	shape := []int{1, length, 1, n.cfg.HeadDim / 2}
	query := g.Iota(graph, shapes.Make(dtypes.Int32, length, length), 0)
	key := g.Iota(graph, shapes.Make(dtypes.Int32, length, length), 1)
	return site{
		cos:  g.Reshape(g.Const(graph, cos), shape...),
		sin:  g.Reshape(g.Const(graph, sin), shape...),
		mask: g.Reshape(mask(g.LessOrEqual(key, query)), 1, 1, 1, length, length),
	}
}
