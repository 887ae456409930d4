package loss

import "sync"

// TokenPairs is a batch of preference pairs of token sequences: sequences 2i and 2i+1 of the
// layout are the chosen and the rejected reply of pair i. Flat slices that an objective does
// not use may be nil, and are as long as the others if not.
type TokenPairs struct {
	Layout
	LogProb []float64 // log π(y_t|x, y_<t)
	Ref     []float64 // log π_ref(y_t|x, y_<t)
	// KL is the forward divergence KL(π_ref(·|x, y_<t) ‖ π(·|x, y_<t)), nats, for [TDPO1] and [TDPO2]. KL
	// of policy.TokenStats is the other one; ReverseKL of policy/logits is this one, if its p is π.
	KL []float64
	// SumSq is a logarithm, log Σ_v π(v|x, y_<t)², for [WPO].
	SumSq []float64
}

// TokenPairsOut receives what an objective makes of TokenPairs; slices may be nil where not
// wanted.
type TokenPairsOut struct {
	Loss                         []float64 // the loss of each pair
	RewardChosen, RewardRejected []float64 // the implicit rewards of each pair
	LogProb, KL                  []float64 // ∂L/∂log π(y_t) and ∂L/∂KL_t of each token, L = Σ Loss; [WPO] holds its weights
}

// TokenPairwise is an objective on preference pairs of token sequences. Its [InputError]s
// name positions in flat slices, or pairs where it is a sum that cannot be used. Implementations
// are values without state, safe for concurrent use.
type TokenPairwise interface {
	Eval(dst TokenPairsOut, b TokenPairs) (Total, error)
}

func (o TokenPairsOut) check(pairs, tokens int) {
	sized(pairs, o.Loss, o.RewardChosen, o.RewardRejected)
	sized(tokens, o.LogProb, o.KL)
}

func (b TokenPairs) check() {
	n := len(b.LogProb)
	b.Layout.check(n)
	sized(n, b.Ref, b.KL, b.SumSq)
	if b.Len()%2 != 0 {
		panic("loss: TokenPairs of an odd number of sequences")
	}
}

// Summed is a pairwise objective on whole replies, given their tokens: log π(y|x) is the sum of
// the tokens that count, lengths are their number, and each token gets the derivative of its
// reply.
type Summed struct{ Loss Pairwise }

// Averaged is a pairwise objective given the mean of each reply's token log-probabilities in
// place of the sum, for the policy and for the reference: its length-normalised form. With
// [DPO] it is [NormDPO]. It is not for objectives whose score is a mean itself, which would
// divide twice.
type Averaged struct{ Loss Pairwise }

var (
	_ TokenPairwise = Summed{}
	_ TokenPairwise = Averaged{}
	_ Coupled       = Summed{}
	_ Coupled       = Averaged{}
)

// Eval implements [TokenPairwise].
func (l Summed) Eval(dst TokenPairsOut, b TokenPairs) (Total, error) {
	return evalReduced(dst, b, reduction{tail: 1}, l.Loss)
}

// Coupled implements [Coupled]: it is what Loss is.
func (l Summed) Coupled() bool { return IsCoupled(l.Loss) }

// Eval implements [TokenPairwise]. A reply of which no token counts is an [*InputError].
func (l Averaged) Eval(dst TokenPairsOut, b TokenPairs) (Total, error) {
	return evalReduced(dst, b, reduction{tail: 1, mean: true}, l.Loss)
}

// Coupled implements [Coupled]: it is what Loss is.
func (l Averaged) Coupled() bool { return IsCoupled(l.Loss) }

// reduction says how the tokens of a reply make the log-probability of the reply: its first
// tokens, as many as the shorter reply of the pair has, count once and the rest tail times,
// all divided by their number if it is a mean; to the policy's is added kl times the sum of
// its KLs, without a derivative for the chosen reply's if those are detached.
type reduction struct {
	tail, kl       float64
	mean, detached bool
}

// pairWork is a workspace for the pairs of a batch. It grows to the largest batch seen.
type pairWork struct {
	chosen, rejected, refChosen, refRejected []float64
	dChosen, dRejected, loss                 []float64
	chosenLen, rejectedLen                   []int
}

var pairWorkPool = sync.Pool{New: func() any { return new(pairWork) }}

func (w *pairWork) resize(n int) {
	for _, s := range []*[]float64{&w.chosen, &w.rejected, &w.refChosen, &w.refRejected, &w.dChosen, &w.dRejected, &w.loss} {
		*s = resize(*s, n)
	}
	w.chosenLen, w.rejectedLen = resize(w.chosenLen, n), resize(w.rejectedLen, n)
}

