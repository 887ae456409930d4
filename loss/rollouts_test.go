package loss_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// randomRollouts makes n replies whose tokens have log-ratios to π_old and to π_ref with the
// given standard deviation; with even, the advantages of a reply's tokens are the same. What
// must not be read is NaN.
func randomRollouts(seed uint64, n int, spread float64, masked, even bool) loss.Rollouts {
	rng := rand.New(rand.NewPCG(seed, 7))
	l := randomLayout(seed, n, masked)
	b := loss.Rollouts{Layout: l,
		Old:       tokenValues(l, func() float64 { return -0.1 - 3*rng.Float64() }),
		Entropy:   tokenValues(l, func() float64 { return 4 * rng.Float64() }),
		Advantage: tokenValues(l, rng.NormFloat64),
		Weight:    tokenValues(l, func() float64 { return 2 * rng.Float64() }),
	}
	b.LogProb, b.Ref, b.Behaviour = slices.Clone(b.Old), slices.Clone(b.Old), slices.Clone(b.Old)
	for p := range b.Old {
		b.LogProb[p] += spread * rng.NormFloat64()
		b.Ref[p] += spread * rng.NormFloat64()
		b.Behaviour[p] += spread * rng.NormFloat64()
	}
	if even {
		for i := range n {
			a := rng.NormFloat64()
			for p := b.Begin[i]; p < b.Begin[i+1]; p++ {
				if b.Advantage[p] == b.Advantage[p] {
					b.Advantage[p] = a
				}
			}
		}
	}
	b.Truncated = make([]bool, n)
	for i := range b.Truncated {
		b.Truncated[i] = rng.IntN(4) == 0
	}
	return b
}

func rolloutsOut(b loss.Rollouts) loss.RolloutsOut {
	n := len(b.LogProb)
	return loss.RolloutsOut{Loss: make([]float64, b.Len()), LogProb: make([]float64, n), Entropy: make([]float64, n)}
}

func evalRollouts(t testing.TB, l loss.PolicyGradient, b loss.Rollouts) (loss.RolloutsOut, loss.RolloutsTotal) {
	t.Helper()
	out := rolloutsOut(b)
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}

// those returns the elements of v at tokens of reply i that count.
func those(b loss.Rollouts, v []float64, i int) []float64 {
	if v == nil {
		return nil
	}
	var out []float64
	lo, hi := b.Reply(i)
	for p := lo; p < hi; p++ {
		if b.Counts(p) {
			out = append(out, v[p])
		}
	}
	return out
}

func plain(b loss.Rollouts, i int) plainReply {
	return plainReply{those(b, b.Old, i), those(b, b.Ref, i), those(b, b.Advantage, i), those(b, b.Weight, i), those(b, b.Entropy, i)}
}

// Values are those of the definitions, derivatives their central differences, with what is
// detached held. The step keeps clear of kinks in nearly every coordinate, and a coordinate
// whose differences on both sides do not agree is at one.
func TestPolicyGradientDerivatives(t *testing.T) {
	for _, l := range policyGradients {
		t.Run(l.name, func(t *testing.T) {
			checked, kinks := 0, 0
			for seed := range uint64(6) {
				b := randomRollouts(seed, 8, 0.4, seed%2 == 0, seed%3 == 0)
				if seed == 5 {
					b.Weight = nil
				}
				out, total := evalRollouts(t, l, b)
				sum := 0.0
				for i := range b.Len() {
					r, lp := plain(b, i), those(b, b.LogProb, i)
					scale := 1.0
					if l.mean {
						scale = 1 / float64(len(lp))
					}
					want := scale * l.value(r, lp, lp)
					assert.InDelta(t, want, out.Loss[i], 1e-13*(1+math.Abs(want)))
					sum += out.Loss[i]
					held := slices.Clone(lp)
					at := func(j int, h float64) float64 {
						x := slices.Clone(lp)
						x[j] += h
						return scale * l.value(r, x, held)
					}
					got := those(b, out.LogProb, i)
					for j := range lp {
						const h = 1e-4
						right, left := at(j, h)-at(j, 0), at(j, 0)-at(j, -h)
						if math.Abs(right-left) > 100*h*h {
							kinks++
							continue
						}
						checked++
						want := (8*(at(j, h)-at(j, -h)) - (at(j, 2*h) - at(j, -2*h))) / (12 * h)
						assert.InDelta(t, want, got[j], 1e-9, "seed %d, reply %d, token %d", seed, i, j)
					}
				}
				assert.InDelta(t, sum, total.Sum, 1e-12)
			}
			assert.Greater(t, checked, 100)
			assert.LessOrEqual(t, kinks, 3)
		})
	}
}

