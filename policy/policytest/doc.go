// Package policytest checks that a policy keeps the contracts of package policy. Run
// it on your own implementation, from your own tests:
//
//	func TestMyPolicy(t *testing.T) {
//		policytest.Policy(t, newMyPolicy(), policytest.Config[Prompt, Reply]{
//			X: []Prompt{p1, p1, p2}, Y: []Reply{a, b, c},
//		})
//	}
//
// [Policy] checks a policy over whole responses: log-probabilities, draws and
// gradients, as far as the policy implements the interfaces. [Updater] checks an
// optimizer with its parameters, [TokenPolicy] a language model's token level,
// [Generator] and [Decoder] the two ways in which replies are written. Each check is
// a subtest with the name of the contract; what does not apply is skipped with the
// reason, so run go test -v once and read what was.
//
// # Exactness
//
// Backends differ in precision, so the configuration holds the tolerances. A
// comparison of a and b passes if |a − b| ≤ tol·max(1, |a|, |b|). The defaults suit
// float64 on a CPU; [Float32] is for the rest.
//
// # Chance
//
// Frequencies of draws are compared with probabilities by the Chernoff bound
// 2·exp(−n·KL(f‖q)) on the probability that a share of n draws is as far from q as f
// is. It holds for every n and q, and is shared out over the responses compared. A
// correct policy fails a frequency check with probability at most 1e-6 over the
// choice of Seed; for a given seed the outcome is always the same. With the default
// of 5,000 draws, an error of about 0.05 in a probability near ½, or of 0.01 in one
// near 0.01, is found.
package policytest
