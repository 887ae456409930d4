package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/combin"

	"github.com/prefgrad/prefgrad/rloo"
)

// sampled is a batch of draws: of which prompt each is, and which response.
type sampled struct{ prompt, y []int }

// expectation enumerates all draws of sizes[g] responses from each policy g. For each of
// them it returns the mean of (1/n)·Σ Aᵢ·∇ log π(yᵢ), the sum over its own samples.
func expectation(t *testing.T, ps []softmax, sizes []int, estimator func(sampled) rloo.Advantage) [][]float64 {
	t.Helper()
	g := rloo.Groups{Begin: []int{0}}
	var s sampled
	var logp, scores = make([][]float64, len(ps)), make([][][]float64, len(ps))
	mean := make([][]float64, len(ps))
	for i, p := range ps {
		g.Begin = append(g.Begin, g.Begin[i]+sizes[i])
		for range sizes[i] {
			s.prompt = append(s.prompt, i)
		}
		logp[i], scores[i], mean[i] = logSoftmax(p.logits), p.scores(), make([]float64, len(p.logits))
	}
	n := len(s.prompt)
	s.y = make([]int, n)
	reward, dst := make([]float64, n), make([]float64, n)
	var rec func(i int, l float64)
	rec = func(i int, l float64) {
		if i < n {
			p := s.prompt[i]
			for y, lp := range logp[p] {
				s.y[i], reward[i] = y, ps[p].reward[y]
				rec(i+1, l+lp)
			}
			return
		}
		_, err := estimator(s).Eval(dst, reward, g)
		require.NoError(t, err)
		for j, a := range dst {
			floats.AddScaled(mean[s.prompt[j]], math.Exp(l)*a/float64(n), scores[s.prompt[j]][s.y[j]])
		}
	}
	rec(0, 0)
	return mean
}

func always(a rloo.Advantage) func(sampled) rloo.Advantage {
	return func(sampled) rloo.Advantage { return a }
}

// policyGradient is E[f(y)·∇ log π(y)], scaled.
func (p softmax) policyGradient(f []float64, scale float64) []float64 {
	g := make([]float64, len(f))
	for y, lp := range logSoftmax(p.logits) {
		floats.AddScaled(g, scale*math.Exp(lp)*f[y], p.scores()[y])
	}
	return g
}

func randomPrompts(n int, responses ...int) []softmax {
	ps := make([]softmax, len(responses))
	for i, r := range responses {
		ps[i] = randomSoftmax(uint64(n+i), r)
	}
	return ps
}

// norms is ‖∇ log π(y)‖² of each sample.
func norms(ps []softmax) func(s sampled) []float64 {
	return func(s sampled) []float64 {
		w := make([]float64, len(s.y))
		for i, y := range s.y {
			v := ps[s.prompt[i]].scores()[y]
			w[i] = floats.Dot(v, v)
		}
		return w
	}
}

// lengths are some numbers of tokens for the responses.
func lengths(s sampled) []float64 {
	w := make([]float64, len(s.y))
	for i, y := range s.y {
		w[i] = []float64{1, 7, 3, 20, 2}[y]
	}
	return w
}

// These estimate ∇ E[r]: of each prompt, with as much weight as it has samples.
func TestTheoryUnbiasedAdvantages(t *testing.T) {
	one, two, four := randomPrompts(1, 5), randomPrompts(2, 4, 3), randomPrompts(4, 3, 3, 2, 3)
	ps := randomPrompts(6, 3)
	heavy := func(s sampled) rloo.Advantage { // one weight above half of the total, others 0
		w := make([]float64, len(s.y))
		for i, y := range s.y {
			w[i] = []float64{1, 0, 1e6}[y]
		}
		return rloo.OptimalBaseline{Weight: w}
	}
	for _, c := range []struct {
		name      string
		prompts   []softmax
		sizes     []int
		estimator func(sampled) rloo.Advantage
	}{
		{"RLOO", one, []int{4}, always(rloo.RLOO{})},
		{"RLOO, ragged", two, []int{3, 2}, always(rloo.RLOO{})},
		{"ReMax", two, []int{2, 1}, always(rloo.ReMax{Baseline: []float64{3, -7}})},
		{"OptimalBaseline, norms", one, []int{3}, func(s sampled) rloo.Advantage { return rloo.OptimalBaseline{Weight: norms(one)(s)} }},
		{"OptimalBaseline, lengths", one, []int{4}, func(s sampled) rloo.Advantage { return rloo.OptimalBaseline{Weight: lengths(s)} }},
		{"OptimalBaseline, ragged", two, []int{2, 3}, func(s sampled) rloo.Advantage { return rloo.OptimalBaseline{Weight: lengths(s)} }},
		{"OptimalBaseline, heavy and nothing", ps, []int{4}, heavy},
		{"ControlVariate, single samples", four, []int{1, 1, 1, 1}, always(rloo.ControlVariate{Value: []float64{1, 0.5, -1, 3}})},
		{"ControlVariate, groups", two, []int{2, 3}, always(rloo.ControlVariate{Value: []float64{1, -1}})},
		{"ControlVariate, alone", two, []int{3, 1}, always(rloo.ControlVariate{Value: []float64{1, -1}})},
		{"ControlVariate, equal values", two, []int{2, 2}, always(rloo.ControlVariate{Value: []float64{2, 2}})},
		{"PassAtK of 1", one, []int{3}, always(rloo.PassAtK{K: 1})},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			for _, k := range c.sizes {
				n += k
			}
			for g, mean := range expectation(t, c.prompts, c.sizes, c.estimator) {
				p := c.prompts[g]
				assert.InDeltaSlice(t, p.policyGradient(p.reward, float64(c.sizes[g])/float64(n)), mean, 1e-13)
			}
		})
	}
}

