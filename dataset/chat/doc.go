// Package chat writes conversations as the text that a model was trained with.
//
// # Problem
//
// A chat model never sees messages. It sees one text, made from them by the model's chat template, with markers around each
// message; a reply is what follows the marker that opens the assistant's turn. log π(y|x) is that of the right y after the
// right x only if the template is the model's own, to the character, and if the boundary between x and y is known, first in
// characters, then in tokens. The templates here are typed values, and render what transformers' apply_chat_template
// renders with the models' own Jinja templates:
//
//	ChatML    <|im_start|>user
//	          Two and two?<|im_end|>
//	          <|im_start|>assistant
//	          Four.<|im_end|>
//	SmolLM2   ChatML, with a system message of its own where there is none
//	Llama3    <|begin_of_text|><|start_header_id|>user<|end_header_id|>
//
//	          Two and two?<|eot_id|><|start_header_id|>assistant<|end_header_id|>
//
//	          Four.<|eot_id|>
//	Llama31   Llama3, with a header of the system that tells the date; Llama 3.1, 3.2 and 3.3
//
// Any other template is a type with a method, see [Template].
//
// # Prompt and reply
//
// With r the template and “+” one list of messages after another,
//
//	prompt = r(x, open)
//	reply  = r(x + y) less prompt at its beginning
//
// so that prompt + reply is the whole dialogue, and the reply begins behind the marker of the assistant's turn and has the
// marker that ends it, and whatever the template writes behind that ("\n" in ChatML, where models stop before it: cut it
// off, [strings.TrimSuffix], if sampled replies without it are to be scored alike). [Plain] does this for the records of
// package dataset:
//
//	pairs := dataset.Map(dataset.Pairs("talks.jsonl"), chat.Plain[dataset.Pair](chat.SmolLM2{}))
//
// A reply must begin with a message of the assistant. If it has more (the output of a tool, say, and another message of the
// assistant), all of it counts as the reply.
//
// [Tokenize] keeps the boundary in tokens: the tokens of the prompt must be the first ones of the tokens of prompt and reply
// together. A tokenizer may merge characters from both sides of the boundary; that is an error here, not a shifted boundary.
//
// # What is not escaped
//
// A message that contains a marker, such as "<|im_end|>", is rendered as it stands, as transformers does: to the model it is
// the end of the turn.
//
// All types are values without state, safe for concurrent use.
package chat
