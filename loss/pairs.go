package loss

// Pairs is a batch of preference pairs. Element i of every slice belongs to pair i.
// Log-probabilities and lengths that an objective does not use may be nil, and have the length
// of the batch if not. Weight, Margin and Win would change what an objective means, so one
// that does not read them panics where they are set.
type Pairs struct {
	Chosen, Rejected       []float64 // log π(y⁺|x), log π(y⁻|x)
	RefChosen, RefRejected []float64 // log π_ref(y⁺|x), log π_ref(y⁻|x)
	ChosenLen, RejectedLen []int     // |y⁺|, |y⁻| in tokens, for scores that are means over tokens

	// Weight, nil for 1, multiplies the loss of each pair: finite and not negative. A pair
	// in both orders with weights p and 1−p has the soft label p. A pair of weight 0 adds
	// nothing, even if its loss is infinite. Every objective that is a score and a link
	// reads it.
	Weight []float64
	// Margin, nil for 0, is by how much each chosen reply ought to win, on the scale of
	// implicit rewards. [ODPO] and [Contrast] read it.
	Margin []float64
	// Win, nil for 1, is the probability in [0, 1] with which y⁺ beats y⁻. [SPPO] reads it.
	Win []float64
}

// PairsOut receives what an objective makes of Pairs: the derivatives of its loss, under the
// names of what they are derivatives with respect to, and its values. All slices are as long
// as the batch, or nil where not wanted.
type PairsOut struct {
	Loss []float64 // the loss of each pair

	// Chosen and Rejected are ∂L/∂log π(y⁺) and ∂L/∂log π(y⁻), L = Σ Loss, no log-probabilities:
	// the weights of ∇ log π, as a policy's pullback takes them.
	Chosen, Rejected []float64

	// RefChosen and RefRejected are ∂L/∂log π_ref(y⁺) and ∂L/∂log π_ref(y⁻), for a
	// caller that learns the reference. An objective that has no such derivative
	// panics where they are wanted.
	RefChosen, RefRejected []float64

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
	Clipped int     // pairs whose margin a clamp of the objective changed
	Flat    int     // pairs whose link has slope 0: at a minimum, beyond a kink or a clamp, underflowed
}

// Mean returns Sum/Count; NaN for an empty batch.
func (t Total) Mean() float64 { return t.Sum / float64(t.Count) }

// Add adds o to t.
func (t *Total) Add(o Total) {
	t.Sum += o.Sum
	t.Count += o.Count
	t.Correct += o.Correct
	t.Ties += o.Ties
	t.Clipped += o.Clipped
	t.Flat += o.Flat
}

// Pairwise is an objective on preference pairs. Implementations are values without
// state, safe for concurrent use.
type Pairwise interface {
	Eval(dst PairsOut, b Pairs) (Total, error)
}

// check is for objectives without derivatives for a reference.
func (o PairsOut) check(n int) {
	if o.RefChosen != nil || o.RefRejected != nil {
		panic(noReference)
	}
	o.sized(n)
}

func (o PairsOut) sized(n int) {
	sized(n, o.Loss, o.Chosen, o.Rejected, o.RefChosen, o.RefRejected, o.RewardChosen, o.RewardRejected)
}

// reads says which of the fields of Pairs that change an objective's meaning it reads.
type reads uint8

const (
	readsWeight reads = 1 << iota
	readsMargin
	readsWin
)

const (
	noReference = "loss: the objective has no derivative for a reference"
	noWeight    = "loss: Pairs.Weight is set, but the objective does not read it"
	noMargin    = "loss: Pairs.Margin is set, but the objective does not read it"
	noWin       = "loss: Pairs.Win is set, but the objective does not read it"
)

// check is for objectives that read none of Weight, Margin and Win.
func (b Pairs) check(n int) { b.reading(n, 0) }

// reading panics where lengths do not fit or a slice is set that would be ignored.
func (b Pairs) reading(n int, r reads) {
	if len(b.Rejected) != n {
		panic(badLength)
	}
	sized(n, b.RefChosen, b.RefRejected, b.Weight, b.Margin, b.Win)
	sized(n, b.ChosenLen, b.RejectedLen)
	switch {
	case b.Weight != nil && r&readsWeight == 0:
		panic(noWeight)
	case b.Margin != nil && r&readsMargin == 0:
		panic(noMargin)
	case b.Win != nil && r&readsWin == 0:
		panic(noWin)
	}
}

// finite returns an error for a weight, margin or win probability outside its range.
func (b Pairs) finite() error {
	if i := badWeightAt(b.Weight); i >= 0 {
		return &InputError{"Weight", i, b.Weight[i], badWeight}
	}
	for i, p := range b.Win {
		if !(p >= 0 && p <= 1) {
			return &InputError{"Win", i, p, "not a probability"}
		}
	}
	return finite("Margin", b.Margin)
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