// The mean of PassAtK is the gradient of the best of K, however many samples there are.
func TestTheoryPassAtK(t *testing.T) {
	p := randomSoftmax(3, 4)
	p.reward[1] = p.reward[2] // a tie
	for _, c := range []struct{ k, n int }{{2, 2}, {4, 4}, {2, 4}, {3, 4}, {2, 5}, {4, 5}} {
		want, scores := make([]float64, 4), p.scores()
		p.draws(c.k, func(ys []int, prob float64) {
			best := floats.Max(gather(p.reward, ys))
			for _, y := range ys {
				floats.AddScaled(want, prob*best, scores[y])
			}
		})
		k := c.k
		if k == c.n {
			k = 0
		}
		mean := expectation(t, []softmax{p}, []int{c.n}, always(rloo.PassAtK{K: k}))[0]
		assert.InDeltaSlice(t, want, mean, 1e-13, "%+v", c)
	}
}

// The definition of PassAtK over all sets of K samples.
func TestPassAtKBySets(t *testing.T) {
	reward, _, _ := randomSamples(7)
	reward[3], reward[5] = reward[0], reward[0]
	for k := 2; k <= 7; k++ {
		want := make([]float64, 7)
		for _, set := range combin.Combinations(7, k) {
			for _, p := range set {
				all, others := math.Inf(-1), math.Inf(-1)
				for _, q := range set {
					all = max(all, reward[q])
					if q != p {
						others = max(others, reward[q])
					}
				}
				want[p] += 7 * (all - others) / float64(combin.Binomial(7, k))
			}
		}
		dst := make([]float64, 7)
		_, err := rloo.PassAtK{K: k}.Eval(dst, reward, rloo.Groups{K: 7})
		require.NoError(t, err)
		assert.InDeltaSlice(t, want, dst, 1e-13, "k = %d", k)
	}
}

// The group mean scales the gradient of each prompt by (k−1)/k; and a mean over all
// prompts by (n−1)/n.
func TestTheoryGroupMean(t *testing.T) {
	one, two := randomPrompts(1, 5), randomPrompts(2, 4, 3)
	mean := expectation(t, one, []int{4}, always(rloo.GroupMean{}))
	assert.InDeltaSlice(t, one[0].policyGradient(one[0].reward, 3.0/4), mean[0], 1e-14)
	mean = expectation(t, two, []int{2, 3}, always(rloo.GroupMean{}))
	assert.InDeltaSlice(t, two[0].policyGradient(two[0].reward, 2.0/5*1/2), mean[0], 1e-14)
	assert.InDeltaSlice(t, two[1].policyGradient(two[1].reward, 3.0/5*2/3), mean[1], 1e-14)
	mean = expectation(t, two, []int{2, 3}, always(pooled{rloo.GroupMean{}}))
	for g, k := range []float64{2, 3} {
		assert.InDeltaSlice(t, two[g].policyGradient(two[g].reward, k/5*4/5), mean[g], 1e-14)
	}
}

// pooled takes all samples for one group.
type pooled struct{ rloo.Advantage }

func (p pooled) Eval(dst, reward []float64, _ rloo.Groups) (rloo.Signal, error) {
	return p.Advantage.Eval(dst, reward, rloo.Groups{Begin: []int{0, len(reward)}})
}

