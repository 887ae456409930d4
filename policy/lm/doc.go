// Package lm is an autoregressive log-bilinear language model over token ids: small
// enough to train from scratch on a processor in seconds, and real enough to show on
// text what preference objectives do.
//
// # Model
//
// The next token y_t, given the tokens before it, has the logits
//
//	z = O h + b,    h = e_0 + Σ_{n=1…Order} E[y_{t−n} … y_{t−1}] + (1/√m) Σ_{i=1…m} W[x_i],
//
// and π(·|x, y_<t) = softmax(z). x are the m tokens of the prompt, h ∈ R^Dim. Every id has
// an embedding W as a word of the prompt and another as the previous token; an n-gram
// of two tokens and more has the embedding of the bucket that it hashes to. An n-gram
// reaches across the boundary between prompt and reply; before the first token stands a
// begin marker. This is the log-bilinear model of Mnih and Hinton (2007) with one
// embedding for each context instead of one for each position, as in the maximum-entropy
// models with hashed n-grams of Mikolov et al. (2011).
//
// The model is linear in the embeddings given O, and in O given the embeddings. A new
// one has embeddings 0 and O random, so that it is uniform and a context that it never
// saw stays without influence.
//
// # Numbers
//
// Parameters and gradients are float64. h is added up in float64, the logits are
// computed in float32 (products and sums one by one, without fused operations), and
// everything from the logits on in float64 by package logits. Gradients of logits are
// float32; their sums are float32 over blocks of at most 256 tokens and float64 across
// blocks.
//
// The statistics of a token have the same bits whatever else is in the batch, in a
// forward pass and while writing, and every result has the same bits whatever
// GOMAXPROCS is: work is cut into pieces of fixed size, and sums have a fixed order.
//
// # Use
//
// [Model] is a [policy.TokenPolicy], a [policy.Decoder] and a [policy.Host]. With a
// generator from package sampler, [policy.Sequences] makes a policy over whole replies
// of it. [Model.Freeze] takes the copy that serves as π_ref; [Model.Against] adds the
// exact KL to it at every token.
package lm
