package loss

import (
	"cmp"
	"slices"
)

// Mismatch pairs each prompt of a batch with the reply of another prompt, for [KTO]'s
// estimate of a KL divergence: reply dst[i] goes with prompt i, each reply is used once, and
// no reply with its own prompt. Items i and j have the same prompt if prompt[i] = prompt[j],
// wherever they are in the batch; a shift by one, which is common, pairs neighbours of one
// prompt with each other, and an item of a batch of one with itself.
//
// A batch where that is impossible, because one prompt has more than half of it, is an
// [*InputError] that names Prompt and one of its items. So is a batch whose verdicts are all
// the same, as from unshuffled data: the replies of one kind estimate another quantity than
// those of both. Where the data have one kind only, desirable is nil and not looked at.
func Mismatch(dst []int, prompt []uint64, desirable []bool) error {
	n := len(prompt)
	if len(dst) != n {
		panic(badLength)
	}
	sized(n, desirable)
	if n > 0 && desirable != nil && !slices.Contains(desirable, !desirable[0]) {
		return &InputError{"Desirable", 0, number(desirable[0]), "all replies of the batch have this verdict"}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(prompt[i], prompt[j]), cmp.Compare(i, j)) })
	most, last, run := 0, 0, 0 // the largest number of items with one prompt, its last item, …
	for p, i := range order {
		if p == 0 || prompt[i] != prompt[order[p-1]] {
			run = 0
		}
		if run++; run > most {
			most, last = run, i
		}
	}
	if 2*most > n {
		return &InputError{"Prompt", last, float64(prompt[last]), "more than half of the batch has this prompt"}
	}
	// In order of prompts, the item most places further on has another prompt: it is
	// beyond those of the same one, and where it comes round again at least as many lie
	// between.
	for p, i := range order {
		dst[i] = order[(p+most)%n]
	}
	return nil
}

// number is 1 for true and 0 for false.
func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
