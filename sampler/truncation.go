package sampler

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/vec"
)

// TopK keeps the k most probable tokens, k ≥ 1, and with the k-th all that have the same
// logit: so it can keep more than k, as Hugging Face's does, and never depends on an
// order of equal tokens. A k beyond the vocabulary keeps all.
//
// Fan, Lewis, Dauphin 2018 (arXiv:1805.04833).
type TopK int

// Apply implements [Transform].
func (k TopK) Apply(r *Row) error {
	if err := k.Check(len(r.Logits)); err != nil {
		return err
	}
	if int(k) >= len(r.Logits) {
		return nil
	}
	least := r.atLeastOf(int(k))
	c := r.collect(least)
	t, _ := r.selection.edge(c.score, nil, least, float64(k))
	n := 0
	for i, x := range c.score {
		if !(x < t) {
			c.ids[n], c.score[n] = c.ids[i], x
			n++
		}
	}
	r.retain(n)
	return nil
}

// Check implements [Transform].
func (k TopK) Check(int) error {
	if k < 1 {
		return fmt.Errorf("TopK is %d, must be at least 1", int(k))
	}
	return nil
}

// TopP keeps the smallest set of most probable tokens whose mass is at least p ∈ (0, 1],
// the nucleus. Of equally probable tokens at its edge the ones with lower ids are kept,
// as many as are needed: which of them, is a convention (transformers' is that of a
// sort), how many is not. 1 keeps all.
//
// Masses are sums of floating-point numbers: where a sum equals p but for rounding, a
// token more or less may be kept. The edge is found by selection, in time linear in the
// vocabulary. Holtzman et al. 2019 (arXiv:1904.09751).
type TopP float64

// Apply implements [Transform].
func (p TopP) Apply(r *Row) error {
	if err := p.Check(len(r.Logits)); err != nil {
		return err
	}
	if p == 1 || r.largest() == math.Inf(-1) {
		return nil
	}
	if err := r.weigh(); err != nil {
		return err
	}
	target, least := float64(p)*r.known.total, r.nucleus(float64(p))
	c := r.collect(least)
	mass := c.weigh(r.known.top)
	t, above := r.selection.edge(c.score, mass, least, target)
	n := 0
	for i, x := range c.score {
		if x > t || x == t && above < target {
			if x == t {
				above += mass[i]
			}
			c.ids[n], c.score[n] = c.ids[i], x
			n++
		}
	}
	r.retain(n)
	return nil
}

// nucleus returns a logit that all tokens of the nucleus of mass p reach: a token below it has
// less than the V-th part of 1−p times the total, and all such tokens together less than 1−p
// times the total. The margin is more than rounding takes.
func (r *Row) nucleus(p float64) float64 {
	if p > 1-1e-5 {
		return math.Inf(-1)
	}
	return r.known.top + math.Log((1-p)*r.known.total/float64(len(r.Logits))) - 1e-6
}

// Check implements [Transform].
func (p TopP) Check(int) error { return checkPart("TopP", float64(p)) }

// MinP keeps the tokens that are at least p times as probable as the most probable one,
// p ∈ [0, 1]: 0 keeps all, 1 the most probable and its equals.
//
// Nguyen et al. 2024 (arXiv:2407.01082).
type MinP float64

// Apply implements [Transform].
func (p MinP) Apply(r *Row) error {
	if err := p.Check(len(r.Logits)); err != nil {
		return err
	}
	if top := r.largest(); p > 0 && top > math.Inf(-1) {
		c := r.collect(top + math.Log(float64(p)))
		r.retain(len(c.ids))
	}
	return nil
}

// Check implements [Transform].
func (p MinP) Check(int) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("MinP is %v, must be in [0, 1]", float64(p))
	}
	return nil
}

// Typical keeps the tokens whose surprise −log μ(v) is nearest to the entropy H(μ), as
// many as it takes for a mass of at least the given part, in (0, 1], and with the last
// of them all that are equally near. 1 keeps all. The most probable token need not be
// among them.
//
// Meister et al. 2022, Locally Typical Sampling (arXiv:2202.00666).
type Typical float64

// Apply implements [Transform].
func (p Typical) Apply(r *Row) error {
	if err := p.Check(len(r.Logits)); err != nil {
		return err
	}
	if p == 1 || r.largest() == math.Inf(-1) {
		return nil
	}
	if err := r.weigh(); err != nil {
		return err
	}
	r.weight = resize(r.weight, len(r.Logits))
	vec.Exp(r.weight, r.Logits, r.known.top)
	// −log μ(v) − H = Σ_u μ(u)·d_u − d_v, with d the logit less the largest one.
	mean := 0.0
	for v, w := range r.weight {
		if w > 0 {
			mean += w * (r.Logits[v] - r.known.top)
		}
	}
	mean /= r.known.total
	r.score = resize(r.score, len(r.Logits))
	for v, x := range r.Logits {
		r.score[v] = -math.Abs(mean - (x - r.known.top))
	}
	t, _ := r.selection.edge(r.score, r.weight, math.Inf(-1), float64(p)*r.known.total)
	r.keep(r.score, t)
	return nil
}

// Check implements [Transform].
func (p Typical) Check(int) error { return checkPart("Typical", float64(p)) }

func checkPart(name string, p float64) error {
	if !(p > 0 && p <= 1) {
		return fmt.Errorf("%s is %v, must be in (0, 1]", name, p)
	}
	return nil
}

// keep removes the tokens whose score is below t.
func (r *Row) keep(score []float64, t float64) {
	for v, s := range score {
		if s < t {
			r.remove(v)
		}
	}
}
