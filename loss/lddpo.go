package loss

// LDDPO is a pairwise objective with desensitised length: of the longer reply of a pair, the
// tokens beyond the length of the shorter one count α times,
//
//	log π(y|x) → Σ_{t ≤ m} log π(y_t|x, y_<t) + α·Σ_{t > m} log π(y_t|x, y_<t),   m = min(|y⁺|, |y⁻|)
//
// for the policy and for the reference (Liu et al. 2024, LD-DPO, arXiv:2409.06411; there with
// [DPO], as in TRL). Alpha = 1 is [Summed]; at Alpha = 0 the tail is not looked at. Its
// minimiser under soft labels is Loss's for that weighted log-probability, which is not one of
// a distribution for α < 1: it depends on what a reply is compared with.
//
// Alpha is in [0, 1].
type LDDPO struct {
	Loss  Pairwise
	Alpha float64
}

var (
	_ TokenPairwise = LDDPO{}
	_ Coupled       = LDDPO{}
)

// Eval implements [TokenPairwise].
func (l LDDPO) Eval(dst TokenPairsOut, b TokenPairs) (Total, error) {
	if !(l.Alpha >= 0 && l.Alpha <= 1) {
		return Total{}, &ParamError{"LDDPO.Alpha", l.Alpha, "in [0, 1]"}
	}
	return evalReduced(dst, b, reduction{tail: l.Alpha}, l.Loss)
}

// Coupled implements [Coupled]: it is what Loss is.
func (l LDDPO) Coupled() bool { return IsCoupled(l.Loss) }
