package gomlx

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	g "github.com/gomlx/gomlx/core/graph"
)

// fields is a set of the statistics of policy.TokenStats.
type fields uint8

const (
	logProb fields = 1 << iota
	entropy
	klDiv
	sumSq
	numFields = 4
)

// names of the fields in the order of their bits.
var fieldNames = [numFields]string{"LogProb", "Entropy", "KL", "SumSq"}

// dist is a softmax over rows of logits z: with d = z − max z and e = exp(d), the
// probabilities are e/sum. All nodes are [rows, Vocab] or [rows, 1].
type dist struct{ d, e, sum, logSum *g.Node }

func softmax(z *g.Node) dist {
	d := g.Sub(z, g.ReduceAndKeep(z, g.ReduceMax, -1))
	e := g.Exp(d)
	sum := keepSum(e)
	return dist{d, e, sum, g.Log(sum)}
}

func keepSum(x *g.Node) *g.Node { return g.ReduceAndKeep(x, g.ReduceSum, -1) }

func (p dist) prob() *g.Node    { return g.Div(p.e, p.sum) }
func (p dist) logProb() *g.Node { return g.Sub(p.d, p.logSum) }

// logProbOf returns the log-probability of each row's label, [rows, 1].
func (p dist) logProbOf(labels *g.Node) *g.Node {
	row := g.Iota(labels.Graph(), labels.Shape(), 0)
	at := g.Gather(p.d, g.Stack([]*g.Node{row, labels}, -1))
	return g.Sub(g.ExpandAxes(at, -1), p.logSum)
}

// entropy returns log sum − Σ e·d/sum.
func (p dist) entropy() *g.Node {
	return g.Sub(p.logSum, g.Div(keepSum(g.Mul(p.e, p.d)), p.sum))
}

// kl returns KL(p ‖ q) = Σ p·(log p − log q).
func (p dist) kl(q dist) *g.Node {
	return g.Div(keepSum(g.Mul(p.e, g.Sub(p.logProb(), q.logProb()))), p.sum)
}

// sumSq returns log Σ p² = log Σ e² − 2·log sum. The largest e is 1, so that the
// logarithm is of 1 at least.
func (p dist) sumSq() *g.Node {
	return g.Sub(g.Log(keepSum(g.Square(p.e))), g.MulScalar(p.logSum, 2))
}

// isLabel returns [rows, Vocab]: whether a token is the row's label.
func isLabel(z, labels *g.Node) *g.Node {
	tokens := g.Iota(z.Graph(), shapes.Make(dtypes.Int32, z.Shape().Dimensions...), 1)
	return g.Equal(tokens, g.BroadcastToDims(g.ExpandAxes(labels, -1), z.Shape().Dimensions...))
}

// stats returns the wanted statistics of each row, each [rows], in the order of their
// bits.
func stats(want fields, r rows) []*g.Node {
	p := softmax(r.z)
	var out []*g.Node
	for f := logProb; f < 1<<numFields; f <<= 1 {
		if want&f == 0 {
			continue
		}
		var v *g.Node
		switch f {
		case logProb:
			v = p.logProbOf(r.labels)
		case entropy:
			v = p.entropy()
		case klDiv:
			v = p.kl(softmax(r.ref))
		case sumSq:
			v = p.sumSq()
		}
		out = append(out, g.Squeeze(v, -1))
	}
	return out
}

// pull returns the gradient with respect to the logits of Σ over rows and fields of
// weight × statistic, in closed form:
//
//	log p_y      1{v=y} − p_v
//	H            −p_v·(log p_v + H)
//	KL(p‖q)      p_v·(log p_v − log q_v − KL)
//	log Σ p²     2·(p_v²/Σp² − p_v)
//
// weights has one node [rows] for each field, in the order of the bits.
func pull(have fields, r rows, weights []*g.Node) *g.Node {
	z := g.StopGradient(r.z)
	p := softmax(z)
	prob := p.prob()
	dz := g.ZerosLike(z)
	for f := logProb; f < 1<<numFields; f <<= 1 {
		if have&f == 0 {
			continue
		}
		w := g.ExpandAxes(weights[0], -1)
		weights = weights[1:]
		var v *g.Node
		switch f {
		case logProb: // 1 − p_y as −expm1(log p_y), which keeps its digits where p_y is near 1
			rest := g.BroadcastToDims(g.Neg(g.Expm1(p.logProbOf(r.labels))), z.Shape().Dimensions...)
			v = g.Where(isLabel(z, r.labels), rest, g.Neg(prob))
		case entropy:
			v = g.Neg(g.Mul(prob, g.Add(p.logProb(), p.entropy())))
		case klDiv:
			q := softmax(r.ref)
			v = g.Mul(prob, g.Sub(g.Sub(p.logProb(), q.logProb()), p.kl(q)))
		case sumSq:
			v = g.MulScalar(g.Mul(prob, g.Sub(g.Exp(g.Sub(p.logProb(), p.sumSq())), g.OnesLike(prob))), 2)
		}
		dz = g.Add(dz, g.Mul(w, v))
	}
	return dz
}
