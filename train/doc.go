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
