package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// XPO is Exploratory Preference Optimization (Xie et al. 2024, arXiv:2405.21046, algorithm 1):
// for each row's prompt it draws K replies y from the policy and K replies ỹ from the
// reference, lets a judge compare them in twos, and adds to the loss of the pairs the
// optimism α·log π(ỹ), which alone is loss.XPO,
//
//	E_{y ~ π, ỹ ~ π_ref}[L_DPO(y⁺, y⁻) + α·log π(ỹ)]
//
// with the draws held fixed in the gradient, as for [OnlinePairs], whose other remarks hold here
// too. It reports the same, and the mean of α·log π(ỹ) as "loss/optimism"; "objective/kl" is
// of the policy's draws. It is not safe for concurrent use.
type XPO[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Ref    policy.Sampler[X, Y]
	Judge  sampler.Judge[X, Y]
	Loss   loss.Pairwise // on the pairs; in the paper loss.DPO
	Alpha  float64       // α, the weight of the optimism: loss per nat of log π(ỹ); finite, not negative
	K      int           // pairs per prompt, at least 1
	Soft   bool          // as for OnlinePairs

	f           freshPairs[X, Y]
	bonus, grad []float64
}

var _ Describer = (*XPO[int, int])(nil)

// Accumulate implements [Term].
func (t *XPO[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Policy == nil || t.Ref == nil || t.Judge == nil || t.Loss == nil {
		panic("train: XPO without Policy, Ref, Judge or Loss")
	}
	if t.K < 1 {
		return fmt.Errorf("train: XPO.K = %d, must be at least 1", t.K)
	}
	if err := checkWhole(b, t.Loss, loss.IsCoupled(t.Loss)); err != nil {
		return err
	}
	d, fresh, err := recall(&t.f.kept, b)
	if err != nil {
		return err
	}
	if fresh {
		if err := d.draw(ctx, t.Policy, t.Ref, t.K, b, key); err != nil {
			return err
		}
	}
	if err := t.f.forward(ctx, t.Policy, d, b); err != nil {
		return err
	}
	if fresh {
		d.ref = resize(d.ref, len(d.ys))
		if err := t.f.refer(ctx, t.Ref, d.ref, d, t.K, b, m); err != nil {
			return err
		}
		if err := t.f.judge(ctx, t.Judge, t.Soft, d, b, m); err != nil {
			return err
		}
	}
	div := float64(b.Rows * t.K)
	if err := t.f.add(d, t.Loss, div, b, m); err != nil {
		return err
	}
	if err := t.explore(d, div, b, m); err != nil {
		return err
	}
	return t.f.pass.Pullback(ctx, t.f.w)
}

// explore adds the optimism on the reference's replies.
func (t *XPO[X, Y]) explore(d *pairDraws[X, Y], div float64, b *Batch[X, Y], m *Metrics) error {
	t.bonus, t.grad = t.bonus[:0], resize(t.grad, len(d.ys)/2)
	for i := 1; i < len(d.ys); i += 2 {
		t.bonus = append(t.bonus, t.f.logp[i])
	}
	total, err := loss.XPO{Alpha: t.Alpha}.Eval(nil, t.grad, t.bonus)
	if err != nil {
		return rowError(b, err, t.K)
	}
	for i, g := range t.grad {
		t.f.w[2*i+1] += g / div
	}
	m.Sum("loss", total.Sum/div)
	m.Sum("loss/optimism", total.Sum/div)
	return nil
}

// Describe implements [Describer].
func (t *XPO[X, Y]) Describe() string {
	return fmt.Sprintf("K=%d Loss=%#v Alpha=%v Soft=%v", t.K, t.Loss, t.Alpha, t.Soft)
}
