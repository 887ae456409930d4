// Program vec writes the assembly of package vec: each kernel as AVX2 with FMA and as
// AVX-512, after the function of that package whose name ends in Go.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	logSum512()
	logSum2()
	moments512()
	moments2()
	pair512()
	pair2()
	mix512("mixAVX512", mixSignature, false)
	mix2("mixAVX2", mixSignature, false)
	mix512("mixPairAVX512", mixPairSignature, true)
	mix2("mixPairAVX2", mixPairSignature, true)
	scores512()
	scores2()
	expSum512()
	expSum2()
	exps512()
	exps2()
	maxima512()
	maxima2()
	notBelow512()
	notBelow2()
	convert("widenAVX512", "float32", false, ZMM, 2)
	convert("widenAVX2", "float32", false, YMM, 4)
	convert("scaleAVX512", "float32", true, ZMM, 2)
	convert("scaleAVX2", "float32", true, YMM, 4)
	convert("divideAVX512", "float64", true, ZMM, 2)
	convert("divideAVX2", "float64", true, YMM, 4)
	Generate()
}

// The rows of sums and bounds of package vec, 16 lanes each.
const (
	sumE = iota * 128
	sumED
	sumEE
	sumQ
	sumEDiff
	sumQDiff
)

const (
	maxP = iota * 64
	maxQ
	maxPQ
	minPQ
)

// pointer loads an argument.
func pointer(name string) Register { return Load(Param(name), GP64()) }

// function begins a function, which kernel_amd64.go declares. Pointers to its types are *byte here.
func function(name, signature string) {
	TEXT(name, NOSPLIT, signature)
	Doc(name + " is declared in kernel_amd64.go.")
}

// loop calls body for each 16 of n elements, and moves the pointers to float32 on.
func loop(body func(), pointers ...Register) {
	n := pointer("n").(GPVirtual)
	SUBQ(Imm(lanes), n)
	JLT(LabelRef("done"))
	Label("loop")
	body()
	for _, p := range pointers {
		ADDQ(Imm(4*lanes), p)
	}
	SUBQ(Imm(lanes), n)
	JGE(LabelRef("loop"))
	Label("done")
}

// end ends a function.
func end() {
	VZEROUPPER()
	RET()
}

const lanes = 16
