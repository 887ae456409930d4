package loss

import "cmp"

// Gain is what a [Surrogate] makes of ratios and advantages.
type Gain interface {
	// Losses stores the loss of each token, to be minimised, and its derivative with respect to
	// log ρ_t, and counts what bounds on the ratio changed. A token whose advantage is 0 has a
	// loss and a slope of 0, however large its ratio is.
	Losses(loss, slope []float64, t ReplyTokens) Clips
	// Check returns a [*ParamError] for a parameter outside its range.
	Check() error
}

// Surrogate is the policy-gradient loss
//
//	Σ_i Σ_t scale_i·Weight_t·loss(ρ_t, A_t)
//
// of a [Ratio] ρ and a [Gain], which has the loss; By says whether scale_i is 1 or one over the
// number of tokens that count. It is the composition of which most named losses are instances,
// and from which a caller makes one that has no name. Its derivative is that of the value, all
// through the ratio.
//
// It uses Advantage, Old and Weight of [Rollouts]. Ratio and Gain must be set, and so must By.
type Surrogate struct {
	Ratio Ratio
	Gain  Gain
	By    Aggregation
}

// Eval implements [PolicyGradient].
func (l Surrogate) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	if l.Ratio == nil || l.Gain == nil {
		panic("loss: Surrogate without Ratio or Gain")
	}
	return evalSurrogate(dst, b, surrogate[Ratio, Gain]{ratio: l.Ratio, gain: l.Gain}, l.By,
		cmp.Or(l.Ratio.Check(), l.Gain.Check(), l.By.check("Surrogate.By")))
}

// Factor is what a [Detached] loss makes of ratios and advantages.
type Factor interface {
	// Factors stores a finite factor c(ρ_t, A_t) for each token, and counts what bounds on the
	// ratio changed. It must be finite for infinite ratios, too, or such tokens have infinite
	// derivatives.
	Factors(factor []float64, t ReplyTokens) Clips
	// Check returns a [*ParamError] for a parameter outside its range.
	Check() error
}

// Detached is the policy-gradient loss
//
//	−Σ_i Σ_t scale_i·Weight_t·sg(c(ρ_t, A_t))·A_t·log π(y_t|x, y_<t)
//
// of a [Ratio] ρ and a [Factor] c, which have no derivative: a weighted REINFORCE. Every token
// has a derivative, −c·A_t, whatever its ratio is, where a [Surrogate] that clips has none. The
// value is not comparable between steps; only its derivative means something.
//
// It uses Advantage, Old and Weight of [Rollouts]. Ratio and Factor must be set, and so must
// By.
type Detached struct {
	Ratio  Ratio
	Factor Factor
	By     Aggregation
}

// Eval implements [PolicyGradient].
func (l Detached) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	if l.Ratio == nil || l.Factor == nil {
		panic("loss: Detached without Ratio or Factor")
	}
	return evalDetached(dst, b, l.Ratio, l.Factor, l.By,
		cmp.Or(l.Ratio.Check(), l.Factor.Check(), l.By.check("Detached.By")))
}

var (
	_ PolicyGradient = Surrogate{}
	_ PolicyGradient = Detached{}
)

// surrogate is the kernel of a ratio and a gain. Named losses use it with their own types,
// since a value with fields allocates when it is put into an interface.
type surrogate[R Ratio, G Gain] struct {
	ratio R
	gain  G
	kl    klTerm // added to each token, whose ratio R must be; its zero value adds nothing
}

func (k surrogate[R, G]) run(r *reply) Clips {
	c := k.ratio.LogRatios(r.LogRatio, r.diff, r.Advantage)
	r.ratios()
	more := k.gain.Losses(r.loss, r.slope, r.ReplyTokens)
	r.weigh()
	k.ratio.Pullback(r.slope, r.diff, r.Advantage)
	if k.kl.beta != 0 {
		k.kl.add(r)
	}
	return Clips{c.Low + more.Low, c.High + more.High, c.Dual + more.Dual}
}

func evalSurrogate[R Ratio, G Gain](dst RolloutsOut, b Rollouts, k surrogate[R, G], by Aggregation, err error) (RolloutsTotal, error) {
	need := needsAdvantage
	if k.kl.beta != 0 {
		need |= needsRef
	}
	return evalRollouts(dst, b, k, by, need, err)
}

// detached makes the gain c·A·log π of a factor.
type detached[F Factor] struct{ factor F }

func (d detached[F]) Losses(loss, slope []float64, t ReplyTokens) Clips {
	c := d.factor.Factors(slope, t)
	for i, a := range t.Advantage {
		slope[i] = -product(slope[i], a)
		loss[i] = product(slope[i], t.LogProb[i])
	}
	return c
}

func (d detached[F]) Check() error { return d.factor.Check() }

func evalDetached[R Ratio, F Factor](dst RolloutsOut, b Rollouts, ratio R, f F, by Aggregation, err error) (RolloutsTotal, error) {
	return evalSurrogate(dst, b, surrogate[held[R], detached[F]]{ratio: held[R]{ratio}, gain: detached[F]{f}}, by, err)
}
