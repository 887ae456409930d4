package rloo

import "fmt"

// Trajectories are replies with a reward and a value at each token, in flat slices that
// Layout divides. Masked and prompt positions are not read.
type Trajectories struct {
	Layout
	Reward []float64 // what the token at each position earns; a reward for the whole reply stands at its last token
	Value  []float64 // V of the state before the token at each position

	// Last is, for each reply, V of the state after its last token if it was cut off, and 0
	// if it ended there: that a reply is truncated does not mean that nothing would follow.
	// nil: all ended.
	Last []float64
}

// TokenAdvantages receives numbers for each token, 0 at prompt and masked positions. A nil
// slice is not wanted.
type TokenAdvantages struct {
	Advantage []float64
	Return    []float64 // Advantage + Value, what a value function is regressed on
}

// GAE is the generalised advantage estimate. Over the tokens t of a reply,
//
//	δ_t = r_t + γ·V_{t+1} − V_t
//	A_t = Σ_{u≥t} (γλ)^{u−t}·δ_u,   R_t = A_t + V_t
//
// with V after the last token from [Trajectories].Last. λ = 1 is the discounted return less
// V_t, λ = 0 is δ_t; the zero value, γ = λ = 0, is r_t − V_t. Language models mostly use γ = 1
// and λ from 0.95 to 1.
//
// Biased unless λ = 1 or V is exact: an error of V_{t+1} enters with weight γ(1−λ). With
// γ = 1, λ = 1 any V leaves the gradient unbiased.
//
// Through says how time counts in masked spans between tokens of a reply. By default they are
// skipped, as if they were not there: t+1 is the next token that counts (as in verl). With
// Through they take their time: u−t is a distance of positions, and γ acts on each masked
// one. Either way nothing there is read, and a reward at a masked position is not seen. For
// γ = 1 and λ = 1 both agree.
//
// Source: Schulman et al. 2016 (arXiv:1506.02438), equation 16.
type GAE struct {
	Gamma, Lambda float64 // in [0, 1]
	Through       bool
}

// Eval stores advantages and returns of t in dst, whose slices may be those of t. A γ or λ
// outside [0, 1], and a number that is not finite at a token that counts, are errors; dst is
// then unspecified. Eval panics if the slices do not fit the layout.
func (e GAE) Eval(dst TokenAdvantages, t Trajectories) error {
	if len(t.Value) != len(t.Reward) {
		panic(badLength)
	}
	if err := unit("GAE.Lambda", e.Lambda); err != nil {
		return err
	}
	if err := unit("GAE.Gamma", e.Gamma); err != nil {
		return err
	}
	return discount(dst, t, e.Gamma, e.Lambda, e.Through)
}

// unit returns an error unless v is in [0, 1].
func unit(field string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("rloo: %s = %v, must be in [0, 1]", field, v)
	}
	return nil
}

// discount is GAE; without values, which are then 0, it sums rewards.
func discount(dst TokenAdvantages, t Trajectories, gamma, lambda float64, through bool) error {
	replies := t.check(len(t.Reward))
	if t.Last != nil && len(t.Last) != replies {
		panic("rloo: not one Trajectories.Last for each reply")
	}
	for _, d := range [][]float64{dst.Advantage, dst.Return} {
		if d != nil && len(d) != len(t.Reward) {
			panic(badLength)
		}
	}
	store := func(p int, a, r float64) {
		if dst.Advantage != nil {
			dst.Advantage[p] = a
		}
		if dst.Return != nil {
			dst.Return[p] = r
		}
	}
	end := 0
	for i := range replies {
		lo, hi := t.reply(i)
		for p := end; p < lo; p++ {
			store(p, 0, 0)
		}
		end = hi // of the reply
		next, sum := 0.0, 0.0
		if t.Last != nil {
			next = t.Last[i]
			if !isFinite(next) {
				return fmt.Errorf("rloo: Trajectories.Last[%d] = %v, must be finite", i, next)
			}
		}
		if t.Mask == nil {
			hi, next, sum = discountFours(dst, t, gamma, gamma*lambda, lo, hi, next, sum)
		}
		for p := hi - 1; p >= lo; p-- {
			if !t.counts(p) {
				if through {
					next *= gamma
					sum *= gamma * lambda
				}
				store(p, 0, 0)
				continue
			}
			r, v := t.Reward[p], 0.0
			if t.Value != nil {
				v = t.Value[p]
			}
			sum = r + gamma*next - v + gamma*lambda*sum
			if !isFinite(sum) {
				return badToken(r, v, p)
			}
			store(p, sum, sum+v)
			next = v
		}
	}
	return nil
}

// discountFours goes down from position hi−1 to lo while there are four tokens, given V and A of what follows, and
// returns where it stopped. Each four are sums among them, and multiples of what follows: only those have to wait for it.
// It stops before a sum that is not finite: one by one there may be one, or else an error that says where.
func discountFours(dst TokenAdvantages, t Trajectories, gamma, c float64, lo, hi int, next, sum float64) (int, float64, float64) {
	c2 := c * c
	c3, c4 := c2*c, c2*c2
	for ; hi-lo >= 4; hi -= 4 {
		r := (*[4]float64)(t.Reward[hi-4:])
		var v [4]float64
		if t.Value != nil {
			v = [4]float64(t.Value[hi-4:])
		}
		s3 := r[3] + gamma*next - v[3]
		s2 := r[2] + gamma*v[3] - v[2] + c*s3
		s1 := r[1] + gamma*v[2] - v[1] + c*s2
		s0 := r[0] + gamma*v[1] - v[0] + c*s1
		a0, a1, a2, a3 := s0+c4*sum, s1+c3*sum, s2+c2*sum, s3+c*sum
		if (0*a0+0*a1)+(0*a2+0*a3) != 0 { // NaN if one of them is not finite
			break
		}
		if dst.Advantage != nil {
			*(*[4]float64)(dst.Advantage[hi-4:]) = [4]float64{a0, a1, a2, a3}
		}
		if dst.Return != nil {
			*(*[4]float64)(dst.Return[hi-4:]) = [4]float64{a0 + v[0], a1 + v[1], a2 + v[2], a3 + v[3]}
		}
		next, sum = v[0], a0
	}
	return hi, next, sum
}

// badToken names what keeps the sum at position p from being finite.
func badToken(reward, value float64, p int) error {
	switch {
	case !isFinite(reward):
		return fmt.Errorf("rloo: Trajectories.Reward[%d] = %v, must be finite", p, reward)
	case !isFinite(value):
		return fmt.Errorf("rloo: Trajectories.Value[%d] = %v, must be finite", p, value)
	}
	return fmt.Errorf("rloo: the sum of rewards and values from position %d overflows", p)
}
