// Package gguf reads Llama models in the GGUF format of llama.cpp.
//
// The format stores the rows of the query and key projections in another order, in which
// the numbers of a pair that the rotary embedding turns lie next to each other:
//
//	row h·HeadDim + 2i + j of the file is row h·HeadDim + j·HeadDim/2 + i of the model,  j ∈ {0, 1}.
//
// Load undoes that, and turns quantized weights into float32. What it reads can be
// trained and saved in Hugging Face's form ([gomlx.Model.Save]); nothing is written in
// GGUF. The tokenizer that a file contains is not read.
package gguf
