// Package vec holds the loops over vocabularies that everything else waits for: sums of
// exponentials over a row of logits and what comes out of them. Each is written three
// times, once to be read and twice to be fast:
//
//	equation        below, and in the comment of the Go function
//	Go reference    the functions named …Go in this package
//	assembly        AVX2 with FMA, and AVX-512, by the functions of the same name in internal/gen/vec
//
// Calls go to the best of these that the processor has, package cpu says which. The reference
// runs on every other architecture and under the build tag purego. Regenerate the assembly
// with
//
//	go generate ./internal/vec
//
// # The exponential
//
// With t the multiple of 1/16 nearest to d·log₂e/T,
//
//	exp(d/T) = 2^t · 2^r,   |r| ≤ 1/32,
//
// 2^t is an entry of a table of 16 whose exponent is counted up, 2^r a polynomial of the
// fifth degree. The relative error is below 1e-14 + 3e-16·|d/T|. Multiplications that feed an addition
// are fused with it.
//
// Sums over logits take the exponential of x itself, with d = x − ref. A multiple k of 1/16 next to
// ref·log₂e/T is subtracted where t is rounded, which costs nothing:
//
//	exp(d/T) = 2^(x·log₂e/T − k) / 2^(ref·log₂e/T − k).
//
// The denominator is what the same operations make of ref: that of ref is 1 exactly, and errors are
// those above however far ref is from 0.
//
// # Order
//
// Every sum over a row has 16 lanes: element i goes to lane i mod 16, the lanes are added
// up in halves at the end, and what is missing from the last 16 elements counts as −Inf.
// The three implementations do the same operations in the same order: they agree to the bit
// wherever the hardware fuses multiplication and addition, which is everywhere but on 386,
// wasm and the like. There, nothing is fused, and results agree to about 1e-14, those of logits far
// from 0 to 3e-16·|x/T|. [Score] alone works in float32 in assembly and in float64 in Go; the two agree to 2e-7.
package vec
