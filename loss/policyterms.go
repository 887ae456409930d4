package loss

import "sync"

// PolicyTerm is one term of [PolicyTerms].
type PolicyTerm struct {
	Weight float64 // finite and not negative
	Loss   PolicyGradient
}

// PolicyTerms is the weighted sum
//
//	Σ_k w_k·L_k
//
// of objectives on one batch of rollouts: a policy-gradient loss, an entropy bonus, a KL. Sums,
// derivatives and the losses of replies are those of the sum; clips and signals are those of
// the first term. A term of weight 0 is evaluated, for its errors, and adds nothing.
//
// Terms share one denominator, so terms with the same [Aggregation] are what is usually wanted.
// It is [Coupled] if one of them is. A value that no one changes is safe for concurrent use.
type PolicyTerms []PolicyTerm

var (
	_ PolicyGradient = PolicyTerms{}
	_ Coupled        = PolicyTerms{}
)

// Eval implements [PolicyGradient].
func (l PolicyTerms) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	if len(l) == 0 {
		panic("loss: PolicyTerms without terms")
	}
	b.check()
	dst.check(b)
	work := policyTerms.Get().(*policyTermOut)
	defer policyTerms.Put(work)
	out := work.like(dst, b)
	var t RolloutsTotal
	for k, term := range l {
		if term.Loss == nil {
			panic("loss: PolicyTerms with a term without Loss")
		}
		if err := nonNegative("PolicyTerms.Weight", term.Weight); err != nil {
			return RolloutsTotal{}, err
		}
		part, err := term.Loss.Eval(out, b)
		if err != nil {
			return RolloutsTotal{}, err
		}
		if k == 0 {
			t = part
			t.Sum = 0
			clear(dst.Loss)
			clear(dst.LogProb)
			clear(dst.Entropy)
		}
		t.Sum += product(term.Weight, part.Sum)
		addTimes(dst.Loss, out.Loss, term.Weight)
		addTimes(dst.LogProb, out.LogProb, term.Weight)
		addTimes(dst.Entropy, out.Entropy, term.Weight)
	}
	if t.Sum != t.Sum {
		return RolloutsTotal{}, &InputError{"LogProb", 0, b.LogProb[0], "the terms have infinite losses of both signs"}
	}
	if p := undefined(dst.LogProb); p >= 0 {
		return RolloutsTotal{}, &InputError{"LogProb", p, b.LogProb[p], noSlope}
	}
	return t, nil
}

// Coupled implements [Coupled].
func (l PolicyTerms) Coupled() bool {
	for _, term := range l {
		if IsCoupled(term.Loss) {
			return true
		}
	}
	return false
}

// policyTermOut holds what one term stores. It grows to the largest batch seen.
type policyTermOut struct{ loss, logProb, entropy []float64 }

var policyTerms = sync.Pool{New: func() any { return new(policyTermOut) }}

// like returns destinations for what is wanted in dst.
func (w *policyTermOut) like(dst RolloutsOut, b Rollouts) RolloutsOut {
	var out RolloutsOut
	if dst.Loss != nil {
		w.loss = resize(w.loss, b.Len())
		out.Loss = w.loss
	}
	if dst.LogProb != nil {
		w.logProb = resize(w.logProb, len(b.LogProb))
		out.LogProb = w.logProb
	}
	if dst.Entropy != nil {
		w.entropy = resize(w.entropy, len(b.LogProb))
		out.Entropy = w.entropy
	}
	return out
}
