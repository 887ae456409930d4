// Package sampler draws responses from models that only give logits, says with every draw
// how probable it was, and chooses among draws: from a policy to a batch that a loss takes.
//
// # Notation
//
// x is a prompt, y a reply of tokens y_1 … y_n, z(x, y_<t) the model's logits of the next
// token, T the temperature, EOS the token that ends a reply. The model's distribution is
// π(v|x, y_<t) = softmax(z)_v; the one drawn from is μ = softmax(f_n(… f_1(z))), where the f
// are transforms. r is a reward, π_ref a reference, k the number of draws per prompt; draws
// of one prompt stand next to each other.
//
// # Tokens
//
// A [Row] is the distribution of one next token, after any [Transform]: [Temperature], [TopK],
// [TopP], [MinP], [Typical], [RepetitionPenalty], [Ban], [Allow], [Greedy]. Their order is
// the one that the caller gives; [HuggingFaceOrder] is the usual one. Ties are settled by a
// rule that each of them states, never by a sort: equal logits give equal results on every
// machine. The nucleus of a top-p is found by selection in linear time.
//
// From a Row come single draws, by inversion ([Row.Draw]) or as a maximum ([Row.GumbelMax]),
// and groups of draws, distinct ([Row.GumbelTopK]) or stratified ([Row.Stratified]). The
// draws of such a group depend on each other, which [Joint] says: a leave-one-out baseline
// refuses them.
//
// # Replies
//
// [Ancestral] makes a generator of whole replies of a [policy.Decoder], [Mixture] a Decoder
// of two. A reply ends with EOS, which is its last id, with a stop sequence, which stays in it,
// or at a maximum length, and the finish reason tells which. So π and μ are proper
// distributions over the replies that end so: the probabilities of all replies, cut ones
// included, sum to 1.
//
// # Two log-probabilities
//
// Every token carries both log μ(y_t|x, y_<t) and log π(y_t|x, y_<t), so an estimator can
// correct for the difference, and none has to guess which of the two it was given. Without
// transforms they are the same number. [Importance] makes weights of the difference, or of
// that between any two policies. After a truncation μ is 0 where π is not: no weight makes
// up for what was never drawn.
//
// # Choosing
//
// [Best], [Worst] and [Choice] pick from scored draws, [Rejection] from candidates with a
// reward. The best of n has the density n·F(r)^(n−1) with respect to the reference,
// F the distribution function of the reward: [BestOfNWeights] estimates it, [BestOfNKL],
// [NForKL] and [BetaForKL] relate it, and e^{r/β}, to a KL budget, [EstimateBestOfN] says
// what it is worth.
//
// # From draws to batches
//
//	method      draws of a prompt          asked                      batch                              loss
//	online DPO  two from π                 Compare                    Choice.Judged, Pairs               loss.DPO
//	            k from π                   Score                      Choice.BestWorst, Pairs            loss.DPO
//	XPO         one from π, one from π_ref Compare                    Choice.Judged, Pairs               loss.DPO, loss.XPO
//	RSO         many from π_ref            Score, Rejection           Choice.Successive, Pairs           loss.RSO
//	REBEL       two from π                 Score                      Choice.Successive, Pairs, Margins  loss.REBEL
//	SPPO        k from π                   Preferences                Groups.KWise                       loss.SPPOKWise
//	Nash-MD     k from π, k from Mixture   Compare                    Groups.Samples                     loss.RLHF
//	RLOO        k from π                   Score                      Groups.Samples                     loss.RLHF
//	GRPO, PPO   k replies from a Generator Score, rloo.Advantage      Rollouts, rloo.Spread              loss.GRPO, …
//
// A [Scorer] rates, a [Judge] compares; [BothOrders] swaps the replies to cancel a
// preference for the first place. What they cannot answer is NaN from there on and never
// 0: it makes no pair, and is counted.
//
// # Randomness
//
// Draw j of the prompt with a given id uses the stream [policy.Key.Stream](id, j) and
// one uniform number per token. No reply depends on the batch that it is written in, on
// the number of processors, or on how long other replies are.
package sampler
