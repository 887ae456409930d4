// Package elem holds the loops over slices of float64 that everything else waits for: elementary functions,
// the logistic link of pairwise losses, products of matrices as log-linear policies and language models need them, the
// passes of losses over blocks of pairs, and what statistics of importance weights add up. It uses vector
// instructions where the processor has them, and gives the same bits everywhere.
//
//	exp.go log.go excess.go           eˣ, log x, eˣ − 1 − x
//	logistic.go logratios.go          the link of a margin, and from log-probabilities to derivatives at once
//	softmax.go sum.go                 log-sum-exp, softmax, largest element, sum
//	dense.go matrix.go                products of features and parameters, of matrices of float32
//	passes.go shift.go                differences, products and counts over blocks
//	sub.go powers.go groups.go        log-ratios with their range, sums of powers of weights, of groups
//	deviations.go                     what differs from the mean of a group
//	bins.go scatter.go                bins of a histogram, and their sums
//	above.go logproducts.go           the tail of weights, and the likelihood of its fit
//
// # The logistic link
//
// For a margin z and a smoothing ε,
//
//	value(z) = −(1−ε)·log σ(z) − ε·log σ(−z)
//	slope(z) = ε − σ(−z)
//
// With a = |z| and e = e⁻ᵃ,
//
//	−log σ(z) = max(−z, 0) + log(1+e),   −log σ(−z) = max(z, 0) + log(1+e)
//	value(z) = ε·a + log(1+e),       σ(−z) = e/(1+e)    for z ≥ 0
//	value(z) = (1−ε)·a + log(1+e),   σ(−z) = 1/(1+e)    for z < 0
//
// Arguments up to |z| = 708 are regular: e is a normal number, and the exponential and the
// logarithm are an entry of a table of 16 and a polynomial (exp.go and logistic.go). For all others, the infinities and NaN, the functions of
// internal/num stand in.
//
// # The same bits
//
// The assembly evaluates the formulas of the Go code operation by operation. Where a product is
// fused with a sum the Go code says [math.FMA], which is exact everywhere, if slow where there is no instruction
// for it (a link takes 60 ns instead of 18); every other product that is added to something is converted to float64,
// the one thing that keeps a compiler from fusing it. Sums run in eight lanes, element i in lane i
// mod 8, added up in a fixed order. So the processor is not to be seen in a result.
//
// The program elem in the module internal/gen writes the assembly; go generate runs it.
package elem
