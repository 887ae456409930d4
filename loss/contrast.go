package loss

import (
	"cmp"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Contrast is the pairwise objective
//
//	Σᵢ Weightᵢ·Link(Beta·(s⁺ᵢ − s⁻ᵢ) − Gamma − Marginᵢ)
//
// for a [Score] s and a [Link]: the composition of which the named objectives are
// instances, and from which a caller makes one that has no name. Its derivatives are
// ∂L/∂log π(y⁺) = link′·Beta·∂s⁺ and ∂L/∂log π(y⁻) = −link′·Beta·∂s⁻. Weight and Margin are
// those of [Pairs], 1 and 0 where nil.
//
// Beta > 0 is a temperature, Gamma (finite, 0 for most) a target margin on the scale of
// Beta·s. Clip > 0, 0 for none, clamps the argument of the link to [−Clip, Clip]: beyond it
// a pair has no derivative, and Total.Clipped counts it. Score and Link must be set. A
// Contrast is safe for concurrent use.
type Contrast struct {
	Score Score
	Link  Link
	Beta  float64 // β, the scale of s: a KL coefficient if s is a log-ratio, else an inverse temperature
	Gamma float64
	Clip  float64
}

// Eval implements [Pairwise].
func (c Contrast) Eval(dst PairsOut, b Pairs) (Total, error) { return c.engine().eval(dst, b) }

// Curvature implements [Curved]. It panics if Link is not a [CurvedLink], or with Clip,
// which is not convex.
func (c Contrast) Curvature(dst []float64, b Pairs) error {
	l, ok := c.Link.(CurvedLink)
	if !ok || c.Clip != 0 {
		panic("loss: Contrast.Curvature without a CurvedLink, or with Clip")
	}
	e := c.engine()
	return curvature(engine[Score, Score, onMargin[CurvedLink]]{
		e.chosen, e.rejected, onMargin[CurvedLink]{link: l, gamma: c.Gamma}, e.beta, e.reads, e.err, fused{}}, dst, b)
}

func (c Contrast) engine() engine[Score, Score, onMargin[Link]] {
	if c.Score == nil || c.Link == nil {
		panic("loss: Contrast without Score or Link")
	}
	e := compose(c.Score, c.Link, c.Beta, c.Gamma, positive("Contrast.Beta", c.Beta),
		finiteParam("Contrast.Gamma", c.Gamma), nonNegative("Contrast.Clip", c.Clip))
	e.link.clip = c.Clip
	e.reads |= readsMargin
	return e
}

// margined is the engine of an objective with one score and a link on the margin.
type margined[S Score, L Link] = engine[S, S, onMargin[L]]

// compose makes an engine for concrete types of score and link: the named objectives use
// it with their own, since a value with fields allocates when it is put into an interface.
// The first error, if there is one, is what evaluation returns.
func compose[S Score, L Link](score S, link L, beta, gamma float64, errs ...error) margined[S, L] {
	return margined[S, L]{score, score, onMargin[L]{link: link, gamma: gamma}, beta, readsWeight, cmp.Or(errs...), fused{}}
}

// onMargin evaluates a link on the margin of the two scores.
type onMargin[L Link] struct {
	link        L
	gamma, clip float64
}

func (l onMargin[L]) Check() error { return l.link.Check() }

// margins stores the arguments of the link in w.gChosen.
func (l onMargin[L]) margins(w *scratch, b Pairs, beta float64, lo, m int) error {
	if !w.finite {
		for i, d := range w.diff[:m] {
			if d != d {
				return b.noDifference(w, lo, i)
			}
		}
	}
	elem.Affine(w.gChosen[:m], w.diff[:m], beta, l.gamma)
	if b.Margin != nil {
		elem.Differences(w.gChosen[:m], w.gChosen[:m], b.Margin[lo:lo+m])
	}
	return nil
}

// run implements linker.
func (l onMargin[L]) run(w *scratch, b Pairs, beta float64, lo, m int) error {
	if err := l.margins(w, b, beta, lo, m); err != nil {
		return err
	}
	z, other := w.gChosen[:m], w.gRejected[:m]
	if l.clip == 0 {
		l.link.Link(w.value[:m], z, z)
	} else {
		copy(other, z)
		for i, x := range z {
			z[i] = max(-l.clip, min(x, l.clip))
		}
		l.link.Link(w.value[:m], z, z)
		for i, x := range other {
			if x > l.clip || x < -l.clip {
				z[i] = 0
				w.clipped++
			}
		}
	}
	elem.Affine(other, z, -1, 0)
	return nil
}
