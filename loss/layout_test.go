package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/loss"
)

// tokenValues makes a value for each position of a flat slice, NaN where it must not be read.
func tokenValues(l loss.Layout, f func() float64) []float64 {
	v := make([]float64, l.Begin[l.Len()])
	for i := range v {
		v[i] = math.NaN()
	}
	for i := range l.Len() {
		lo, hi := l.Reply(i)
		for p := lo; p < hi; p++ {
			if l.Counts(p) {
				v[p] = f()
			}
		}
	}
	return v
}

// randomLayout makes n sequences of up to 5 prompt tokens and 1 to 9 reply tokens, of which a
// mask leaves out a third but never the first.
func randomLayout(seed uint64, n int, masked bool) loss.Layout {
	rng := rand.New(rand.NewPCG(seed, 6))
	l := loss.Layout{Begin: []int{0}}
	for range n {
		prompt, reply := rng.IntN(6), 1+rng.IntN(9)
		l.Prompt = append(l.Prompt, prompt)
		l.Begin = append(l.Begin, l.Begin[len(l.Begin)-1]+prompt+reply)
	}
	if masked {
		l.Mask = make([]bool, l.Begin[n])
		for i := range n {
			lo, hi := l.Reply(i)
			for p := lo; p < hi; p++ {
				l.Mask[p] = p == lo || rng.IntN(3) > 0
			}
		}
	}
	return l
}

// counted lists the positions of reply i that count.
func counted(l loss.Layout, i int) (at []int) {
	for p := l.Begin[i] + l.Prompt[i]; p < l.Begin[i+1]; p++ {
		if l.Mask == nil || l.Mask[p] {
			at = append(at, p)
		}
	}
	return at
}

func TestLayout(t *testing.T) {
	l := loss.Layout{Begin: []int{0, 4, 6}, Prompt: []int{1, 0}, Mask: []bool{true, true, false, true, false, false}}
	assert.Equal(t, 2, l.Len())
	lo, hi := l.Reply(0)
	assert.Equal(t, [2]int{1, 4}, [2]int{lo, hi})
	assert.Equal(t, []int{2, 0}, []int{l.Count(0), l.Count(1)})
	l.Mask = nil
	assert.Equal(t, []int{3, 2}, []int{l.Count(0), l.Count(1)})
	assert.True(t, l.Counts(2))
}

func TestLayoutPanics(t *testing.T) {
	four := make([]float64, 4)
	for name, l := range map[string]loss.Layout{
		"no offsets":       {Prompt: []int{0}},
		"none at all":      {},
		"too few offsets":  {Begin: []int{0}, Prompt: []int{0}},
		"starts late":      {Begin: []int{1, 4}, Prompt: []int{0}},
		"ends early":       {Begin: []int{0, 3}, Prompt: []int{0}},
		"ends late":        {Begin: []int{0, 5}, Prompt: []int{0}},
		"negative prompt":  {Begin: []int{0, 4}, Prompt: []int{-1}},
		"prompt too long":  {Begin: []int{0, 2, 4}, Prompt: []int{3, 0}},
		"decreasing":       {Begin: []int{0, 5, 4}, Prompt: []int{0, 0}},
		"short mask":       {Begin: []int{0, 4}, Prompt: []int{0}, Mask: make([]bool, 3)},
		"mask of no batch": {Begin: []int{0, 4}, Prompt: []int{0}, Mask: []bool{}},
	} {
		assert.Panics(t, func() { loss.TokenNLL{By: loss.SumTokens}.Eval(loss.TokenOut{}, l, four) }, name)
	}
	for _, l := range []loss.Layout{{}, {Begin: []int{0}}, {Begin: []int{0, 0}, Prompt: []int{0}}} {
		_, err := loss.TokenNLL{By: loss.SumTokens}.Eval(loss.TokenOut{}, l, nil)
		assert.NoError(t, err)
	}
}
