package tokenizer

import (
	"container/heap"
	"fmt"
	"unicode/utf8"
)

// bpe is the model: it merges neighbouring tokens, the pair of the lowest rank first.
type bpe struct {
	vocab        map[string]int32
	merges       map[[2]int32]merged
	bytes        *[256]int32 // ids of single bytes, nil: no fallback
	unknown      int32       // −1: none
	fuse, ignore bool
}

// merged is what becomes of a pair.
type merged struct{ rank, id int32 }

func (m *modelPart) bpe() (*bpe, error) {
	switch {
	case m.Type != "BPE":
		return nil, fmt.Errorf("model of type %q is not supported", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("model with a dropout of %v is not supported", *m.Dropout)
	case m.Prefix != nil && *m.Prefix != "", m.Suffix != nil && *m.Suffix != "":
		return nil, fmt.Errorf("model with a prefix or suffix of words is not supported")
	}
	b := &bpe{vocab: m.Vocab, merges: map[[2]int32]merged{}, unknown: -1, fuse: m.FuseUnknown, ignore: m.IgnoreMerges}
	if m.Unknown != nil {
		id, ok := m.Vocab[*m.Unknown]
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *m.Unknown)
		}
		b.unknown = id
	}
	for i, p := range m.Merges {
		left, ok := m.Vocab[p[0]]
		right, ok2 := m.Vocab[p[1]]
		both, ok3 := m.Vocab[p[0]+p[1]]
		if !ok || !ok2 || !ok3 {
			return nil, fmt.Errorf("merges[%d], %q: not in the vocabulary", i, p)
		}
		b.merges[[2]int32{left, right}] = merged{int32(i), both}
	}
	if m.ByteFallback {
		b.bytes = new([256]int32)
		for i := range b.bytes {
			id, ok := m.Vocab[fmt.Sprintf("<0x%02X>", i)]
			if !ok {
				return nil, fmt.Errorf("byte_fallback without the token <0x%02X>", i)
			}
			b.bytes[i] = id
		}
	}
	return b, nil
}

// symbol is a token of a word in progress, in a list.
type symbol struct {
	id         int32 // −1: merged into the one before
	prev, next int   // −1: none
}

// candidate is a pair that may be merged.
type candidate struct {
	merged
	at          int   // of the left token
	left, right int32 // their ids when the pair was found
}

// queue has the candidate of the lowest rank first, and the leftmost of equals.
type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// encode appends the ids of a word.
func (b *bpe) encode(ids []int32, word string) []int32 {
	if id, ok := b.vocab[word]; ok && b.ignore {
		return append(ids, id)
	}
	s := b.symbols(word)
	var q queue
	pair := func(at int) {
		if at < 0 || s[at].next < 0 {
			return
		}
		left, right := s[at].id, s[s[at].next].id
		if m, ok := b.merges[[2]int32{left, right}]; ok {
			heap.Push(&q, candidate{m, at, left, right})
		}
	}
	for i := range s {
		pair(i)
	}
	for len(q) > 0 {
		c := heap.Pop(&q).(candidate)
		next := s[c.at].next
		if s[c.at].id != c.left || next < 0 || s[next].id != c.right {
			continue // one of the two has been merged since
		}
		s[c.at].id, s[c.at].next, s[next].id = c.id, s[next].next, -1
		if after := s[c.at].next; after >= 0 {
			s[after].prev = c.at
		}
		pair(s[c.at].prev)
		pair(c.at)
	}
	for _, x := range s {
		if x.id >= 0 {
			ids = append(ids, x.id)
		}
	}
	return ids
}

// symbols returns a word's characters, or what stands for them.
func (b *bpe) symbols(word string) []symbol {
	var s []symbol
	add := func(id int32) {
		s = append(s, symbol{id, len(s) - 1, len(s) + 1})
	}
	unknown := false // whether the last symbol is the unknown token
	for at, width := 0, 0; at < len(word); at += width {
		_, width = utf8.DecodeRuneInString(word[at:])
		char := word[at : at+width]
		id, ok := b.vocab[char]
		switch {
		case ok:
			add(id)
		case b.bytes != nil:
			for i := range len(char) {
				add(b.bytes[char[i]])
			}
		case b.unknown >= 0:
			if !unknown || !b.fuse {
				add(b.unknown)
			}
			unknown = true
			continue
		}
		unknown = false
	}
	if len(s) > 0 {
		s[len(s)-1].next = -1
	}
	return s
}
