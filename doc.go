// Package prefgrad is the root of a library of preference-optimization losses, samplers
// and estimators that any Go program can import, whatever computes its model. It exports
// nothing itself; the packages below it do.
//
// Every objective is a function of log-probabilities. A loss takes log-probabilities and
// returns a value and its exact derivative with respect to each of them; a policy contracts
// those derivatives with its score function ∇θ log π:
//
//	log π(y|x)  ──▶  loss: L, wᵢ = ∂L/∂log π(yᵢ|xᵢ)  ──▶  policy: Σᵢ wᵢ·∇θ log π(yᵢ|xᵢ)
//
// Neither knows the other, and no automatic differentiation is needed.
//
//   - loss: objectives on preference pairs, demonstrations and rewards, policy gradients
//   - rloo: advantages, gradients of KLs, off-policy corrections, their bias and variance
//   - coverage: how far a policy is from its reference, exactly and from samples
//   - policy: the interfaces that a model implements, exact policies over finitely many responses
//   - policy/logits: from float32 logits to log-probabilities, entropies and KLs, and back
//   - policy/lm, policy/gomlx, policy/served: a small language model in plain Go, a transformer
//     on GoMLX, a model behind an HTTP server
//   - policy/gomlx/tokenizer, policy/gomlx/gguf, policy/served/disk: token ids, models in
//     llama.cpp's format, a cache in a file
//   - policy/policytest: a conformance suite for a policy of one's own
//   - sampler: draws replies and selects among them, with their exact log-probabilities
//   - dataset, dataset/parquet, dataset/chat: preference files, chat templates
//   - train: the loop with its offline and online terms, optimizers, metrics, checkpoints
//
// It implements Song, Swamy, Singh, Bagnell, Sun, "The Importance of Online Data:
// Understanding Preference Fine-tuning via Coverage", NeurIPS 2024, arXiv:2406.01462, and
// the family of methods around it. The architecture is described in docs/design.md;
// docs/losses.md and docs/online.md say which objective and which estimator is for what.
package prefgrad
