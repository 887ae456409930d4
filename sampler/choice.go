package sampler

import "github.com/prefgrad/prefgrad/loss"

// Choice is pairs of draws, by index: Chosen[i] was preferred to Rejected[i]. What was not
// decided is no pair, but counted. Its methods append, and its memory is reused after
// Reset. The zero value is ready; it is not safe for concurrent use.
type Choice struct {
	Chosen, Rejected []int
	Tied             int // pairs that would have been made of equals
	Failed           int // draws or comparisons without a result: NaN

	ranks []int
}

// Reset empties c and keeps its memory.
func (c *Choice) Reset() {
	c.Chosen, c.Rejected, c.Tied, c.Failed = c.Chosen[:0], c.Rejected[:0], 0, 0
}

// BestWorst makes a pair of the best and the worst of each k draws: TopBottom with m = 1.
func (c *Choice) BestWorst(reward []float64, k int) { c.TopBottom(reward, k, 1) }

// TopBottom makes m pairs of each k draws, the i-th best with the i-th worst, or fewer if
// fewer than 2m draws have a reward: NaN is a draw that could not be scored, and counts as
// Failed. A pair of equal rewards is Tied and left out. Of equal rewards the earlier draw
// ranks higher. TopBottom panics unless 1 ≤ m ≤ k/2 and len(reward) is a multiple of k.
func (c *Choice) TopBottom(reward []float64, k, m int) {
	if m < 1 || k < 2*m || len(reward)%k != 0 {
		panic("sampler: m < 1, k < 2m, or rewards that are not a multiple of k")
	}
	for g := 0; g < len(reward); g += k {
		c.rank(reward, g, g+k)
		c.Failed += k - len(c.ranks)
		for i := range min(m, len(c.ranks)/2) {
			best, worst := c.ranks[i], c.ranks[len(c.ranks)-1-i]
			if reward[best] == reward[worst] {
				c.Tied++
				continue
			}
			c.Chosen, c.Rejected = append(c.Chosen, best), append(c.Rejected, worst)
		}
	}
}

// rank stores the draws lo … hi−1 that have a reward in c.ranks, the best first.
func (c *Choice) rank(reward []float64, lo, hi int) {
	c.ranks = c.ranks[:0]
	for i := lo; i < hi; i++ {
		if r := reward[i]; r == r {
			c.ranks = append(c.ranks, i)
			for j := len(c.ranks) - 1; j > 0 && r > reward[c.ranks[j-1]]; j-- {
				c.ranks[j], c.ranks[j-1] = c.ranks[j-1], c.ranks[j]
			}
		}
	}
}

// Successive makes a pair of each two draws, 2j and 2j+1, in the order that the rewards give
// them, ties in the order of the draws: for regressions on differences of rewards, to which a
// tie says as much as any pair. A pair that lacks a reward counts as Failed. It panics if
// len(reward) is odd.
func (c *Choice) Successive(reward []float64) {
	if len(reward)%2 != 0 {
		panic("sampler: an odd number of rewards")
	}
	for i := 0; i < len(reward); i += 2 {
		switch a, b := reward[i], reward[i+1]; {
		case a >= b:
			c.Chosen, c.Rejected = append(c.Chosen, i), append(c.Rejected, i+1)
		case a < b:
			c.Chosen, c.Rejected = append(c.Chosen, i+1), append(c.Rejected, i)
		default:
			c.Failed++
		}
	}
}

// Judged makes pairs of draws first[i] and second[i] that a [Judge] has compared: win[i] is
// the probability that the first is better. ½ is Tied, NaN Failed; neither makes a pair.
// It panics if the lengths differ. [Compare] sees to it that a win is in [0, 1].
//
// Draws of one policy, judged in twos, are online DPO (Guo et al. 2024, arXiv:2402.04792). With
// the first from the policy and the second from the reference they are the pairs of XPO (Xie
// et al. 2024, arXiv:2405.21046), to which [loss.XPO] on the reference's draws adds the
// optimism.
func (c *Choice) Judged(first, second []int, win []float64) {
	if len(first) != len(win) || len(second) != len(win) {
		panic(badLength)
	}
	for i, p := range win {
		switch {
		case p > 0.5:
			c.Chosen, c.Rejected = append(c.Chosen, first[i]), append(c.Rejected, second[i])
		case p < 0.5:
			c.Chosen, c.Rejected = append(c.Chosen, second[i]), append(c.Rejected, first[i])
		case p == 0.5:
			c.Tied++
		default:
			c.Failed++
		}
	}
}

// Pairs stores the log-probabilities, under policy and reference, and the lengths of the
// chosen and rejected draws in dst, in the memory that is there. logp, ref and length are
// per draw; nil ones give nil. Other fields of dst become nil.
func (c *Choice) Pairs(dst *loss.Pairs, logp, ref []float64, length []int) {
	*dst = loss.Pairs{
		Chosen: gather(dst.Chosen, logp, c.Chosen), Rejected: gather(dst.Rejected, logp, c.Rejected),
		RefChosen: gather(dst.RefChosen, ref, c.Chosen), RefRejected: gather(dst.RefRejected, ref, c.Rejected),
		ChosenLen: gather(dst.ChosenLen, length, c.Chosen), RejectedLen: gather(dst.RejectedLen, length, c.Rejected),
	}
}

// Margins stores the difference in reward of each pair in dst.Margin: [loss.ODPO] asks for
// at least that much, and [loss.REBEL], with the policy before the step as reference, regresses
// onto it.
func (c *Choice) Margins(dst *loss.Pairs, reward []float64) {
	dst.Margin = resize(dst.Margin, len(c.Chosen))
	for i := range dst.Margin {
		dst.Margin[i] = reward[c.Chosen[i]] - reward[c.Rejected[i]]
	}
}

func gather[T any](dst, from []T, at []int) []T {
	if from == nil {
		return nil
	}
	dst = dst[:0]
	for _, i := range at {
		dst = append(dst, from[i])
	}
	return dst
}

// Best stores the index of the best of each k draws in dst, that of the first of several,
// and −1 where none has a reward. It returns how many draws have none (NaN). It panics
// unless len(reward) = k·len(dst) and k ≥ 1.
func Best(dst []int, reward []float64, k int) (failed int) {
	return extreme(dst, reward, k, func(a, b float64) bool { return a > b })
}

// Worst is Best for the smallest reward, and the last of several: the end of the ranking
// in which the earlier of equals stands higher.
func Worst(dst []int, reward []float64, k int) (failed int) {
	return extreme(dst, reward, k, func(a, b float64) bool { return a <= b })
}

func extreme(dst []int, reward []float64, k int, better func(a, b float64) bool) (failed int) {
	if k < 1 || len(reward) != k*len(dst) {
		panic("sampler: k < 1, or rewards that are not k for each choice")
	}
	for g := range dst {
		dst[g] = -1
		for i := g * k; i < (g+1)*k; i++ {
			if r := reward[i]; r != r {
				failed++
			} else if dst[g] < 0 || better(r, reward[dst[g]]) {
				dst[g] = i
			}
		}
	}
	return failed
}
