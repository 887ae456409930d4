package loss

// TokenMask says which tokens of a batch take part in an update: a value that is applied to a
// batch before a loss sees it.
//
// A token that a mask leaves out is not counted either, so means are over those that remain.
// Where it should stay in the denominator, as in TRL and verl, [ZeroWeights] makes weights of
// a mask, and the loss gets these and not the mask.
type TokenMask interface {
	// Keep stores in dst, for each reply token, whether b.Mask and this mask keep it, and false
	// at prompt positions. It returns how many tokens that b.Mask keeps this one drops. dst is
	// as long as the flat slices, and may be b.Mask. A number that it needs and cannot use is
	// an [*InputError].
	Keep(dst []bool, b Rollouts) (dropped int, err error)
}

// TokenMasks keeps what all of its masks keep. They are applied one after the other, so that
// one that looks at a whole batch, as [TopEntropy], sees what those before it have left. It is
// [Coupled] if one of them is.
type TokenMasks []TokenMask

// Keep implements [TokenMask].
func (m TokenMasks) Keep(dst []bool, b Rollouts) (dropped int, err error) {
	dropped, err = b.keepTokens(dst, func(int, int, int) (bool, error) { return true, nil })
	b.Mask = dst
	for _, mask := range m {
		if mask == nil {
			panic("loss: TokenMasks with a mask that is nil")
		}
		n, err := mask.Keep(dst, b)
		if err != nil {
			return 0, err
		}
		dropped += n
	}
	return dropped, err
}

// Coupled implements [Coupled].
func (m TokenMasks) Coupled() bool {
	for _, mask := range m {
		if IsCoupled(mask) {
			return true
		}
	}
	return false
}

// DropTruncated drops replies that were cut off at a maximum length, whose rewards say little:
// those with Rollouts.Truncated.
type DropTruncated struct{}

// Keep implements [TokenMask]. It panics without Truncated.
func (DropTruncated) Keep(dst []bool, b Rollouts) (dropped int, err error) {
	if b.Truncated == nil && b.Len() > 0 {
		panic("loss: DropTruncated without Rollouts.Truncated")
	}
	return b.keepReplies(dst, func(i int) (bool, error) { return !b.Truncated[i], nil })
}

// ZeroWeights stores weight, 1 where that is nil, in dst for tokens that keep has and 0 for
// others: what a loss of a batch with this Weight leaves out has no derivative and stays in
// every denominator. dst may be weight.
func ZeroWeights(dst, weight []float64, keep []bool) {
	if len(dst) != len(keep) {
		panic(badLength)
	}
	sized(len(dst), weight)
	for p, k := range keep {
		switch {
		case !k:
			dst[p] = 0
		case weight == nil:
			dst[p] = 1
		default:
			dst[p] = weight[p]
		}
	}
}

var (
	_ TokenMask = TokenMasks{}
	_ TokenMask = DropTruncated{}
)

// keepReplies fills dst with what a mask says of whole replies.
func (b Rollouts) keepReplies(dst []bool, reply func(i int) (bool, error)) (dropped int, err error) {
	keep := false
	return b.keepTokens(dst, func(i, p, first int) (bool, error) {
		if p == first {
			if keep, err = reply(i); err != nil {
				return false, err
			}
		}
		return keep, nil
	})
}

// keepTokens fills dst with what a mask says of each token p of reply i that counts, the first
// of which is at position first.
func (b Rollouts) keepTokens(dst []bool, token func(i, p, first int) (bool, error)) (dropped int, err error) {
	b.check()
	if len(dst) != len(b.LogProb) {
		panic(badLength)
	}
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		clear(dst[b.Begin[i]:lo])
		first := -1
		for p := lo; p < hi; p++ {
			counts := b.Counts(p) // before dst[p], which may be the same memory
			if counts && first < 0 {
				first = p
			}
			keep := false
			if counts {
				if keep, err = token(i, p, first); err != nil {
					return 0, err
				}
				if !keep {
					dropped++
				}
			}
			dst[p] = keep
		}
	}
	return dropped, nil
}
