package rloo

// OptimalTokenBaseline has a baseline for each token, from the other replies of the group
// that have as many tokens:
//
//	A_{i,t} = G_{i,t} − Σ_{j≠i} W_{j,t}·G_{j,t} / Σ_{j≠i} W_{j,t},   W_{j,t} = Σ_{u≤t} w_{j,u}
//
// with G the reward-to-go (γ = 1), t counting the tokens that count, and j over replies that
// reach t. With w_{j,u} = ‖∇ log π(y_u|…)‖², the squared norm of a token's score, W stands for
// that of all tokens up to t, as if scores of different tokens were orthogonal; with respect to the
// logits w = 1 − 2π(y_u|…) + Σ_v π(v|…)². Where the weights of all others are 0, theirs count
// as equal. A token that no other reply reaches has baseline 0, and so have all of a reply that is
// alone in its group.
//
// Unbiased, like [OptimalBaseline], for weights that are functions of the own reply. verl
// 0.9.1 has the own reply in the sums, which biases the estimate. Dependent draws are refused
// with [ErrDependent].
type OptimalTokenBaseline struct {
	Weight []float64 // w of each token, flat, finite and not negative
}

// Eval stores in dst, which may be reward, the advantages of tokens that earn reward, 0 at
// prompt and masked positions. A reward or weight that is not finite, or a negative weight, at
// a token that counts is an error. Eval panics if the slices do not fit l, or if g does not
// divide its replies.
func (a OptimalTokenBaseline) Eval(dst, reward []float64, l Layout, g Groups) error {
	if len(a.Weight) != len(reward) {
		panic(badLength)
	}
	replies := l.check(len(reward))
	g.check(replies)
	if g.Dependent {
		return ErrDependent
	}
	if err := (RewardToGo{Gamma: 1}).Eval(dst, reward, l); err != nil {
		return err
	}
	work := pool.Get().(*scratch)
	defer pool.Put(work)
	for i := range g.Len(replies) {
		lo, hi := g.Group(i)
		work.cursors = work.cursors[:0]
		for j := lo; j < hi; j++ {
			at, end := l.reply(j)
			work.cursors = append(work.cursors, cursor{at: at, end: end})
		}
		if err := a.group(dst, l, i, work); err != nil {
			return err
		}
	}
	return nil
}

// cursor is the next token of a reply, and the weights of those before it.
type cursor struct {
	at, end int
	weight  float64
}

// group puts advantages in the place of rewards-to-go: those of the first tokens of all
// replies of group i, then those of the second ones, and so on.
func (a OptimalTokenBaseline) group(dst []float64, l Layout, i int, work *scratch) error {
	for {
		running := work.cursors[:0]
		togo, weight := work.value[:0], work.weight[:0]
		for _, c := range work.cursors {
			for c.at < c.end && !l.counts(c.at) {
				c.at++
			}
			if c.at == c.end {
				continue
			}
			if err := checkWeights("OptimalTokenBaseline.Weight", a.Weight[c.at:c.at+1], c.at); err != nil {
				return err
			}
			c.weight += a.Weight[c.at]
			running = append(running, c)
			togo, weight = append(togo, dst[c.at]), append(weight, c.weight)
		}
		work.cursors, work.value, work.weight = running, togo, weight
		if len(running) == 0 {
			return nil
		}
		if len(running) > 1 {
			sum, total := weightedSums(togo, weight)
			if !isFinite(sum) || !isFinite(total) {
				return overflowingWeights("OptimalTokenBaseline.Weight", i)
			}
			leaveOneOutWeighted(togo, togo, weight, sum, total)
		}
		for j := range running {
			dst[running[j].at] = togo[j]
			running[j].at++
		}
	}
}
