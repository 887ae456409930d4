package loss

import "math"

// IcePop drops tokens that the numerics of training and of drawing disagree on: those whose
// ratio π_old/μ, of Old (LogProb where that is nil) to Behaviour, is outside [Min, Max]
// (arXiv:2510.18855; 0.5 and 5 are common). The method multiplies tokens that are kept by this ratio; that is a
// Weight, and sampler.Importance with Mask gives both at once.
//
// Min is not negative, Max above Min, +Inf for none.
type IcePop struct{ Min, Max float64 }

// GeometricMask drops whole replies whose geometric mean of π_old/μ over the tokens is outside
// [Min, Max] (OpenRLHF's seq-mask-tis). Tokens that are kept may have any ratio: where a
// weight is made of it, a bound on it is another thing, as Max of sampler.Importance.
//
// Min is not negative, Max above Min, +Inf for none.
type GeometricMask struct{ Min, Max float64 }

// OffPolicySequences drops tokens of negative advantage in replies that π has left behind: those
// whose mean over tokens of log μ − log π exceeds Delta (the sequence mask of DeepSeek-V3.2,
// arXiv:2512.02556, equation 9). Replies of positive advantage are kept however far away they are. μ is
// Behaviour, or Old where that is nil.
//
// Delta is finite and not negative. It uses LogProb and Advantage of [Rollouts].
type OffPolicySequences struct{ Delta float64 }

var (
	_ TokenMask = IcePop{}
	_ TokenMask = GeometricMask{}
	_ TokenMask = OffPolicySequences{}
)

// Keep implements [TokenMask]. It panics without Behaviour.
func (m IcePop) Keep(dst []bool, b Rollouts) (dropped int, err error) {
	if err := checkBand("IcePop.Min", "IcePop.Max", m.Min, m.Max); err != nil {
		return 0, err
	}
	b.behaved()
	return b.keepTokens(dst, func(_, p, _ int) (bool, error) {
		d, err := b.mismatch(p)
		r := math.Exp(d)
		return r >= m.Min && r <= m.Max, err
	})
}

// Keep implements [TokenMask]. It panics without Behaviour.
func (m GeometricMask) Keep(dst []bool, b Rollouts) (dropped int, err error) {
	if err := checkBand("GeometricMask.Min", "GeometricMask.Max", m.Min, m.Max); err != nil {
		return 0, err
	}
	b.behaved()
	return b.keepReplies(dst, func(i int) (bool, error) {
		d, err := b.meanOf(i, b.mismatch)
		r := math.Exp(d)
		return r >= m.Min && r <= m.Max, err
	})
}

// Keep implements [TokenMask]. It panics without Behaviour and Old.
func (m OffPolicySequences) Keep(dst []bool, b Rollouts) (dropped int, err error) {
	if err := nonNegative("OffPolicySequences.Delta", m.Delta); err != nil {
		return 0, err
	}
	b.advantaged()
	if b.Behaviour == nil {
		b.Behaviour = b.Old
	}
	b.behaved()
	b.Old = nil // the ratio is that of LogProb
	far := false
	return b.keepTokens(dst, func(i, p, first int) (bool, error) {
		if p == first {
			d, err := b.meanOf(i, b.mismatch)
			if err != nil {
				return false, err
			}
			far = -d > m.Delta
		}
		if a := b.Advantage[p]; !isFinite(a) {
			return false, &InputError{"Advantage", p, a, notFinite}
		}
		return !far || b.Advantage[p] >= 0, nil
	})
}

func checkBand(lo, hi string, low, high float64) error {
	if err := nonNegative(lo, low); err != nil {
		return err
	}
	if !(high > low) {
		return &ParamError{hi, high, "above the lower bound"}
	}
	return nil
}

func (b Rollouts) behaved() {
	if b.Behaviour == nil && len(b.LogProb) > 0 {
		panic("loss: a mask of off-policy tokens without Rollouts.Behaviour")
	}
}

// mismatch returns log π_old − log μ at position p, −Inf for a π_old of 0.
func (b Rollouts) mismatch(p int) (float64, error) {
	old, field := b.Old, "Old"
	if old == nil {
		old, field = b.LogProb, "LogProb"
	}
	if !(old[p] <= math.MaxFloat64) {
		return 0, &InputError{field, p, old[p], notLogProb}
	}
	if !isFinite(b.Behaviour[p]) {
		return 0, &InputError{"Behaviour", p, b.Behaviour[p], "not finite, so the token cannot have been drawn"}
	}
	return old[p] - b.Behaviour[p], nil
}

// meanOf returns the mean of f over the tokens of reply i that count.
func (b Rollouts) meanOf(i int, f func(p int) (float64, error)) (float64, error) {
	sum, n := 0.0, 0
	lo, hi := b.Reply(i)
	for p := lo; p < hi; p++ {
		if b.Counts(p) {
			v, err := f(p)
			if err != nil {
				return 0, err
			}
			sum += v
			n++
		}
	}
	return sum / float64(n), nil
}
