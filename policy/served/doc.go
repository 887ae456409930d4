// Package served makes a policy of a language model behind an HTTP server.
//
// # The problem
//
// A served model can be asked for two things: the log-probability of a reply y to a
// prompt x, log π(y|x) = Σ_t log π(y_t | x, y_<t), and draws y ~ π(·|x). That is what a
// reference, a judge, a source of replies or a best-of-n need. Its weights stay where
// they are, so a [Model] is a policy.Sampler and a policy.Generator, and no
// policy.Trainable.
//
//	m, err := served.Open(ctx, served.Config{URL: "http://127.0.0.1:8080"})
//	if err != nil {
//		return err // what is wrong with the server, or with the configuration
//	}
//	s, err := m.Score(ctx, served.Prompt{Text: "2+2="}, served.Reply{Text: "4"})
//
// # Three protocols
//
//	LlamaCPP  llama.cpp's /completion       ids   one request per reply token, or Grammar
//	VLLM      /v1/completions               ids   prompt_logprobs, one request per reply
//	Echo      OpenAI's /v1/completions      text  echo and logprobs, one request per reply and prompt
//
// With LlamaCPP a token is forced by a bias of 10⁶ on its logit, and the server reports
// the log-probability from before the bias. Tokens that end inside a character have none;
// theirs is looked up in the distribution over the whole vocabulary, which that server
// gives when asked, and which also makes temperatures other than 1 exact. A prompt's
// keys and values stay in the server from token to token.
//
// With Echo there are no ids. A reply begins where the tokens of the prompt by itself
// end, these must come back unchanged in front of the reply, and the rest must spell the
// reply; otherwise the item is an error ([ErrBoundary], [ErrShape]). Draws are scored as
// they were drawn; a text that is scored again may be cut into other tokens than it was
// drawn as, and then has another log-probability.
//
// # Trust
//
// Servers that answer with status 200 and wrong numbers are common: they shift echoed
// log-probabilities by a token, ignore echo, keep top-k or a repetition penalty on at
// temperature 1 and top_p 1, take max_tokens 0 for no limit, or answer one client with the
// text of another. [Open] therefore compares
// what the server draws with what it scores ([Probe]) and refuses one that contradicts
// itself. Whatever the server calls them, the requests of this package switch off all
// that reshapes the distribution.
//
// A missing log-probability is an error and never 0. −9999, which some servers write for
// it, is −Inf; the lowest float32, which others write for a probability that has
// underflowed, is an error.
//
// The server computes in batches of varying shape, so equal questions have answers that
// differ in the third digit or so: [Report.MeanNoise] says by how much. Where that
// matters, as in a comparison of policy and reference that are the same model, score
// draws again instead of mixing the log-probabilities of drawing and of scoring.
//
// # Text and tokens
//
// A policy and its reference must see the same ids and the same boundary. Text of a
// prompt is tokenised with the special tokens that it spells and those that the model
// wants in front; text of a reply by itself, as plain text. Whether the end-of-sequence
// token counts is said by [Reply.End] for text and by the ids themselves otherwise. Keep
// the ids of draws: text of theirs does not always lead back to them.
//
// # Requests
//
// Connections that break, bodies that are cut or late, and statuses 408, 425, 429 and 5xx
// are tried again, with exponential backoff and jitter, or after what Retry-After says;
// other statuses and answers of the wrong shape are not. Responses are bounded, redirects
// are refused, and without TLS only loopback is spoken to unless [Config.AllowPlain] says
// otherwise. The key comes from a callback, goes into the Authorization header, and is
// taken out of every error.
//
// An item that fails is a *policy.ItemError, and NaN among log-probabilities; the others
// are done. The seed of draw j of a prompt comes from policy.Key.Stream, cut to 31 bits,
// so a repeated draw is the same one where [Report.Seeds] holds.
//
// # Cache
//
// With [Config.Cache], package disk for one, scores and draws are kept under a SHA-256 of
// all that they depend on, so an interrupted run pays nothing twice. The cache knows its
// model by name, [Config.Revision] and the log-probabilities of a fixed text, and Open
// refuses it for another model ([ErrFingerprint]). A change of weights that moves these by
// no more than the server's noise does not show: put a hash or a step into Revision.
package served
