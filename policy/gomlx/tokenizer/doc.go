// Package tokenizer turns text into token ids and back as a model's tokenizer.json says.
//
// It computes byte-pair encoding (Sennrich, Haddow, Birch 2016, arXiv:1508.07909) in the
// two forms that decoder-only models have: over the bytes of a text (GPT-2, Llama 3,
// SmolLM2) and over its characters, with bytes for those that the vocabulary lacks
// (Llama 2). The file describes a pipeline: special tokens are cut out, a normalizer
// rewrites the text between them, a pre-tokenizer cuts it into words, the model makes ids
// of each word, a post-processor puts special tokens around. A part of the pipeline that
// this package does not have is an error when the file is read, never another result.
package tokenizer
