package rloo

import (
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// KL stores in dst the weights that estimate the gradient of the reverse KL (its value, of known
// distributions, is coverage.KL),
//
//	∇ KL(π‖π_ref) = E_π[ℓ(y)·∇ log π(y)] ≈ (1/n)·Σᵢ dst[i]·∇ log π(yᵢ)
//
// where dst are the leave-one-out advantages of ℓ = logp − ref over groups of k, and n
// = len(dst). logp[i] = log π(yᵢ|x) and ref[i] = log π_ref(yᵢ|x), in nats, of samples
// from π. This is the online term of HyPO (Song et al. 2024, arXiv:2406.01462). dst may
// be logp or ref.
//
// A log-ratio that is not finite is an error that names the field, index and value: a
// sample to which the reference gives probability 0 makes the KL infinite. So are
// log-ratios whose differences overflow. dst is then unspecified. KL panics as
// [LeaveOneOut] does.
func KL(dst, logp, ref []float64, k int) error {
	checkGroups(len(dst), k)
	if len(logp) != len(dst) || len(ref) != len(dst) {
		panic(badLength)
	}
	if err := (Layout{}).ratios(dst, logp, ref); err != nil {
		return err
	}
	return finiteLeaveOneOut(dst, k)
}

// Reward stores in dst the weights that estimate the gradient, uphill, of the
// KL-regularised reward of online RLHF,
//
//	∇ (E_π[r] − β·KL(π‖π_ref)) ≈ (1/n)·Σᵢ dst[i]·∇ log π(yᵢ)
//
// where dst are the leave-one-out advantages of r − β·ℓ: the KL is part of the reward,
// and so of the baseline. β = 0 leaves the log-probabilities unread, and they may be
// nil. reward[i] is r(x, yᵢ); logp, ref, errors and panics as for [KL]. A β that is
// negative or not finite is an error. dst may be any of the arguments.
func Reward(dst, reward, logp, ref []float64, beta float64, k int) error {
	checkGroups(len(dst), k)
	if len(reward) != len(dst) || beta != 0 && (len(logp) != len(dst) || len(ref) != len(dst)) {
		panic(badLength)
	}
	if !(beta >= 0) || !isFinite(beta) {
		return fmt.Errorf("rloo: beta = %v, must be finite and not negative", beta)
	}
	if _, _, err := extent("reward", reward, 0); err != nil {
		return err
	}
	if beta == 0 {
		copy(dst, reward)
		return finiteLeaveOneOut(dst, k)
	}
	var l [chunk]float64
	for lo := 0; lo < len(dst); lo += chunk {
		hi := min(lo+chunk, len(dst))
		l := l[:hi-lo]
		if !elem.Differences(l, logp[lo:hi], ref[lo:hi]) {
			return badRatio(logp, ref, lo)
		}
		for i, x := range l {
			r := reward[lo+i] - beta*x
			if !isFinite(r) {
				return overflow("regularised reward", lo+i, x)
			}
			dst[lo+i] = r
		}
	}
	return finiteLeaveOneOut(dst, k)
}

// finiteLeaveOneOut makes leave-one-out advantages of finite numbers in place, and checks that
// they are finite, too.
func finiteLeaveOneOut(v []float64, k int) error {
	LeaveOneOut(v, v, k)
	if _, _, finite := elem.Extent(v); finite {
		return nil
	}
	return fmt.Errorf("rloo: the advantage of sample %d overflows", slices.IndexFunc(v, func(a float64) bool { return !isFinite(a) }))
}

// chunk is the number of log-ratios that are formed at a time.
const chunk = 256

// badRatio is the error of the first log-ratio from index lo on that is not finite.
func badRatio(logp, ref []float64, lo int) error {
	for i := lo; ; i++ {
		if _, err := ratio(logp[i], ref[i], i); err != nil {
			return err
		}
	}
}

// ratio returns logp − ref, or an error that names what is not finite.
func ratio(logp, ref float64, i int) (float64, error) {
	switch l := logp - ref; {
	case isFinite(l):
		return l, nil
	case !isFinite(logp):
		return 0, fmt.Errorf("rloo: logp[%d] = %v, must be finite", i, logp)
	case !isFinite(ref):
		return 0, fmt.Errorf("rloo: ref[%d] = %v, must be finite", i, ref)
	default:
		return 0, fmt.Errorf("rloo: logp[%d] − ref[%d] = %v − (%v) overflows", i, i, logp, ref)
	}
}

func isFinite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }
