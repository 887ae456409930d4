package text

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// BPE is a byte-pair encoding (Sennrich, Haddow, Birch 2016, arXiv:1508.07909) over
// bytes, so that every text is representable and decoding gives it back. Ids 0 … 255 are the
// bytes, then come the merges, and the last id is the end of a reply. Merges stay within
// pieces: a word with the space before it, a run of digits, of other signs, or of white
// space. It is safe for concurrent use.
type BPE struct {
	bytes [][]byte
	ranks map[[2]int32]int32 // a pair of ids and the id that it merges to; lower is earlier
}

// Vocab returns the number of ids.
func (t *BPE) Vocab() int { return len(t.bytes) + 1 }

// EOS returns the id of the end of a reply.
func (t *BPE) EOS() int32 { return int32(len(t.bytes)) }

// Encode returns the ids of a text, without EOS.
func (t *BPE) Encode(text string) []int32 {
	var out []int32
	for piece := range pieces(text) {
		ids := toBytes(piece)
		for len(ids) > 1 {
			at, best := -1, int32(0)
			for i := range len(ids) - 1 {
				if id, ok := t.ranks[[2]int32{ids[i], ids[i+1]}]; ok && (at < 0 || id < best) {
					at, best = i, id
				}
			}
			if at < 0 {
				break
			}
			ids = merge(ids, [2]int32{ids[at], ids[at+1]}, best)
		}
		out = append(out, ids...)
	}
	return out
}

// Decode returns the text of ids; EOS is no text.
func (t *BPE) Decode(ids []int32) string {
	var b bytes.Buffer
	for _, id := range ids {
		if id != t.EOS() {
			b.Write(t.bytes[id])
		}
	}
	return b.String()
}

// word is a distinct piece of the training texts.
type word struct {
	ids   []int32
	count int
}

// TrainBPE learns an encoding of the given number of ids, at least 257, or fewer if the
// texts have no more pairs that occur twice. Ties go to the pair with the lower ids.
func TrainBPE(texts []string, vocab int) *BPE {
	counts := map[string]int{}
	for _, s := range texts {
		for p := range pieces(s) {
			counts[p]++
		}
	}
	var words []word
	for _, p := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, word{toBytes(p), counts[p]})
	}
	t := &BPE{ranks: map[[2]int32]int32{}}
	for b := range 256 {
		t.bytes = append(t.bytes, []byte{byte(b)})
	}
	pairs, where := map[[2]int32]int{}, map[[2]int32]map[int]bool{}
	for i := range words {
		words[i].tally(i, 1, pairs, where)
	}
	for t.Vocab() < vocab {
		best, n := commonest(pairs)
		if n < 2 {
			break
		}
		id := int32(len(t.bytes))
		t.ranks[best] = id
		t.bytes = append(t.bytes, slices.Concat(t.bytes[best[0]], t.bytes[best[1]]))
		for i := range where[best] {
			words[i].tally(i, -1, pairs, nil)
			words[i].ids = merge(words[i].ids, best, id)
			words[i].tally(i, 1, pairs, where)
		}
		delete(pairs, best)
		delete(where, best)
	}
	return t
}

// tally adds sign·count to the counts of the word's pairs, and notes where they are.
func (w *word) tally(index, sign int, pairs map[[2]int32]int, where map[[2]int32]map[int]bool) {
	for i := range len(w.ids) - 1 {
		p := [2]int32{w.ids[i], w.ids[i+1]}
		pairs[p] += sign * w.count
		if where == nil {
			continue
		}
		if where[p] == nil {
			where[p] = map[int]bool{}
		}
		where[p][index] = true
	}
}

func commonest(pairs map[[2]int32]int) (best [2]int32, n int) {
	for p, c := range pairs {
		if c > n || c == n && (cmp.Compare(p[0], best[0]) < 0 || p[0] == best[0] && p[1] < best[1]) {
			best, n = p, c
		}
	}
	return best, n
}

// merge replaces each occurrence of the pair by id.
func merge(ids []int32, pair [2]int32, id int32) []int32 {
	out := ids[:0]
	for i := 0; i < len(ids); i++ {
		if i+1 < len(ids) && ids[i] == pair[0] && ids[i+1] == pair[1] {
			out = append(out, id)
			i++
		} else {
			out = append(out, ids[i])
		}
	}
	return out
}

func toBytes(s string) []int32 {
	ids := make([]int32, len(s))
	for i := range len(s) {
		ids[i] = int32(s[i])
	}
	return ids
}

// pieces cuts a text before each change of the kind of character; a single space goes with
// the word behind it.
func pieces(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			r, n := utf8.DecodeRuneInString(s)
			if r == ' ' && n < len(s) {
				if next, size := utf8.DecodeRuneInString(s[n:]); kind(next) != space {
					r, n = next, n+size
				}
			}
			k := kind(r)
			for n < len(s) {
				next, size := utf8.DecodeRuneInString(s[n:])
				if kind(next) != k || k == space && next == ' ' {
					break
				}
				n += size
			}
			if !yield(s[:n]) {
				return
			}
			s = s[n:]
		}
	}
}

const (
	letter = iota
	digit
	space
	sign
)

func kind(r rune) int {
	switch {
	case unicode.IsLetter(r) || r == '\'' || r == '’':
		return letter
	case unicode.IsDigit(r):
		return digit
	case unicode.IsSpace(r):
		return space
	}
	return sign
}