// Prompt positions and masked ones are NaN in these batches: they have no derivative, are not
// in any sum, and a batch without them gives the same bits.
func TestPolicyGradientMaskIsSubset(t *testing.T) {
	for _, l := range policyGradients {
		b := randomRollouts(11, 6, 0.4, true, true)
		out, total := evalRollouts(t, l, b)
		dense := loss.Rollouts{Layout: loss.Layout{Begin: []int{0}, Prompt: make([]int, b.Len())}}
		var want []float64
		masked := 0
		for i := range b.Len() {
			for _, f := range []struct{ to, from *[]float64 }{{&dense.LogProb, &b.LogProb}, {&dense.Old, &b.Old}, {&dense.Ref, &b.Ref},
				{&dense.Advantage, &b.Advantage}, {&dense.Weight, &b.Weight}, {&dense.Entropy, &b.Entropy}} {
				*f.to = append(*f.to, those(b, *f.from, i)...)
			}
			want = append(want, those(b, out.LogProb, i)...)
			dense.Begin = append(dense.Begin, len(dense.LogProb))
			lo, hi := b.Reply(i)
			masked += hi - lo - b.Count(i)
		}
		got, denseTotal := evalRollouts(t, l, dense)
		bits(t, want, got.LogProb, l.name)
		bits(t, out.Loss, got.Loss, l.name)
		assert.Equal(t, masked, total.Masked, l.name)
		denseTotal.Masked = total.Masked
		assert.Equal(t, denseTotal, total, l.name)
		for p, v := range b.LogProb {
			if v != v {
				assert.Zero(t, out.LogProb[p], l.name)
				assert.Zero(t, out.Entropy[p], l.name)
			}
		}
	}
}

// A batch that is split gives the same sums, losses and derivatives, but for objectives that
// say they are coupled.
func TestPolicyGradientSplits(t *testing.T) {
	for _, l := range policyGradients {
		b := randomRollouts(3, 9, 0.4, true, false)
		whole, total := evalRollouts(t, l, b)
		assert.Equal(t, l.coupled, loss.IsCoupled(l.PolicyGradient), l.name)
		var sum loss.RolloutsTotal
		for _, part := range [][2]int{{0, 2}, {2, 3}, {3, 3}, {3, 9}} {
			c := rolloutsPart(b, part[0], part[1])
			out, t1 := evalRollouts(t, l, c)
			sum.Add(t1)
			bits(t, whole.Loss[part[0]:part[1]], out.Loss, l.name)
			bits(t, whole.LogProb[b.Begin[part[0]]:b.Begin[part[1]]], out.LogProb, l.name)
			bits(t, whole.Entropy[b.Begin[part[0]]:b.Begin[part[1]]], out.Entropy, l.name)
		}
		for _, v := range [][2]*float64{{&total.Sum, &sum.Sum}, {&total.K1, &sum.K1}, {&total.K3, &sum.K3}, {&total.Entropy, &sum.Entropy}} {
			assert.InDelta(t, *v[0], *v[1], 1e-12, l.name)
			*v[0], *v[1] = 0, 0
		}
		assert.Equal(t, total, sum, l.name)
	}
}

// rolloutsPart is replies lo … hi−1.
func rolloutsPart(b loss.Rollouts, lo, hi int) loss.Rollouts {
	p, q := b.Begin[lo], b.Begin[hi]
	c := loss.Rollouts{Layout: loss.Layout{Prompt: b.Prompt[lo:hi]}, LogProb: b.LogProb[p:q], Old: b.Old[p:q], Ref: b.Ref[p:q],
		Advantage: b.Advantage[p:q], Weight: b.Weight[p:q], Entropy: b.Entropy[p:q], Behaviour: b.Behaviour[p:q], Truncated: b.Truncated[lo:hi]}
	if b.Mask != nil {
		c.Mask = b.Mask[p:q]
	}
	for _, x := range b.Begin[lo : hi+1] {
		c.Begin = append(c.Begin, x-p)
	}
	return c
}
