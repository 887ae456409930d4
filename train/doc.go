// Package train runs the loop of preference optimization: batches of preference data go
// through an objective, the objective's derivatives through a policy's pullback, and the
// policy's gradient to an optimizer.
//
//	loop := train.Loop[X, Y]{
//		Data:    data,
//		Terms:   []train.Term[X, Y]{
//			&train.Offline[X, Y]{Policy: p, Loss: loss.DPO{Beta: 0.1}},
//			&train.KLPenalty[X, Y]{Policy: p, Ref: ref, K: 4, Lambda: 0.05},
//		},
//		Updater: train.NewAdamW(p),
//		Steps:   1500, Batch: 64, LR: 0.02,
//	}
//	history, err := loop.Run(ctx)
//
// # Objectives are lists of terms
//
// An objective is a sum of terms, each of which adds its part of the gradient:
//
//	Supervised           −log π(y|x) of demonstrations
//	Offline              any loss.Pairwise on preference pairs
//	KLPenalty            λ·KL(π‖π_ref) on fresh samples; with Offline, HyPO
//	KLBudget             the same, λ adapted so that the KL meets a budget
//	Online               −E_π[r] + β·KL(π‖π_ref) on fresh samples: online RLHF
//	NashMD               −P(π beats μ) + β·KL(π‖π_ref) on fresh samples, μ a mixture of both
//	PolicyGradient       any loss.PolicyGradient on any rloo.Advantage: RLOO, PPO, GRPO
//	TokenPolicyGradient  the same token by token
//	OnlinePairs          any loss.Pairwise on pairs of fresh replies: online DPO, online IPO
//	XPO                  the same on pairs with replies of π_ref, and optimism
//	REBEL                differences of rewards, regressed on those of log-ratios
//	SPPO                 log-ratios, regressed on win rates among fresh replies
//	BestOfN              −log π of the best of n replies of a fixed policy: distillation
//	MovingRef            nothing, but lets the reference follow the policy: TR-DPO
//
// A term gets the number of rows of the whole step up front and divides its weights by it
// before the pullback, so a step that is accumulated from micro-batches has the same
// gradient as one that is not, up to the order of summation.
//
// # HyPO, and language models
//
// HyPO is no term of its own: it is [Offline] with loss.DPO, and [KLPenalty] beside it, as in the
// loop above and in the example of [Loop]; with [KLBudget] it is the constrained form.
//
// A language model enters as policy.Sequences, a policy over whole replies whose X and Y are
// []int32: then Offline takes any loss.Pairwise, and the other terms what they take, on sums over
// tokens. [TokenPolicyGradient] takes the model itself. Objectives that look at single tokens of
// a pair (loss.TokenPairwise: TDPO, LD-DPO, WPO) need a [Term] that calls the model's token pass.
//
// # Numbers in fields
//
// K counts replies per prompt in every term but [XPO], where it counts pairs: XPO draws 2·K.
// NashMD draws K from the policy and K from the opponent. Beta, Lambda, Eta and Alpha say at
// their field what they multiply.
//
// The zero values of a [Loop]'s options are choices: MaxNorm 0 does not clip, Micro 0 is the whole
// batch, Repeat 0 is 1, EvalEvery and CheckpointEvery 0 are the ends of the run alone, a nil
// Schedule is constant. Those of terms and losses often are none: K 0 is an error, and so is a Beta
// of 0 in most losses, and a By or Over that is not set: over what a loss is summed or averaged is
// where published versions differ. Lambda 0 in KLPenalty and Beta 0 in a term that penalises the KL
// are legal and mean no penalty. AdamW{} and SGD{} have no parameters to move, and AdamW{} an
// Epsilon that Update refuses: [NewAdamW] and [NewSGD] make them.
//
// # Metrics
//
// What a step reports, under these names. Log-probabilities and KLs are in nats; objectives and
// rewards have the unit of the loss and of the reward.
//
//	loss                       what the term adds to the objective, per row of the step
//	loss/optimism              of that, the mean of α·log π(ỹ) over the reference's replies
//	nll_per_token              −log π of demonstrations, nats per token
//	rewards/chosen             score of chosen replies in the loss, as it defines it; for DPO β·log π/π_ref
//	rewards/rejected           the same of rejected ones
//	rewards/margins            chosen less rejected
//	rewards/accuracies         share of pairs, or of replies with a win rate, on the right side; ties ½
//	logps/chosen               log π of chosen replies, nats
//	logps/rejected             the same of rejected ones
//	displacement/chosen        share of chosen replies less likely than under the reference
//	displacement/rejected      the same of rejected ones
//	objective/kl               KL(π‖π_ref) estimated on fresh replies, nats per reply
//	objective/kl_se            its standard error over prompts
//	objective/scores           mean reward of fresh replies
//	objective/rlhf_reward      the same less β·KL
//	objective/best             mean reward of the replies that were chosen
//	objective/winrate          mean verdict against the opponent, in [0, 1]
//	lambda                     λ of this step
//	beta                       β of this batch
//	entropy                    of the policy, nats per token
//	clip_ratio/low             share of replies, or of tokens, whose ratio π/π_old was clipped from below
//	clip_ratio/high            the same from above
//	policy/approx_kl           KL(π_old‖π) by the estimate k3, nats per reply, or per token
//	importance/ess             effective sample size of the weights π_old/μ, as a share
//	importance/clipped         share of weights that a bound has changed
//	completions/mean_length    tokens of a reply
//	completions/clipped_ratio  share of replies that were cut off
//	frac_failed                share without an answer of the reward or the judge: of replies, pairs or prompts
//	frac_ties                  share of ties: of pairs, or of prompts
//	frac_masked                share of tokens that Mask leaves out
//	frac_reward_zero_std       share of prompts whose rewards teach nothing
//	grad_norm                  Euclidean norm of the gradient before MaxNorm
//	learning_rate              LR times the schedule's factor
//	epoch                      rows seen so far, over rows there are
//
// Who reports them; some of it under conditions that the term names, and * stands for the rest of a
// name:
//
//	Supervised           loss nll_per_token
//	Offline              loss rewards/* logps/* displacement/*
//	KLPenalty            loss objective/kl*
//	KLBudget             loss objective/kl* lambda
//	Online               loss objective/kl* objective/scores objective/rlhf_reward frac_reward_zero_std
//	NashMD               loss objective/kl* objective/winrate frac_failed
//	PolicyGradient       loss objective/kl* objective/scores objective/rlhf_reward frac_failed frac_reward_zero_std clip_ratio/* policy/approx_kl importance/* beta
//	TokenPolicyGradient  loss objective/kl* objective/scores objective/rlhf_reward frac_failed frac_reward_zero_std clip_ratio/* policy/approx_kl importance/* beta entropy frac_masked completions/*
//	OnlinePairs          loss rewards/* logps/* displacement/* objective/kl* objective/scores frac_failed frac_ties
//	XPO                  loss rewards/* logps/* displacement/* objective/kl* frac_failed frac_ties loss/optimism
//	REBEL                loss rewards/* logps/* displacement/* objective/kl* objective/scores frac_failed
//	SPPO                 loss rewards/accuracies frac_failed
//	BestOfN              loss objective/scores objective/best frac_failed
//	MovingRef            -
//	Loop                 grad_norm learning_rate epoch
//
// # Several updates on a batch
//
// With Loop.Repeat the rows of a batch stay for that many updates. PolicyGradient,
// TokenPolicyGradient, OnlinePairs, XPO, REBEL, SPPO and BestOfN draw at the first of them and go on
// with what they have drawn, with the rewards, and with the log-probabilities that the policy
// had then: so PPO's ratios differ from 1, and REBEL's regression is solved further. KLPenalty,
// KLBudget, Online and NashMD estimate a gradient for the policy as it is, and draw anew at each
// update. Steps, schedules and evaluations count updates; what a term has to say about its draws
// is in the metrics of the first update on a batch.
//
// # What is not answered
//
// A reward or a judge may fail for single replies (sampler.Scorer). Online stops at that. The
// other terms leave the reply, the pair or the prompt out, count it in "frac_failed", and keep
// the denominator: what failed adds nothing to a mean, and is never taken for a reward of 0. A
// step of which nothing could be answered is an error.
//
// # Reproducibility
//
// The rows of a step follow from (Seed, step), and so does every random draw: a row's place
// among all rows of the run, from 0 on, is the prompt id of its draws, so a prompt that occurs
// twice in a step is drawn from independently. Two runs with the same seed give the same
// bits, whatever GOMAXPROCS is, as far as the policy does. A run that was killed, or stopped
// by its context, and resumed from its checkpoint gives the same bits as one that was not:
// parameters, optimizer state, multipliers, history and the metrics file.
package train
