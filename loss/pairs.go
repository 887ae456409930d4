package loss

// Pairs is a batch of preference pairs. Element i of every slice belongs to pair i;
// slices that an objective does not use may be nil, and have the length of the batch if not.
type Pairs struct {
	Chosen, Rejected       []float64 // log π(y⁺|x), log π(y⁻|x)
	RefChosen, RefRejected []float64 // log π_ref(y⁺|x), log π_ref(y⁻|x)
	ChosenLen, RejectedLen []int     // |y⁺|, |y⁻| in tokens, for scores that are means over tokens
}

// PairsOut receives what an objective makes of Pairs: slices as long as the batch, or
// nil where not wanted.
type PairsOut struct {
	Loss             []float64 // the loss of each pair
	Chosen, Rejected []float64 // ∂ Σ Loss / ∂ Pairs.Chosen[i], … / ∂ Pairs.Rejected[i]

	// RewardChosen and RewardRejected are the implicit rewards β·s of the score that
	// the objective really uses.
	RewardChosen, RewardRejected []float64
}

// Total sums up a batch. Totals add, so micro-batches can be combined.
type Total struct {
	Sum     float64 // Σ loss
	Count   int     // number of terms of Sum
	Correct int     // pairs whose chosen reply has the higher score
	Ties    int     // pairs of equal scores
}

// Mean returns Sum/Count; NaN for an empty batch.
func (t Total) Mean() float64 { return t.Sum / float64(t.Count) }

// Add adds o to t.
func (t *Total) Add(o Total) {
	t.Sum += o.Sum
	t.Count += o.Count
	t.Correct += o.Correct
	t.Ties += o.Ties
}

// Pairwise is an objective on preference pairs. Implementations are values without
// state, safe for concurrent use.
type Pairwise interface {
	Eval(dst PairsOut, b Pairs) (Total, error)
}

func (o PairsOut) check(n int) {
	sized(n, o.Loss, o.Chosen, o.Rejected, o.RewardChosen, o.RewardRejected)
}

func (b Pairs) check(n int) {
	if len(b.Rejected) != n {
		panic(badLength)
	}
	sized(n, b.RefChosen, b.RefRejected)
	sized(n, b.ChosenLen, b.RejectedLen)
}

// side selects the chosen or the rejected replies lo … hi−1.
func (b Pairs) side(chosen bool, lo, hi int) Responses {
	r := Responses{b.Rejected, b.RefRejected, b.RejectedLen}
	if chosen {
		r = Responses{b.Chosen, b.RefChosen, b.ChosenLen}
	}
	r.LogProb = r.LogProb[lo:hi]
	if r.Ref != nil {
		r.Ref = r.Ref[lo:hi]
	}
	if r.Len != nil {
		r.Len = r.Len[lo:hi]
	}
	return r
}

// name gives the field of Pairs that a field of Responses came from.
func (b Pairs) name(chosen bool, field string) string {
	side := "Rejected"
	if chosen {
		side = "Chosen"
	}
	switch field {
	case "Ref":
		return "Ref" + side
	case "Len":
		return side + "Len"
	}
	return side
}

// culprit returns the log-probability because of which a score is infinite.
func (b Pairs) culprit(chosen bool, i int) (field string, value float64) {
	r := b.side(chosen, i, i+1)
	if r.Ref != nil && !isFinite(r.Ref[0]) {
		return b.name(chosen, "Ref"), r.Ref[0]
	}
	return b.name(chosen, "LogProb"), r.LogProb[0]
}
