// Package policy says what a policy is to the rest of the library, and holds exact
// ones to learn and test with.
//
// # The problem
//
// A policy π_θ(y|x) gives each response y to a prompt x a probability. Preference
// optimization changes θ so that responses that people prefer become more probable,
// without straying from a fixed reference π_ref. The models that do this live in
// many places: a Go slice, a graph on a device, a server. This package is the seam
// between them and the objectives.
//
// # The one idea
//
// Every objective here is a function of log-probabilities. A loss takes them and
// returns its value L and the derivative w_i = ∂L/∂log π(y_i|x_i) for each item; the
// chain rule does the rest:
//
//	∇θ L = Σ_i w_i · ∇θ log π(y_i|x_i).
//
// So a policy has to do two things: score, and contract given weights with its score
// function ∇θ log π. [Pass] does both: Forward returns the log-probabilities,
// Pullback takes the weights and adds the contraction to the gradient. Losses need
// no policy, policies need no loss, and neither needs automatic differentiation,
// though a backend may well use its own to implement Pullback.
//
// # What to implement
//
//	a model that scores                          Policy
//	… and draws responses                        Sampler
//	… and can be trained                         Trainable, or Learner with drawing
//	parameters in a Go slice                     Host; package train brings the optimizers
//	parameters on a device                       Updater: the backend's own optimizer
//	few enough responses to list them all        Distributor; NewFinite makes the rest
//	a language model                             TokenPolicy; Sequences makes it a Trainable
//	… that writes whole replies by itself        Generator
//	… that gives next-token logits               Decoder; package sampler makes a Generator
//
// A served model that cannot be trained is a Policy, and a Sampler or Generator; it
// can be the reference or the judge. Package policytest holds conformance suites
// for all of them: run them on your implementation from your own tests.
//
// The package's own policies are exact. [LogLinear] serves prompts that bring their
// responses with features along ([Candidates], with [Dense] or [Sparse] features);
// [Tabular] has a free logit for every pair of prompt and response. Sums over
// responses, such as KL(π‖π_ref) or an expected reward, are exact through
// [Enumerable]. Package lm holds language models; package logits turns a backend's
// logits into log-probabilities, and weights into gradients with respect to logits.
//
// # References
//
// A reference is any policy that does not change. Code that compares with one takes
// a [Policy], so a served model will do. A policy in training implements [Freezer]:
//
//	ref := p.Freeze() // π_ref = π as it is now
//
// The copy shares no parameters with p, and its type cannot be trained. It scores
// the same bits as p did. [GeometricMixture] and [ArithmeticMixture] lie between a
// policy and its reference.
//
// # Conventions
//
// Notation: x is a prompt, y a response, π(y|x) a probability, k the number of draws
// for each prompt. Log-probabilities are natural logarithms (nats) in float64, of
// whole responses unless a name says token.
//
// Slices are flat and belong to the caller; the destination comes first and is
// never retained or grown. Item i of a batch is (xs[i], ys[i]) and its result is
// dst[i]; draw j of prompt i is at i·k + j. A policy treats items independently of
// each other: the order and size of a batch change no result. Keep the responses to
// one prompt next to each other where you can: the exact policies then compute its
// softmax once.
//
// A response of probability 0 has log-probability −Inf, which is a value like any
// other. An item that cannot be scored — an unknown prompt, a response that does not
// exist — has NaN, and an [*ItemError] that wraps [ErrPrompt] or [ErrResponse] where
// it applies; the errors of all such items are joined, and the other items are
// scored. Slices whose lengths do not fit panic.
//
// Policies are safe for concurrent use and passes are not: take one for each
// goroutine. Nothing may score, sample or run a pass while an optimizer changes the
// parameters.
//
// Random numbers have names instead of a state. A [Key] holds the seed of the run and
// the step; with the id of the prompt and the index of the draw it names a stream
// ([Key.Stream]), from which that draw comes. Draws are therefore the same for every
// batch size and number of workers, a resumed run needs only the step number, and two
// draws are independent unless they have the same name. Give different prompts of a
// step different ids.
package policy
