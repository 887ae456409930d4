package sampler

import (
	"context"

	"github.com/prefgrad/prefgrad/loss"
)

// Preferences compares all k draws of each prompt with each other, in one call of the
// judge: dst holds k×k numbers per prompt, row by row,
//
//	dst[i·k+j] = P(yᵢ ≻ yⱼ) = 1 − dst[j·k+i],    ½ on the diagonal,
//
// as [loss.WinRates] takes them. Only i < j is asked; to cancel a judge's preference for the
// first place, ask [BothOrders]. xs are the prompts, ys the draws, k of each. A comparison
// that fails is NaN in both places. Preferences panics if k < 2 or the lengths do not fit, and
// without a Judge.
//
// The errors are those of [Compare]; the indices in them count the comparisons, prompt by
// prompt, each (0,1), (0,2), …, (k−2,k−1).
func Preferences[X, Y any](ctx context.Context, j Judge[X, Y], dst []float64, xs []X, ys []Y, k int) error {
	if k < 2 || len(ys) != len(xs)*k || len(dst) != len(ys)*k {
		panic("sampler: k < 2, or draws and preferences that are not k and k×k per prompt")
	}
	n := len(xs) * k * (k - 1) / 2
	prompts, as, bs := make([]X, 0, n), make([]Y, 0, n), make([]Y, 0, n)
	for p, x := range xs {
		for a := range k {
			for b := a + 1; b < k; b++ {
				prompts, as, bs = append(prompts, x), append(as, ys[p*k+a]), append(bs, ys[p*k+b])
			}
		}
	}
	win := make([]float64, n)
	err := Compare(ctx, j, win, prompts, as, bs)
	if !onlyItems(err) {
		return err
	}
	for p := range xs {
		m := dst[p*k*k : (p+1)*k*k]
		for a := range k {
			m[a*k+a] = 0.5
			for b := a + 1; b < k; b++ {
				m[a*k+b], m[b*k+a] = win[0], 1-win[0]
				win = win[1:]
			}
		}
	}
	return err
}

// Groups is samples of whole prompts, for losses that cannot do without one of them: those
// prompts are left out of which a number is missing. rloo.Groups says which samples share a prompt.
type Groups struct {
	Index  []int // the samples that are left, in order
	Failed int   // prompts that were left out
}

// Complete makes g the samples of the prompts without a NaN in v, which holds the same number
// of values for each of n draws: rewards, verdicts, or rows of preferences. k draws belong
// to a prompt. It panics if n is not a multiple of k or len(v) not one of n.
func (g *Groups) Complete(v []float64, n, k int) {
	if k < 1 || n%k != 0 || n > 0 && len(v)%n != 0 {
		panic("sampler: k < 1, or draws and values that are not multiples")
	}
	g.Index, g.Failed = g.Index[:0], 0
	if n == 0 {
		return
	}
	per := len(v) / n
next:
	for lo := 0; lo < n; lo += k {
		for _, x := range v[lo*per : (lo+k)*per] {
			if x != x {
				g.Failed++
				continue next
			}
		}
		for i := lo; i < lo+k; i++ {
			g.Index = append(g.Index, i)
		}
	}
}

// Samples stores log-probabilities and rewards of the samples in dst, for [loss.RLHF] and its
// kin, k draws per prompt. With reward[i] = P(yᵢ ≻ y′ᵢ), y from the policy, y′ from a geometric
// mixture of policy and reference ([Mixture]), and β the strength of the KL penalty,
// loss.RLHF is Nash-MD (Munos et al. 2023, arXiv:2312.00886): its weights are
//
//	∇ log π(y)·(P(y ≻ y′) − baseline − β·log(π(y)/π_ref(y)))
//
// with whole replies in the log-ratio, which keeps the effect of a token on the KL of
// what follows, and the other samples' mean as baseline.
func (g Groups) Samples(dst *loss.Samples, logp, ref, reward []float64, k int) {
	*dst = loss.Samples{
		LogProb: gather(dst.LogProb, logp, g.Index), Ref: gather(dst.Ref, ref, g.Index),
		Reward: gather(dst.Reward, reward, g.Index), K: k,
	}
}

// KWise stores log-probabilities of the samples in dst and their win rates, from the matrices of
// [Preferences], in win, which it returns, for [loss.SPPOKWise]. Its error is that of
// [loss.WinRates].
func (g Groups) KWise(dst *loss.Unpaired, win, logp, ref, prefer []float64, k int) ([]float64, error) {
	*dst = loss.Unpaired{LogProb: gather(dst.LogProb, logp, g.Index), Ref: gather(dst.Ref, ref, g.Index)}
	rows := make([]float64, 0, len(g.Index)*k)
	for _, i := range g.Index {
		rows = append(rows, prefer[i*k:(i+1)*k]...)
	}
	win = resize(win, len(g.Index))
	return win, loss.WinRates(win, rows, k)
}