// GPG gives prompt g the weight E[P/(1 + others with a signal)] besides (k−1)/k.
func TestTheoryGPG(t *testing.T) {
	ps := randomPrompts(7, 3, 2, 2)
	signal := make([]float64, 3) // the probability that a prompt's two samples differ
	for i, p := range ps {
		signal[i] = 1
		for _, lp := range logSoftmax(p.logits) {
			signal[i] -= math.Exp(2 * lp)
		}
	}
	for g, mean := range expectation(t, ps, []int{2, 2, 2}, always(rloo.GPG{})) {
		a, b := signal[(g+1)%3], signal[(g+2)%3]
		weight := 3*(1-a)*(1-b) + 3.0/2*(a*(1-b)+b*(1-a)) + a*b
		assert.InDeltaSlice(t, ps[g].policyGradient(ps[g].reward, weight/3/2), mean, 1e-14)
	}
}

// OPO climbs the effective reward that its documentation gives, and for equal lengths
// (k−1)/k of the true one. It is no multiple of the gradient otherwise.
func TestTheoryOPO(t *testing.T) {
	p := randomSoftmax(8, 4)
	length := []float64{1, 7, 3, 20}
	logp := logSoftmax(p.logits)
	for _, k := range []int{2, 3, 4} {
		effective := make([]float64, 4)
		p.draws(k-1, func(others []int, prob float64) {
			for y := range logp {
				sum, total := 0.0, length[y]
				for _, o := range others {
					sum += length[o] * (p.reward[y] - p.reward[o])
					total += length[o]
				}
				effective[y] += prob * sum / total
			}
		})
		mean := expectation(t, []softmax{p}, []int{k}, func(s sampled) rloo.Advantage { return rloo.OPO{Length: lengths(s)} })[0]
		assert.InDeltaSlice(t, p.policyGradient(effective, 1), mean, 1e-14)
		assert.Less(t, cosine(mean, p.policyGradient(p.reward, 1)), 0.999)

		equal := make([]float64, k)
		floats.AddConst(5, equal)
		mean = expectation(t, []softmax{p}, []int{k}, always(rloo.OPO{Length: equal}))[0]
		assert.InDeltaSlice(t, p.policyGradient(p.reward, float64(k-1)/float64(k)), mean, 1e-14)
	}
}

func cosine(a, b []float64) float64 {
	return floats.Dot(a, b) / (floats.Norm(a, 2) * floats.Norm(b, 2))
}

// A stratified pair has the mean of its responses right, but its leave-one-out estimate is
// twice the gradient: what ErrDependent is for.
func TestTheoryDependentDraws(t *testing.T) {
	p := softmax{logits: []float64{0, 0}, reward: []float64{3, 1}}
	ys := []int{0, 1} // the only stratified pair of two equally likely responses
	dst := make([]float64, 2)
	rloo.LeaveOneOut(dst, gather(p.reward, ys), 2)
	want := p.policyGradient(p.reward, 1)
	assert.Equal(t, want, estimate(p.reward, p.scores(), ys))
	floats.Scale(2, want)
	assert.Equal(t, want, estimate(dst, p.scores(), ys))
}

// E[w·r]/E[w] with w = ‖∇ log π‖² is the constant baseline of least variance, and what the
// baseline of OptimalBaseline comes to in a large group.
func TestTheoryOptimalBaseline(t *testing.T) {
	p := softmax{logits: []float64{math.Log(8), math.Log(3), 0}, reward: []float64{1, 0, 3}}
	scores := p.scores()
	var wr, w, mean float64
	var ys []int // in proportion to their probabilities
	for y, lp := range logSoftmax(p.logits) {
		q, norm := math.Exp(lp), floats.Dot(scores[y], scores[y])
		wr += q * norm * p.reward[y]
		w += q * norm
		mean += q * p.reward[y]
		for range int(math.Round(12000 * q)) {
			ys = append(ys, y)
		}
	}
	variance := func(b float64) float64 {
		total := 0.0
		for y, lp := range logSoftmax(p.logits) {
			total += math.Exp(lp) * math.Pow(p.reward[y]-b, 2) * floats.Dot(scores[y], scores[y])
		}
		return total // less a constant, the square of the gradient
	}
	best := variance(wr / w)
	for _, b := range []float64{mean, 0, wr/w + 0.01, wr/w - 0.01} {
		assert.Less(t, best, variance(b)-1e-6)
	}
	dst, reward := make([]float64, len(ys)), gather(p.reward, ys)
	weight := norms([]softmax{p})(sampled{make([]int, len(ys)), ys})
	_, err := rloo.OptimalBaseline{Weight: weight}.Eval(dst, reward, rloo.Groups{K: len(ys)})
	require.NoError(t, err)
	for i, a := range dst {
		assert.InDelta(t, wr/w, reward[i]-a, 1e-3)
	}
}
