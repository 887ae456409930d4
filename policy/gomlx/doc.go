// Package gomlx is a decoder-only transformer in Go, to be trained by any objective of
// this library: Llama's architecture on GoMLX, with weights in Hugging Face's form and
// LoRA in PEFT's.
//
// # Model
//
// With x the embeddings of the tokens so far, each layer computes
//
//	x ← x + O·attention(Q·n₁(x), K·n₁(x), V·n₁(x)),    n(x) = x/√(mean x² + ε) ⊙ weight
//	x ← x + down·(silu(gate·n₂(x)) ⊙ up·n₂(x))
//
// and π(·|x, y_<t) = softmax(head·n(x_t)): RMSNorm (Zhang and Sennrich 2019,
// arXiv:1910.07467), rotary position embeddings (Su et al. 2021, arXiv:2104.09864), query
// heads that share keys and values in groups (Ainslie et al. 2023, arXiv:2305.13245),
// SwiGLU (Shazeer 2020, arXiv:2002.05202), as in Llama (Touvron et al. 2023,
// arXiv:2302.13971). The head may be the transposed embedding. A sequence needs a prompt:
// the first token of all has no distribution.
//
// # Use
//
//	backend, err := gomlx.NewBackend()
//	base, err := gomlx.Load(backend, "SmolLM2-135M")    // or New, for random weights
//	m, err := base.LoRA(gomlx.LoRA{R: 16, Alpha: 32})   // or train base itself
//
//	pi := policy.Sequences{Model: m, Generator: …}      // package sampler makes one of m
//	ref := policy.Sequences{Model: m.Base()}            // the same weights, adapter off
//	loop := train.Loop[[]int32, []int32]{Updater: m.AdamW(), …}
//
//	err = m.SaveLoRA("adapter", "SmolLM2-135M")         // PEFT loads it
//
// [Model] is a [policy.TokenPolicy] and a [policy.Decoder] with a key–value cache; its
// optimizer, [AdamW], is the [policy.Updater]. Parameters, gradient and moments stay in
// the backend. [Model.Freeze] copies a model that is trained as a whole, to be its
// reference. [View] adds the KL to a reference at every token, and the adapter's dropout.
//
// Package tokenizer, a folder below, reads tokenizer.json; package gguf reads models in
// that format.
//
// # Backends
//
// A model runs on any backend of GoMLX that the program imports: [NewBackend] takes the
// one that GOMLX_BACKEND names, and by default the one in pure Go. That one is for
// tests, small models and machines without anything else; build with GOEXPERIMENT=simd
// on amd64 to have it about twice as fast. XLA on a GPU needs cgo and
// import _ "github.com/gomlx/gomlx/backends/default".
//
// A graph is compiled for each shape: sequences are padded to lengths of 8, 12, 16, 24,
// 32, …, and so is their number, so that few graphs serve all batches.
//
// # Numbers
//
// Parameters, activations and gradients are float32, statistics of tokens are float64 of
// float32 accuracy: about 1e-6 of a log-probability. How a sum is rounded depends on the
// shape that it is computed in, so that a token's statistics may differ in the last bits
// of float32 from batch to batch, and between scoring and writing. The same calls in the
// same order give the same bits with the pure-Go backend.
package gomlx
