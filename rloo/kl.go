package rloo

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// KLValue is an estimate of KL(π‖π_ref) from one sample y ~ π and its log-ratio ℓ = log
// π(y) − log π_ref(y) (Schulman 2020, "Approximating KL divergence"). They are values: what
// they do to a gradient depends on where they stand, and in expectation on-policy it is
//
//	     in the reward                              in the loss (differentiated)
//	k1   ∇KL(π‖π_ref)                               0
//	k2   E_π[½ℓ²·∇log π], no divergence's           ∇KL(π‖π_ref)   [ReverseKLInLoss]
//	k3   ∇KL(π‖π_ref) − ∇KL(π_ref‖π)                ∇KL(π_ref‖π)   [ForwardKLInLoss]
//
// for whole sequences, or policies that choose once. In the reward k3 is of second order
// near π_ref: almost no regulariser. [RegularisedReward] takes any of them, [K1] as default.
// A KLValue has no state.
type KLValue uint8

const (
	// K1 is ℓ: unbiased, of either sign.
	K1 KLValue = iota + 1
	// K2 is ½ℓ²: never negative, biased; exact to second order near π_ref.
	K2
	// K3 is e^{−ℓ} − 1 + ℓ: never negative, and unbiased if π(y) > 0 wherever π_ref(y) > 0;
	// for samples of top-p or top-k it is not: too small by the mass of π_ref outside.
	K3
)

// At returns the value at a log-ratio: for k3 without cancellation near 0, and +Inf only
// where e^{−ℓ} exceeds every float64 (ℓ < −709.78). It panics for another KLValue.
func (v KLValue) At(l float64) float64 {
	switch v {
	case K1:
		return l
	case K2:
		return l * l / 2
	case K3:
		return num.Excess(-l)
	}
	panic("rloo: KLValue is not K1, K2 or K3")
}

// Values stores the value of each counted element in dst. logp and ref hold log π and log
// π_ref of whole replies (the zero Layout) or of tokens. dst may be either. The mean over
// replies of the sum over tokens estimates the KL of sequences, for k1 without bias and for
// k3 too; the sum of k2 over tokens is not k2 of the sequence.
//
// A log-probability that is not finite, and a value that overflows, are errors. Values
// panics on different lengths.
func (v KLValue) Values(dst, logp, ref []float64, l Layout) error {
	if err := l.ratios(dst, logp, ref); err != nil {
		return err
	}
	var power, minus [chunk]float64
	for lo := 0; lo < len(dst); lo += chunk { // all positions: the value at 0 is 0
		d := dst[lo:min(lo+chunk, len(dst))]
		if least, most, _ := elem.Extent(d); v == K3 && least >= -elem.Far && most <= elem.Far {
			e, x := power[:len(d)], minus[:len(d)]
			elem.Exp(e, d, -1, 0)
			elem.Affine(x, d, -1, 0)
			elem.Excess(d, x, e)
			continue
		}
		for i, r := range d {
			if d[i] = v.At(r); math.IsInf(d[i], 0) {
				return overflow(v.String(), lo+i, r)
			}
		}
	}
	return nil
}

// String returns "k1", "k2" or "k3".
func (v KLValue) String() string {
	if v < K1 || v > K3 {
		return fmt.Sprintf("KLValue(%d)", uint8(v))
	}
	return "k" + string('0'+rune(v))
}
