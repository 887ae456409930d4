package train_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

func TestDataErrors(t *testing.T) {
	for want, d := range map[string]data{
		"train: Data has no rows":                             {},
		"train: Data.Chosen has 1 rows, X has 2":              {X: make([]x, 2), Chosen: []int{1}},
		"train: Data.Rejected has 3 rows, X has 2":            {X: make([]x, 2), Chosen: []int{1, 1}, Rejected: []int{0, 0, 0}},
		"train: Data.RefChosen has 0 rows, X has 1":           {X: make([]x, 1), RefChosen: []float64{}},
		"train: Data.RefRejected has 2 rows, X has 1":         {X: make([]x, 1), RefRejected: []float64{0, 0}},
		"train: Data.ChosenLen has 2 rows, X has 1":           {X: make([]x, 1), ChosenLen: []int{1, 1}},
		"train: Data.RejectedLen has 2 rows, X has 1":         {X: make([]x, 1), RejectedLen: []int{1, 1}},
		"train: Data.ChosenLen[1] = 0, must be at least 1":    {X: make([]x, 2), ChosenLen: []int{1, 0}},
		"train: Data.RejectedLen[0] = -3, must be at least 1": {X: make([]x, 1), RejectedLen: []int{-3}},
	} {
		l := newToy(2, 4).loop()
		l.Data = d
		_, err := l.Run(ctx)
		assert.EqualError(t, err, want)
	}
}

// scorer is a policy given by its LogProbs.
type scorer func(dst []float64, xs []string, ys []string) error

func (s scorer) LogProbs(ctx context.Context, dst []float64, xs []string, ys []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s(dst, xs, ys)
}

// lengths scores a reply by a number that says which item it was.
var lengths = scorer(func(dst []float64, xs, ys []string) error {
	for i, x := range xs {
		dst[i] = -float64(10*len(x) + len(ys[i]))
	}
	return nil
})

func words() train.Data[string, string] {
	return train.Data[string, string]{
		X: []string{"a", "aa", "aaa"}, Chosen: []string{"b", "bb", ""}, Rejected: []string{"", "c", "cc"},
	}
}

func TestCacheRef(t *testing.T) {
	for batch, calls := range map[int][]int{1: {1, 2, 3}, 2: {2, 3}, 3: {3}, 99: {3}} {
		d := words()
		var done []int
		require.NoError(t, d.CacheRef(ctx, lengths, batch, func(n int) { done = append(done, n) }))
		assert.Equal(t, []float64{-11, -22, -30}, d.RefChosen)
		assert.Equal(t, []float64{-10, -21, -32}, d.RefRejected)
		assert.Equal(t, calls, done)
	}
	demonstrations := train.Data[string, string]{X: []string{"a"}, Chosen: []string{"b"}}
	require.NoError(t, demonstrations.CacheRef(ctx, lengths, 1, nil))
	assert.Equal(t, []float64{-11}, demonstrations.RefChosen)
	assert.Nil(t, demonstrations.RefRejected)
}

// TestCacheRefErrors leaves the cache as it was.
func TestCacheRefErrors(t *testing.T) {
	bad := scorer(func(dst []float64, xs, ys []string) error {
		_ = lengths(dst, xs, ys)
		for i, y := range ys {
			if y == "cc" {
				return &policy.ItemError{Index: i, Err: policy.ErrResponse}
			}
		}
		return nil
	})
	failure := errors.New("the server is gone")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		name, want string
		ctx        context.Context
		ref        scorer
		batch      int
		d          train.Data[string, string]
	}{
		{"item", "train: CacheRef: row 2, Rejected: ", ctx, bad, 2, words()},
		{"no item", "train: CacheRef: the server is gone", ctx, func([]float64, []string, []string) error { return failure }, 2, words()},
		{"no batch", "train: CacheRef: batch = 0, must be at least 1", ctx, lengths, 0, words()},
		{"negative batch", "train: CacheRef: batch = -5, must be at least 1", ctx, lengths, -5, words()},
		{"context", "train: CacheRef: context canceled", cancelled, lengths, 1, words()},
		{"data", "train: CacheRef: train: Data has no rows", ctx, lengths, 1, train.Data[string, string]{}},
	} {
		c.d.RefChosen = make([]float64, c.d.Len())
		assert.ErrorContains(t, c.d.CacheRef(c.ctx, c.ref, c.batch, nil), c.want, c.name)
		assert.Equal(t, make([]float64, c.d.Len()), c.d.RefChosen, c.name)
		assert.Nil(t, c.d.RefRejected, c.name)
	}
}

func TestCheckInit(t *testing.T) {
	toy := newToy(4, 16)
	require.NoError(t, train.CheckInit(ctx, toy.LogLinear, toy.ref, &toy.data, 3, 1e-14))

	toy.Params()[0] = 1e-6 // a wrong checkpoint
	err := train.CheckInit(ctx, toy.LogLinear, toy.ref, &toy.data, 3, 1e-9)
	assert.ErrorContains(t, err, "train: CheckInit: row 0: log π(Chosen) = -")
	assert.NoError(t, train.CheckInit(ctx, toy.LogLinear, toy.ref, &toy.data, 3, 1e-3))
	toy.Params()[0] = 0

	// A cache of another reference.
	toy.data.RefRejected[5] += 0.01
	err = train.CheckInit(ctx, toy.LogLinear, toy.ref, &toy.data, 3, 1e-9)
	assert.ErrorContains(t, err, "train: CheckInit: row 5: log π(Rejected) = ")
	assert.ErrorContains(t, err, " but RefRejected = ")
	toy.data.RefChosen[7] += 0.01
	err = train.CheckInit(ctx, toy.LogLinear, toy.ref, &toy.data, 3, 1e-9)
	assert.ErrorContains(t, err, "train: CheckInit: row 7: log π(Chosen) = ")
	assert.ErrorContains(t, err, " but RefChosen = ")
}

func TestCheckInitErrors(t *testing.T) {
	constant := func(v float64) scorer {
		return func(dst []float64, _, _ []string) error {
			for i := range dst {
				dst[i] = v
			}
			return nil
		}
	}
	inf := math.Inf(-1)
	d := words()
	for _, c := range []struct {
		p, ref float64
		ok     bool
	}{{-1, -1, true}, {-1, -1.1, false}, {inf, inf, true}, {inf, -1, false}, {-1, inf, false}, {math.NaN(), -1, false}, {math.NaN(), math.NaN(), false}} {
		err := train.CheckInit(ctx, constant(c.p), constant(c.ref), &d, 2, 0.05)
		assert.Equal(t, c.ok, err == nil, "%v against %v: %v", c.p, c.ref, err)
	}
	broken := scorer(func([]float64, []string, []string) error { return &policy.ItemError{Index: 1, Err: policy.ErrPrompt} })
	assert.ErrorContains(t, train.CheckInit(ctx, broken, lengths, &d, 2, 1), "train: CheckInit: policy: row 1, Chosen: ")
	assert.ErrorContains(t, train.CheckInit(ctx, lengths, broken, &d, 3, 1), "train: CheckInit: reference: row 1, Chosen: ")
	assert.ErrorContains(t, train.CheckInit(ctx, lengths, lengths, &d, 0, 1), "batch = 0, must be at least 1")
	empty := train.Data[string, string]{X: []string{"a"}}
	assert.EqualError(t, train.CheckInit(ctx, lengths, lengths, &empty, 1, 1), "train: CheckInit: Data has no replies")
}
