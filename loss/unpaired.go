package loss

// Unpaired is a batch of single replies, each with a verdict. Element i of every slice
// belongs to reply i, but for the two Mismatch slices; slices that an objective does not
// use may be nil.
type Unpaired struct {
	LogProb   []float64 // log π(y|x)
	Ref       []float64 // log π_ref(y|x)
	Desirable []bool    // whether y is a good reply to x
	Len       []int     // |y| in tokens, for scores that are means over tokens

	// Weight, nil for 1, multiplies the loss of each reply: finite and not negative. A reply
	// of weight 0 adds nothing, even if its loss is infinite. An objective that does not
	// read it panics where it is set.
	Weight []float64

	// MismatchLogProb and MismatchRef are log π(y′|x) and log π_ref(y′|x) of prompts and
	// replies that do not belong together, as [Mismatch] pairs them, from which [KTO]
	// estimates a KL divergence. They have a length of their own.
	MismatchLogProb, MismatchRef []float64
}

// UnpairedOut receives what an objective makes of Unpaired: slices as long as the batch,
// or nil where not wanted.
type UnpairedOut struct {
	Loss    []float64 // the loss of each reply
	LogProb []float64 // ∂L/∂log π(y), L = Σ Loss, no log-probability; with a log-ratio, ∂/∂ Ref[i] is minus that
	Reward  []float64 // the implicit reward β·s of the score that the objective really uses
}

// Pointwise is an objective on single replies with a verdict. In its [Total], Correct
// counts the replies whose reward is on their verdict's side of the objective's reference
// point, and Ties those that are on it. Implementations are values without state, safe for
// concurrent use.
type Pointwise interface {
	Eval(dst UnpairedOut, b Unpaired) (Total, error)
}

func (o UnpairedOut) check(n int) { sized(n, o.Loss, o.LogProb, o.Reward) }

func (b Unpaired) check(n int) {
	if len(b.Desirable) != n || len(b.MismatchLogProb) != len(b.MismatchRef) {
		panic(badLength)
	}
	sized(n, b.Ref, b.Weight)
	sized(n, b.Len)
}

// finite returns an error for a weight outside its range.
func (b Unpaired) finite() error { return Pairs{Weight: b.Weight}.finite() }

// replies selects replies lo … hi−1.
func (b Unpaired) replies(lo, hi int) Responses {
	r := Responses{LogProb: b.LogProb[lo:hi]}
	if b.Ref != nil {
		r.Ref = b.Ref[lo:hi]
	}
	if b.Len != nil {
		r.Len = b.Len[lo:hi]
	}
	return r
}
