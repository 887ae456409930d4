package loss

import "math"

// BetaDPO is [DPO] with a β that follows the batch,
//
//	−log σ(β_B·h),   β_B = β·(1 + α·(mean of h over the batch − M₀))
//
// where h = ℓ(y⁺) − ℓ(y⁻) and β_B has no derivative (Wu et al. 2024, arXiv:2407.08639, as the
// authors' code, where margins are those of log-ratios; with margins of rewards β·h their α is
// α/β). M₀ is a running mean of h, [RunningMargin] keeps it. Batches whose margins are larger
// than usual are held closer to the reference.
//
// No one loss is minimised: under soft labels each batch wants margins of its own, r/β_B.
//
// Beta must be positive, 0.1 is common; Alpha is finite and not negative, 0.6 in the authors'
// example; Center is M₀, finite. Floor > 0 is the least β_B (1e-3 in the authors' code), and
// Total.Clipped counts the pairs of batches that it raised; with Floor = 0 a β_B that is not
// positive is a [*ParamError]. It uses Chosen, Rejected, RefChosen and RefRejected of [Pairs],
// and is [Coupled].
type BetaDPO struct {
	Beta   float64 // β of a batch of usual margins, the KL coefficient: reward per nat of log π/π_ref
	Alpha  float64
	Center float64
	Floor  float64
}

var (
	_ Pairwise = BetaDPO{}
	_ Coupled  = BetaDPO{}
)

// Coupled implements [Coupled]: β is one number for the batch.
func (BetaDPO) Coupled() bool { return true }

// Eval implements [Pairwise]. Implicit rewards are β_B·ℓ.
func (l BetaDPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	b.check(len(b.Chosen))
	beta, raised, err := l.At(b)
	if err != nil {
		return Total{}, err
	}
	t, err := DPO{Beta: beta}.Eval(dst, b)
	if raised {
		t.Clipped = t.Count
	}
	return t, err
}

// At returns β_B, Beta for an empty batch, and whether Floor raised it.
func (l BetaDPO) At(b Pairs) (beta float64, raised bool, err error) {
	for _, err := range []error{positive("BetaDPO.Beta", l.Beta), nonNegative("BetaDPO.Alpha", l.Alpha),
		finiteParam("BetaDPO.Center", l.Center), nonNegative("BetaDPO.Floor", l.Floor)} {
		if err != nil {
			return 0, false, err
		}
	}
	if len(b.Chosen) == 0 {
		return l.Beta, false, nil
	}
	mean, _, err := margins(b)
	if err != nil {
		return 0, false, err
	}
	beta = l.Beta * (1 + l.Alpha*(mean-l.Center))
	if l.Floor > 0 && beta < l.Floor {
		return l.Floor, true, nil
	}
	return beta, false, positive("BetaDPO's β of this batch", beta)
}

// RunningMargin keeps exponentially weighted means of the mean and of the standard deviation
// of h over batches, for [BetaDPO]:
//
//	M₀ ← Momentum·M₀ + (1 − Momentum)·mean,   σ likewise
//
// from the zero value on, as in the authors' code, which adds a batch before it looks at M₀.
// Momentum is in [0, 1); 0.9 there. All fields are its state and go into a checkpoint. It is
// not safe for concurrent use.
type RunningMargin struct {
	Momentum  float64
	Mean, Std float64
}

// Add takes in a batch of at least two pairs; fewer have no standard deviation, and panic. On
// an error g is as it was.
func (g *RunningMargin) Add(b Pairs) error {
	if len(b.Chosen) < 2 {
		panic("loss: RunningMargin.Add of fewer than two pairs")
	}
	if !(g.Momentum >= 0 && g.Momentum < 1) {
		return &ParamError{"RunningMargin.Momentum", g.Momentum, "in [0, 1)"}
	}
	mean, std, err := margins(b)
	if err != nil {
		return err
	}
	g.Mean += (1 - g.Momentum) * (mean - g.Mean)
	g.Std += (1 - g.Momentum) * (std - g.Std)
	return nil
}

// LogWeights stores −½·((h − Mean)/Std)² of each pair in dst: the logarithms of the weights by
// which the paper draws, without replacement, the pairs of a batch that are trained on, so
// that outliers seldom are. A Std that is not positive is a [*ParamError].
func (g *RunningMargin) LogWeights(dst []float64, b Pairs) error {
	if len(dst) != len(b.Chosen) {
		panic(badLength)
	}
	if err := positive("RunningMargin.Std", g.Std); err != nil {
		return err
	}
	if _, _, err := margins(b); err != nil {
		return err
	}
	for i := range dst {
		z := (b.margin(i) - g.Mean) / g.Std
		dst[i] = -0.5 * z * z
	}
	return nil
}

// margin is h of pair i.
func (b Pairs) margin(i int) float64 {
	return (b.Chosen[i] - b.RefChosen[i]) - (b.Rejected[i] - b.RefRejected[i])
}

// margins returns mean and standard deviation (with n − 1) of h. An h that is not finite is an
// InputError.
func margins(b Pairs) (mean, std float64, err error) {
	n := len(b.Chosen)
	if len(b.Rejected) != n || len(b.RefChosen) != n || len(b.RefRejected) != n {
		panic(badLength)
	}
	m2 := 0.0
	for i := range n {
		h := b.margin(i)
		if !isFinite(h) {
			for _, v := range [4]struct {
				field string
				value float64
			}{{"Chosen", b.Chosen[i]}, {"Rejected", b.Rejected[i]}, {"RefChosen", b.RefChosen[i]}, {"RefRejected", b.RefRejected[i]}} {
				if !isFinite(v.value) {
					return 0, 0, &InputError{v.field, i, v.value, "not finite, and no mean over the batch"}
				}
			}
			return 0, 0, &InputError{"Chosen", i, b.Chosen[i], "the log-ratios of its pair have no finite difference"}
		}
		d := h - mean
		mean += d / float64(i+1)
		m2 += d * (h - mean)
	}
	return mean, math.Sqrt(m2 / float64(max(1, n-1))), nil
}
