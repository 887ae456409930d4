package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func logSum512() {
	function("logSumAVX512", rowSignature)
	s, b, z := pointer("s"), pointer("b"), pointer("z")
	at := newRow512(pointer("at"), newExp512(pointer("k")))
	e, top := newLanes512(s, sumE), newBound512(b, maxP)
	turns(func(groups int) {
		_, t, q := at.powers(Mem{Base: z}, groups)
		for g := range t {
			VFMADD231PD(t[g], q[g], e.sum[g%2])
		}
		for g := 0; g < groups; g += 2 {
			top.above(Mem{Base: z, Disp: 32 * g})
		}
	}, z)
	e.store()
	top.store()
	end()
}

func logSum2() {
	function("logSumAVX2", rowSignature)
	s, b, z := pointer("s"), pointer("b"), pointer("z")
	at := newRow2(pointer("at"), newExp2(pointer("k")))
	var sum [4]VecVirtual
	for g := range sum {
		sum[g] = YMM()
		VMOVUPD(Mem{Base: s, Disp: sumE + 32*g}, sum[g])
	}
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			_, t, q := at.powers(Mem{Base: z, Disp: 4 * lane})
			for g := range q {
				VFMADD231PD(t[g], q[g], sum[lane/4+g])
			}
			above2(b, maxP, z, lane)
		}
	}, z)
	for g := range sum {
		VMOVUPD(sum[g], Mem{Base: s, Disp: sumE + 32*g})
	}
	end()
}

func registers(n int, register func() VecVirtual) []VecVirtual {
	r := make([]VecVirtual, n)
	for i := range r {
		r[i] = register()
	}
	return r
}

// turns calls body with 4 for each 32 of n elements, with 2 for 16 that remain, and moves the pointers
// to float32 on.
func turns(body func(groups int), pointers ...Register) {
	n := pointer("n").(GPVirtual)
	SUBQ(Imm(2*lanes), n)
	JLT(LabelRef("rest"))
	Label("loop")
	body(4)
	for _, p := range pointers {
		ADDQ(U32(8*lanes), p)
	}
	SUBQ(Imm(2*lanes), n)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(Imm(lanes), n)
	JLT(LabelRef("done"))
	body(2)
	Label("done")
}
