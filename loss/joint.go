package loss

import (
	"cmp"
	"math"
)

// JointLink is a function of the two implicit rewards of a pair that is not one of their
// difference alone. Hundreds of pairs go through one call.
type JointLink interface {
	// Joint stores the value at (chosen[i], rejected[i]) in value[i] and the derivatives in
	// dChosen[i] and dRejected[i].
	Joint(value, dChosen, dRejected, chosen, rejected []float64)
	// Check returns a [*ParamError] for a parameter outside its range.
	Check() error
}

// Joint is a pairwise objective (sampler.Joint says how draws depend on each other),
//
//	Σᵢ Weightᵢ·Link(Beta·s⁺ᵢ, Beta·s⁻ᵢ)
//
// for a [Score] s and a [JointLink]: what [Contrast] is for links of the margin, for those
// that also say where each reward ought to be. Its derivatives are ∂₁Link·Beta·∂s⁺ and
// ∂₂Link·Beta·∂s⁻. [NCA], [BCOPair], [SPPO], [CalDPO], [APOZero] and [APODown] are instances.
//
// Beta must be positive, Score and Link must be set. It is safe for concurrent use.
type Joint struct {
	Score Score
	Link  JointLink
	Beta  float64 // β, the scale of s: a KL coefficient if s is a log-ratio, else an inverse temperature
}

// Eval implements [Pairwise].
func (j Joint) Eval(dst PairsOut, b Pairs) (Total, error) {
	j.check()
	return composeJoint(j.Score, j.Link, j.Beta, positive("Joint.Beta", j.Beta)).eval(dst, b)
}

// Curvature implements [JointCurved]. It panics if Link is not a [CurvedJointLink].
func (j Joint) Curvature(dst JointCurvature, b Pairs) error {
	j.check()
	link, ok := j.Link.(CurvedJointLink)
	if !ok {
		panic("loss: Joint.Curvature without a CurvedJointLink")
	}
	return jointCurvature(composeJoint(j.Score, link, j.Beta, positive("Joint.Beta", j.Beta)), dst, b)
}

func (j Joint) check() {
	if j.Score == nil || j.Link == nil {
		panic("loss: Joint without Score or Link")
	}
}

// joint is the engine of an objective with one score and a link on both rewards.
type joint[S Score, L JointLink] = engine[S, S, onRewards[L]]

// composeJoint is compose for links on both rewards.
func composeJoint[S Score, L JointLink](score S, link L, beta float64, errs ...error) joint[S, L] {
	return joint[S, L]{score, score, onRewards[L]{link}, beta, readsWeight, cmp.Or(errs...), fused{}}
}

// onRewards evaluates a link on the rewards of both replies.
type onRewards[L JointLink] struct{ link L }

func (l onRewards[L]) Check() error { return l.link.Check() }

// rewards stores the arguments of the link in w.z and w.other.
func (w *scratch) rewards(beta float64, m int) (chosen, rejected []float64) {
	scaled(w.z[:m], w.chosen[:m], beta, 0)
	scaled(w.other[:m], w.rejected[:m], beta, 0)
	return w.z[:m], w.other[:m]
}

// run implements linker.
func (l onRewards[L]) run(w *scratch, b Pairs, beta float64, lo, m int) error {
	chosen, rejected := w.rewards(beta, m)
	l.link.Joint(w.value[:m], w.gChosen[:m], w.gRejected[:m], chosen, rejected)
	for i, v := range w.value[:m] {
		if v != v || w.gChosen[i] != w.gChosen[i] || w.gRejected[i] != w.gRejected[i] {
			return b.noDifference(w, lo, i)
		}
	}
	return nil
}

// growth implements linker. The part of a link that grows is that of one reward alone,
// whose derivative is then infinite too; so nothing is 0·∞ there.
func (onRewards[L]) growth(float64) float64 { return math.Inf(1) }

// CurvedJointLink is a [JointLink] that is convex and twice differentiable.
type CurvedJointLink interface {
	JointLink
	// Curvature stores the second derivatives at (chosen[i], rejected[i]).
	Curvature(dst JointCurvature, chosen, rejected []float64)
}

// JointCurvature receives, for each pair, the symmetric matrix of second derivatives with
// respect to the two implicit rewards Beta·s: slices as long as the batch.
type JointCurvature struct {
	Chosen, Rejected, Mixed []float64 // ∂²L/∂(βs⁺)², ∂²L/∂(βs⁻)², ∂²L/∂(βs⁺)∂(βs⁻)
}

// JointCurved is a [Pairwise] objective that is a convex, twice differentiable function of
// the two implicit rewards of a pair.
type JointCurved interface {
	Pairwise
	// Curvature stores the second derivatives of each pair, weights included. Its matrices
	// have no negative eigenvalues.
	Curvature(dst JointCurvature, b Pairs) error
}

func (c JointCurvature) check(n int) {
	if len(c.Chosen) != n || len(c.Rejected) != n || len(c.Mixed) != n {
		panic(badLength)
	}
}

func jointCurvature[S Score, L CurvedJointLink](e joint[S, L], dst JointCurvature, b Pairs) error {
	n := len(b.Chosen)
	dst.check(n)
	if err := e.check(b); err != nil {
		return err
	}
	w := pool.Get().(*scratch)
	defer pool.Put(w)
	for lo := 0; lo < n; lo += block {
		m := min(block, n-lo)
		if err := e.scores(w, b, lo, m); err != nil {
			return err
		}
		chosen, rejected := w.rewards(e.beta, m)
		part := JointCurvature{dst.Chosen[lo : lo+m], dst.Rejected[lo : lo+m], dst.Mixed[lo : lo+m]}
		e.link.link.Curvature(part, chosen, rejected)
		for i, v := range part.Mixed {
			if v != v {
				return b.noDifference(w, lo, i)
			}
		}
		weighted(dst.Chosen, b.Weight, lo, m)
		weighted(dst.Rejected, b.Weight, lo, m)
		weighted(dst.Mixed, b.Weight, lo, m)
	}
	return nil
}
