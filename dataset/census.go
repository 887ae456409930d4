package dataset

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// Census counts pairs that say the same, and pairs that say the opposite. It changes no data: what to do about them is
// the caller's choice, and every pair counts as often as it occurs. The zero value is ready. It keeps 48 bytes or so per
// distinct pair and prompt, not the texts. Not safe for concurrent use.
type Census struct {
	Pairs          int // pairs added
	Prompts        int // distinct prompts
	Duplicates     int // pairs equal to an earlier one in prompt, chosen and rejected
	Contradictions int // pairs that prefer the other way round, each matched with one earlier pair of its own

	prompts map[digest]struct{}
	replies map[digest][2]int // how often the pair was seen in either direction
}

// digest is a truncated SHA-256, long enough that two different pairs never share one.
type digest [16]byte

func digestOf(t Text) digest {
	h := sha256.New()
	hashText(h, t)
	return digest(h.Sum(nil)[:16])
}

// Add counts one pair.
func (c *Census) Add(p Pair) {
	if c.prompts == nil {
		c.prompts, c.replies = map[digest]struct{}{}, map[digest][2]int{}
	}
	c.Pairs++
	prompt, chosen, rejected := digestOf(p.Prompt), digestOf(p.Chosen), digestOf(p.Rejected)
	if _, ok := c.prompts[prompt]; !ok {
		c.prompts[prompt] = struct{}{}
		c.Prompts++
	}
	same, other := 0, 1
	if bytes.Compare(chosen[:], rejected[:]) > 0 {
		chosen, rejected = rejected, chosen
		same, other = 1, 0
	}
	sum := sha256.Sum256(slices.Concat(prompt[:], chosen[:], rejected[:]))
	key := digest(sum[:16])
	seen := c.replies[key]
	if seen[same] > 0 {
		c.Duplicates++
	}
	seen[same]++
	c.replies[key] = seen
	if seen[same] <= seen[other] {
		c.Contradictions++
	}
}
