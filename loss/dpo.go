package loss

// DPO is Direct Preference Optimization,
//
//	−log σ(β·(ℓ(y⁺) − ℓ(y⁻)))
//
// (Rafailov et al. 2023, arXiv:2305.18290, equation 7), or with LabelSmoothing = ε > 0
// its conservative form for labels that are wrong with probability ε, −(1−ε)·log σ(z) −
// ε·log σ(−z) (cDPO; Mitchell 2023). At initialisation, where π = π_ref, each pair costs
// log 2.
//
// It trains on fixed pairs and is bounded by nothing where they do not reach: unless they
// cover every policy, KL(π‖π_ref) can grow without limit ([HyPO] adds what is missing).
// Soft labels that follow Bradley–Terry with reward r, on pairs that connect all replies, have
// the unique minimiser π ∝ π_ref·e^{r/β} for ε = 0. For ε = 0 and a deterministic label there
// is none; margins grow for ever.
//
// Beta must be positive; 0.1 is common. LabelSmoothing is in [0, ½). It uses Chosen,
// Rejected, RefChosen, RefRejected and Weight of [Pairs].
type DPO struct {
	Beta           float64 // β, the KL coefficient: reward per nat of log π/π_ref
	LabelSmoothing float64
}

// Eval implements [Pairwise].
func (l DPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l DPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l DPO) parts() margined[LogRatio, Smoothed] {
	e := compose(LogRatio{}, Smoothed{l.LabelSmoothing}, l.Beta, 0,
		positive("DPO.Beta", l.Beta), belowHalf("DPO.LabelSmoothing", l.LabelSmoothing))
	e.fused = fused{true, l.LabelSmoothing}
	return e
}
