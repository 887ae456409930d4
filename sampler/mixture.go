package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/policy"
)

// Mixture is the geometric mixture of a policy and its reference, token by token:
//
//	μ(v|x, y_<t) ∝ π(v|x, y_<t)^(1−A) · π_ref(v|x, y_<t)^A
//
// whose logits are (1−A)·z + A·z_ref, up to a constant. It is what Nash-MD draws its
// opponent from. Normalised at each token, it is not the mixture of whole replies
// ∝ π(y|x)^(1−A)·π_ref(y|x)^A, which looks ahead: that one has no ancestral sampler, only weights
// ([ReplyMixture]), and agrees with this one where there is one token.
//
// A is in [0, 1]; a factor of exponent 0 is 1 also where its probability is 0, so the ends are
// the two themselves. Between them a token needs positive probability under both; a row
// without any is an error of whoever draws. Model of a reply drawn from a Mixture is its
// log-probability under the mixture.
//
// It is safe for concurrent use if both decoders are. It panics without either of them.
type Mixture struct {
	Policy, Ref policy.Decoder
	A           float64
}

var _ policy.Decoder = Mixture{}

// Vocab implements [policy.Decoder].
func (m Mixture) Vocab() int {
	m.check()
	return m.Policy.Vocab()
}

func (m Mixture) check() {
	if m.Policy == nil || m.Ref == nil {
		panic("sampler: Mixture without Policy or Ref")
	}
}

// Open implements [policy.Decoder]. An A outside [0, 1] and different vocabularies are errors.
func (m Mixture) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	m.check()
	switch n, r := m.Policy.Vocab(), m.Ref.Vocab(); {
	case !(m.A >= 0 && m.A <= 1):
		return nil, fmt.Errorf("sampler: Mixture.A is %v, must be in [0, 1]", m.A)
	case n != r:
		return nil, fmt.Errorf("sampler: Mixture of vocabularies of %d and %d", n, r)
	case m.A == 0:
		return m.Policy.Open(ctx, prompts, k)
	case m.A == 1:
		return m.Ref.Open(ctx, prompts, k)
	}
	p, err := m.Policy.Open(ctx, prompts, k)
	if err != nil {
		return nil, err
	}
	ref, err := m.Ref.Open(ctx, prompts, k)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return &mixed{p: p, ref: ref, a: m.A}, nil
}

type mixed struct {
	p, ref policy.Decode
	a      float64
	z      []float32
}

func (m *mixed) Logits(ctx context.Context, dst []float32, rows []int) error {
	if cap(m.z) < len(dst) {
		m.z = make([]float32, len(dst))
	}
	z := m.z[:len(dst)]
	if err := m.p.Logits(ctx, dst, rows); err != nil {
		return err
	}
	if err := m.ref.Logits(ctx, z, rows); err != nil {
		return err
	}
	for i, x := range dst {
		dst[i] = float32((1-m.a)*float64(x) + m.a*float64(z[i]))
	}
	return nil
}

func (m *mixed) Append(ctx context.Context, rows []int, ids []int32) error {
	if err := m.p.Append(ctx, rows, ids); err != nil {
		return err
	}
	return m.ref.Append(ctx, rows, ids)
}

func (m *mixed) Close() error { return errors.Join(m.p.Close(), m.ref.Close()) }

// ReplyMixture stores in dst the log-weights that make of replies drawn from π replies of the
// geometric mixture of whole replies,
//
//	μ(y|x) ∝ π(y|x)^(1−a)·π_ref(y|x)^a,    log w = a·(log π_ref − log π) + constant,
//
// with 0·(±∞) = 0. The constant is not known: [Importance] has to self-normalise them,
// prompt by prompt. logp and ref are those of the replies. An a outside [0, 1], NaN and
// +Inf are errors, as is a reply with π = 0, which π cannot have drawn. dst may be logp
// or ref. It panics on different lengths.
func ReplyMixture(dst, logp, ref []float64, a float64) error {
	if len(logp) != len(dst) || len(ref) != len(dst) {
		panic(badLength)
	}
	if !(a >= 0 && a <= 1) {
		return fmt.Errorf("sampler: a mixture with a = %v, must be in [0, 1]", a)
	}
	for i, l := range logp {
		switch r := ref[i]; {
		case !(math.Abs(l) <= math.MaxFloat64):
			return fmt.Errorf("sampler: logp[%d] = %v, must be finite", i, l)
		case r != r || r > math.MaxFloat64:
			return fmt.Errorf("sampler: ref[%d] = %v", i, r)
		default:
			dst[i] = num.XMulLog(a, r-l)
		}
	}
	return nil
}