// evalReduced evaluates l on reduced replies and spreads its derivatives over their tokens.
func evalReduced[L Pairwise](dst TokenPairsOut, b TokenPairs, r reduction, l L) (Total, error) {
	if any(l) == nil {
		panic("loss: an objective on tokens without Loss")
	}
	b.check()
	n := b.Len() / 2
	dst.check(n, len(b.LogProb))
	w := pairWorkPool.Get().(*pairWork)
	defer pairWorkPool.Put(w)
	w.resize(n)
	p := Pairs{Chosen: w.chosen, Rejected: w.rejected, ChosenLen: w.chosenLen, RejectedLen: w.rejectedLen}
	if b.Ref != nil {
		p.RefChosen, p.RefRejected = w.refChosen, w.refRejected
	}
	if err := r.reduce(p, b); err != nil {
		return Total{}, err
	}
	t, err := l.Eval(PairsOut{Loss: dst.Loss, Chosen: w.dChosen, Rejected: w.dRejected,
		RewardChosen: dst.RewardChosen, RewardRejected: dst.RewardRejected}, p)
	if err != nil {
		return Total{}, err
	}
	clear(dst.LogProb)
	clear(dst.KL)
	for i := range n {
		shared := min(w.chosenLen[i], w.rejectedLen[i])
		r.spread(dst.LogProb, b.Layout, 2*i, shared, w.chosenLen[i], w.dChosen[i])
		r.spread(dst.LogProb, b.Layout, 2*i+1, shared, w.rejectedLen[i], w.dRejected[i])
		if r.kl != 0 {
			all := reduction{tail: 1}
			if !r.detached {
				all.spread(dst.KL, b.Layout, 2*i, shared, w.chosenLen[i], r.kl*w.dChosen[i])
			}
			all.spread(dst.KL, b.Layout, 2*i+1, shared, w.rejectedLen[i], r.kl*w.dRejected[i])
		}
	}
	return t, nil
}

// reduce fills the pairs' log-probabilities and lengths.
func (r reduction) reduce(p Pairs, b TokenPairs) error {
	if err := b.logProbs("LogProb", b.LogProb); err != nil {
		return err
	}
	if b.Ref != nil {
		if err := b.logProbs("Ref", b.Ref); err != nil {
			return err
		}
	}
	for i := range p.Chosen {
		c, j := b.Count(2*i), b.Count(2*i+1)
		p.ChosenLen[i], p.RejectedLen[i] = c, j
		if r.mean && c == 0 {
			return &InputError{"ChosenLen", i, 0, noTokens}
		}
		if r.mean && j == 0 {
			return &InputError{"RejectedLen", i, 0, noTokens}
		}
		shared := min(c, j)
		p.Chosen[i] = r.sum(b.LogProb, b.Layout, 2*i, shared, c)
		p.Rejected[i] = r.sum(b.LogProb, b.Layout, 2*i+1, shared, j)
		if b.Ref != nil {
			p.RefChosen[i] = r.sum(b.Ref, b.Layout, 2*i, shared, c)
			p.RefRejected[i] = r.sum(b.Ref, b.Layout, 2*i+1, shared, j)
		}
		if r.kl != 0 {
			all := reduction{tail: 1}
			p.Chosen[i] += r.kl * all.sum(b.KL, b.Layout, 2*i, shared, c)
			p.Rejected[i] += r.kl * all.sum(b.KL, b.Layout, 2*i+1, shared, j)
		}
	}
	return nil
}

// sum reduces the n counted tokens of reply i.
func (r reduction) sum(v []float64, l Layout, i, shared, n int) float64 {
	head, tail, seen := 0.0, 0.0, 0
	lo, hi := l.Reply(i)
	for p := lo; p < hi; p++ {
		if !l.Counts(p) {
			continue
		}
		if seen++; seen <= shared || r.tail == 1 {
			head += v[p]
		} else {
			tail += v[p]
		}
	}
	head += product(r.tail, tail)
	if r.mean {
		head /= float64(n)
	}
	return head
}

// spread stores the derivatives of the tokens of reply i, given that of their reduction.
func (r reduction) spread(dst []float64, l Layout, i, shared, n int, d float64) {
	if dst == nil {
		return
	}
	if r.mean {
		d /= float64(n)
	}
	seen := 0
	lo, hi := l.Reply(i)
	for p := lo; p < hi; p++ {
		if !l.Counts(p) {
			continue
		}
		dst[p] = d
		if seen++; seen > shared {
			dst[p] *= r.tail
		}
	}
}
