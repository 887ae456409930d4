package loss

// NormDPO is length-normalised DPO,
//
//	−log σ(β·(ℓ(y⁺)/|y⁺| − ℓ(y⁻)/|y⁻|))
//
// (Lambert et al. 2024, Tülu 3, arXiv:2411.15124; TRL's sigmoid_norm), smoothed
// as [DPO] where LabelSmoothing > 0. Its minimiser under soft labels has log-ratios per token
// of r/β, so that long replies move further than under DPO.
//
// Beta must be positive, and is larger than for sums: 5 in the paper. LabelSmoothing is in
// [0, ½). It uses Chosen, Rejected, RefChosen, RefRejected, ChosenLen, RejectedLen and
// Weight of [Pairs].
type NormDPO struct {
	Beta           float64 // β, a KL coefficient per token: reward per nat of log π/π_ref per token
	LabelSmoothing float64
}

// Eval implements [Pairwise].
func (l NormDPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l NormDPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l NormDPO) parts() margined[MeanLogRatio, Smoothed] {
	return compose(MeanLogRatio{}, Smoothed{l.LabelSmoothing}, l.Beta, 0,
		positive("NormDPO.Beta", l.Beta), belowHalf("NormDPO.LabelSmoothing", l.LabelSmoothing))
}
