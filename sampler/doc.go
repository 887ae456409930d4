// Package sampler draws responses from models that only give logits, and says with
// every draw how probable it was.
//
// # Notation
//
// x is a prompt, y a reply of tokens y_1 … y_n, z(x, y_<t) the model's logits of the next
// token, T the temperature, EOS the token that ends a reply. The model's distribution is
// π(v|x, y_<t) = softmax(z)_v; the one drawn from is μ, here softmax(z/T).
//
// # Two log-probabilities
//
// Every token carries both log μ(y_t|x, y_<t) and log π(y_t|x, y_<t), so an estimator can
// correct for the difference, and none has to guess which of the two it was given. At
// T = 1 they are the same number.
//
// # Ends
//
// A reply ends with EOS, which is its last id, or at a maximum length, and then has no
// EOS. So π and μ are proper distributions over replies up to that length: the
// probabilities of all replies, cut ones included, sum to 1.
//
// # Randomness
//
// Draw j of the prompt with a given id uses the stream [policy.Key.Stream](id, j) and
// one uniform number per token. No reply depends on the batch that it is written in, on
// the number of processors, or on how long other replies are.
package sampler
