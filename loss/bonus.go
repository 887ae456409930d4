package loss

import "cmp"

// XPO is the optimism term of Exploratory Preference Optimization, alone; train.XPO draws pairs
// and adds it to their loss. The term is
//
//	+α·log π(ỹ)
//
// on replies ỹ drawn from the reference, or from another fixed policy (Xie et al. 2024,
// arXiv:2405.21046, algorithm 1). Added to the [DPO] loss on fresh pairs it moves
// probability away from what is known already. It has no factor β, unlike [VPO], and a
// denominator of its own.
//
// By itself it is unbounded below; the sum is what has a minimiser. Alpha is finite and not
// negative; 1e-5 is common.
type XPO struct{ Alpha float64 }

// Eval stores the term of each reply in dst and its derivative, α, in grad; either may be
// nil. The total counts replies. A log-probability of −Inf costs −Inf.
func (l XPO) Eval(dst, grad, logp []float64) (Total, error) {
	if err := nonNegative("XPO.Alpha", l.Alpha); err != nil {
		return Total{}, err
	}
	return bonus(dst, grad, logp, nil, l.Alpha)
}

// VPO is the value term of Value-Incentivized Preference Optimization,
//
//	+α·β·(log π(ỹ) − log π_ref(ỹ))   online: optimism, explore
//	−α·β·(log π(ỹ) − log π_ref(ỹ))   offline: pessimism, stay with the data
//
// on calibration replies ỹ, which online are drawn from the reference and offline are the
// chosen replies of the data or those of another policy to compete with (Cen et al. 2024,
// arXiv:2405.19320). It is added to the [DPO] loss with the same β. The online form is also
// the term of SELM (Zhang et al. 2024, arXiv:2405.19332). The reference adds a constant to
// the loss and nothing to the derivative. By itself the online form is unbounded below, and
// the offline form has the distribution of the calibration replies as its minimiser.
//
// Alpha is finite and not negative, Beta positive; the zero value of Offline is online.
type VPO struct {
	Alpha   float64
	Beta    float64 // β, the KL coefficient of the DPO loss beside it
	Offline bool
}

// Eval stores the term of each reply in dst and its derivative, ±α·β, in grad; either may be
// nil. The total counts replies.
func (l VPO) Eval(dst, grad, logp, ref []float64) (Total, error) {
	if len(ref) != len(logp) {
		panic(badLength)
	}
	if err := cmp.Or(nonNegative("VPO.Alpha", l.Alpha), positive("VPO.Beta", l.Beta)); err != nil {
		return Total{}, err
	}
	a := l.Alpha * l.Beta
	if l.Offline {
		a = -a
	}
	return bonus(dst, grad, logp, ref, a)
}

// bonus is a·Σ (logp − ref), with ref 0 where it is nil.
func bonus(dst, grad, logp, ref []float64, a float64) (Total, error) {
	sized(len(logp), dst, grad)
	if err := cmp.Or(logProbs("LogProb", logp), logProbs("Ref", ref)); err != nil {
		return Total{}, err
	}
	t := Total{Count: len(logp)}
	for i, lp := range logp {
		v := lp
		if ref != nil {
			if v -= ref[i]; v != v {
				return Total{}, &InputError{"LogProb", i, lp, zeroOverZero("Ref")}
			}
		}
		v = product(a, v)
		t.Sum += v
		store(dst, i, v)
		store(grad, i, a)
	}
	return t, nil
}
