// Package logits turns the raw output of a language model into the quantities that
// objectives are made of, and turns weights on these quantities back into the
// gradient with respect to the logits. A backend that has logits and can propagate
// a gradient from them needs nothing else to become a policy.
//
// # Notation
//
// z is a row of V float32 logits, T the temperature, and
//
//	p_v = exp(z_v/T) / Σ_u exp(z_u/T)
//
// the distribution of the row. q is the same of a second set of logits, usually a
// reference model's, with the same T. y is the row's label. All logarithms are
// natural.
//
//	quantity          definition                       derivative with respect to z_v, times T
//	LogProb           log p_y                          1{v=y} − p_v
//	Entropy           H = −Σ p log p                   −p_v (log p_v + H)
//	SumSq             S = log Σ p²                     2 (p_v²/Σp² − p_v)
//	KL                K = KL(p‖q) = Σ p log(p/q)       p_v (log(p_v/q_v) − K)
//	ReverseKL         KL(q‖p) = Σ q log(q/p)           p_v − q_v
//	LogZ              log Σ exp(z/T)                   p_v
//
// [Forward] computes the quantities, [Gradient] the weighted sum of the derivatives.
// Both read the logits where they lie, once for Forward and twice for Gradient, add up in
// float64, allocate nothing and make no copy of the logits. On amd64 they use vector
// instructions where the processor has them. Rows do not depend on each other:
// [Batch.Workers] goroutines share them on request.
//
// Errors are below 1e-13 for the quantities, and below 3e-7, relative, for gradients, which
// are float32; derivatives below 1e-37 times the weight may come out as 0.
//
// # Padding
//
// A batch may be sequences × longest, with a length for each sequence ([Batch]): the
// rows beyond a length are padding. They are never read, so a NaN there changes
// nothing; their quantities and their gradients are 0. [SumSequences] adds up what
// belongs to a sequence.
//
// # Special values
//
// A logit of −Inf is an impossible token: p_v = 0, as a label it has log-probability
// −Inf, and 0·log 0 = 0 elsewhere. KL(p‖q) is +Inf where p_v > 0 = q_v, and likewise
// in reverse. NaN, +Inf and a row of −Inf alone are errors that name the row.
//
// Differences of nearly equal numbers are exact to about 1e-15 in absolute terms: the
// KL of a row to itself is 0, that to a very close row may come out as −1e-16.
package logits
