package rloo

import "fmt"

// Dual adapts the multiplier λ ≥ 0 of a KL constraint by projected dual ascent. For
//
//	min_θ L(θ)  subject to  KL(π_θ‖π_ref) ≤ Budget
//
// the Lagrangian is L + λ·(KL − Budget), and after each step on θ
//
//	λ ← max(0, λ + Rate·(KL − Budget))
//
// where KL is that step's estimate. At a fixed point with λ > 0 the KL equals the
// budget; λ stays 0 where the constraint does not bind. It is not safe for concurrent
// use.
//
// Budget is in nats and positive, Rate positive; NaN or anything else is an error of
// Update. Lambda is the current multiplier and may start at any value ≥ 0.
type Dual struct {
	Budget float64
	Rate   float64
	Lambda float64
}

// Check returns an error that names a field outside its range.
func (d *Dual) Check() error {
	for _, f := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"Budget", d.Budget, d.Budget > 0, "positive and finite"},
		{"Rate", d.Rate, d.Rate > 0, "positive and finite"},
		{"Lambda", d.Lambda, d.Lambda >= 0, "finite and not negative"},
	} {
		if !f.ok || !isFinite(f.value) {
			return fmt.Errorf("rloo: Dual.%s = %v, must be %s", f.name, f.value, f.want)
		}
	}
	return nil
}

// Update takes one step of λ for an estimate kl of the current KL, in nats, which
// may be negative as estimates can be. A kl that is not finite, or that makes λ infinite,
// is an error and leaves λ as it was.
func (d *Dual) Update(kl float64) error {
	if err := d.Check(); err != nil {
		return err
	}
	next := d.Lambda + d.Rate*(kl-d.Budget)
	if !isFinite(next) {
		return fmt.Errorf("rloo: Dual.Update: kl = %v makes Lambda %v", kl, next)
	}
	d.Lambda = max(0, next)
	return nil
}
