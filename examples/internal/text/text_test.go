package text

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBPERoundTrip(t *testing.T) {
	texts := []string{"the cat sat on the mat", "the cats sat  on the\n\nmats, 12 34 of them", "naïve café — “quoted”"}
	b := TrainBPE(texts, 300)
	require.Equal(t, b, TrainBPE(texts, 300), "learning does not depend on the order of maps")
	require.LessOrEqual(t, b.Vocab(), 300)
	require.Greater(t, b.Vocab(), 257, "nothing was merged")
	for _, s := range append(texts, "", " ", "never seen: zq§\x00\xff\xfe", "  two  spaces  ", "tab\tand\r\nreturn") {
		ids := b.Encode(s)
		require.Equal(t, s, b.Decode(ids))
		require.NotContains(t, ids, b.EOS())
	}
	require.Less(t, len(b.Encode("the cat sat")), 6, "frequent words are short")
	require.Equal(t, "the", b.Decode(append(b.Encode("the"), b.EOS())))
}

// TestBPEFirstMerge follows the first merges by hand: in "ab ab ab b" the pieces are "ab",
// " ab" twice and " b"; the pair (a, b) occurs 3 times, ( , a) twice, and once merged (␣, ab)
// occurs twice.
func TestBPEFirstMerge(t *testing.T) {
	b := TrainBPE([]string{"ab ab ab b"}, 259)
	require.Equal(t, []int32{256}, b.Encode("ab"))
	require.Equal(t, []int32{257}, b.Encode(" ab"))
	require.Equal(t, []int32{256, 257, 257, ' ', 'b', 'x'}, b.Encode("ab ab ab bx")[:6])
}

func TestPieces(t *testing.T) {
	var got []string
	for p := range pieces("Hi there, it's 42nd\n\n  x") {
		got = append(got, p)
	}
	require.Equal(t, []string{"Hi", " there", ",", " it's", " 42", "nd", "\n\n", " ", " x"}, got)
}

func TestBaselinesByHand(t *testing.T) {
	fit := &Tokens{X: [][]int32{{0}}, Chosen: [][]int32{{1, 1}}}
	held := &Tokens{X: [][]int32{{0}}, Chosen: [][]int32{{1}}}
	uni, bi := baselines(fit, held, 2)
	// p(1) = (2 + ½)/(2 + 1) = 5/6. After 0 stands 1 once of once: p(1|0) = (1 + m·5/6)/(1 + m),
	// largest for m = 1: (1 + 5/6)/2 = 11/12.
	require.InDelta(t, 6./5, uni, 1e-12)
	require.InDelta(t, 12./11, bi, 1e-12)
}

func TestScorer(t *testing.T) {
	var fit, held []pair
	for i := range 40 {
		p := pair{chosen: strings.Repeat("good words here ", 1+i%4), rejected: strings.Repeat("bad words there ", 1+(i+2)%4)}
		if i < 30 {
			fit = append(fit, p)
		} else {
			held = append(held, p)
		}
	}
	for name, grams := range map[string]func(string, func(string)){"words": words, "characters": characters} {
		s, err := fitScorer(fit, held, grams)
		require.NoError(t, err)
		require.Equal(t, 1.0, s.Accuracy, name)
		require.Greater(t, s.Score("good", true), s.Score("bad", true), name)
		// The two scores differ by the length feature alone.
		reply := "good words here good words here"
		require.InDelta(t, s.weights[lengthColumn]*math.Log1p(6./lengthUnit), s.Score(reply, true)-s.Score(reply, false), 1e-12)
		require.Zero(t, s.Score("", false))
	}
}

func TestCut(t *testing.T) {
	s := Size{Reply: 3}
	require.Equal(t, []int32{1, 2, 9}, s.cut([]int32{1, 2}, 9))
	require.Equal(t, []int32{1, 2, 3}, s.cut([]int32{1, 2, 3}, 9), "a full reply has no room for EOS")
	require.Equal(t, []int32{1, 2, 3}, s.cut([]int32{1, 2, 3, 4}, 9))
}
