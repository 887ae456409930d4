package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Kernels over float64: those of rows of logits that have been transformed.

// number broadcasts a float64 argument.
func number(name string, register func() VecVirtual) VecVirtual {
	x, all := XMM(), register()
	Load(Param(name), x)
	VBROADCASTSD(x, all)
	return all
}

// spilled2 is number on the stack.
func spilled2(name string) Mem {
	y, to := number(name, YMM), AllocLocal(32)
	VMOVUPD(y, to)
	return to
}

// depth512 returns x − ref of the 8 float64 at m, and that if it is no less than least, or least.
func depth512(m Mem, ref, least VecVirtual) (raw, d VecVirtual) {
	raw, d = ZMM(), ZMM()
	VMOVUPD(m, raw)
	VSUBPD(ref, raw, raw)
	VMAXPD(raw, least, d) // a NaN stays
	return raw, d
}

// depths2 is depth512 of two times 4 float64, with ref and least in memory.
func depths2(x Register, lane int, ref, least Mem) (raw, d [2]VecVirtual) {
	for g := range d {
		raw[g], d[g] = YMM(), YMM()
		VMOVUPD(Mem{Base: x, Disp: 8*lane + 32*g}, raw[g])
		VSUBPD(ref, raw[g], raw[g])
		VMOVUPD(least, d[g])
		VMAXPD(raw[g], d[g], d[g]) // a NaN stays
	}
	return raw, d
}

const (
	leastAt = 312
	log2eAt = 320
)

const sumSignature = "func(s *byte, x *float64, n int, ref float64, k *byte)"

func expSum512() {
	function("expSumAVX512", sumSignature)
	s, x, table := pointer("s"), pointer("x"), pointer("k")
	ref, k := number("ref", ZMM), newExp512(table)
	least, scale := broadcast512(Mem{Base: table, Disp: leastAt}), broadcast512(Mem{Base: table, Disp: log2eAt})
	e := newLanes512(s, 0)
	loop(func() {
		for g := range 2 {
			_, d := depth512(Mem{Base: x, Disp: 64 * g}, ref, least)
			VADDPD(k.exp(d, scale), e.sum[g], e.sum[g])
		}
		ADDQ(U32(8*lanes), x)
	})
	e.store()
	end()
}

func expSum2() {
	function("expSumAVX2", sumSignature)
	s, x, table := pointer("s"), pointer("x"), pointer("k")
	ref, k := spilled2("ref"), newExp2(table)
	least, scale := spread2(Mem{Base: table, Disp: leastAt}), spread2(Mem{Base: table, Disp: log2eAt})
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			_, d := depths2(x, lane, ref, least)
			e := k.exp(d, scale)
			for g := range e {
				add(s, 0, lane+4*g, func(sum VecVirtual) { VADDPD(e[g], sum, sum) })
			}
		}
		ADDQ(U32(8*lanes), x)
	})
	end()
}

const expSignature = "func(e, x *float64, n int, ref float64, k *byte)"

func exps512() {
	function("expsAVX512", expSignature)
	e, x, table := pointer("e"), pointer("x"), pointer("k")
	ref, k := number("ref", ZMM), newExp512(table)
	least, scale := broadcast512(Mem{Base: table, Disp: leastAt}), broadcast512(Mem{Base: table, Disp: log2eAt})
	loop(func() {
		for g := range 2 {
			raw, d := depth512(Mem{Base: x, Disp: 64 * g}, ref, least)
			some := K()
			VCMPPD(Imm(notLess), least, raw, some)
			y := k.exp(d, scale)
			VMOVAPD_Z(y, some, y)
			VMOVUPD(y, Mem{Base: e, Disp: 64 * g})
		}
		ADDQ(U32(8*lanes), x)
		ADDQ(U32(8*lanes), e)
	})
	end()
}

func exps2() {
	function("expsAVX2", expSignature)
	e, x, table := pointer("e"), pointer("x"), pointer("k")
	ref, k := spilled2("ref"), newExp2(table)
	least, scale := spread2(Mem{Base: table, Disp: leastAt}), spread2(Mem{Base: table, Disp: log2eAt})
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			raw, d := depths2(x, lane, ref, least)
			for g := range raw {
				VCMPPD(Imm(notLess), least, raw[g], raw[g])
			}
			y := k.exp(d, scale)
			for g := range y {
				VANDPD(raw[g], y[g], y[g])
				VMOVUPD(y[g], Mem{Base: e, Disp: 8*lane + 32*g})
			}
		}
		ADDQ(U32(8*lanes), x)
		ADDQ(U32(8*lanes), e)
	})
	end()
}

// notLess is the predicate of a comparison, also true of a NaN, that raises no exception.
const notLess = 21

const maximaSignature = "func(m *byte, x *float64, n int)"

func maxima512() {
	function("maximaAVX512", maximaSignature)
	m, x := pointer("m"), pointer("x")
	top := newLanes512(m, 0)
	loop(func() {
		for g := range 2 {
			y := ZMM()
			VMOVUPD(Mem{Base: x, Disp: 64 * g}, y)
			VMAXPD(top.sum[g], y, top.sum[g])
		}
		ADDQ(U32(8*lanes), x)
	})
	top.store()
	end()
}

func maxima2() {
	function("maximaAVX2", maximaSignature)
	m, x := pointer("m"), pointer("x")
	var top [4]VecVirtual
	for g := range top {
		top[g] = YMM()
		VMOVUPD(Mem{Base: m, Disp: 32 * g}, top[g])
	}
	loop(func() {
		for g := range top {
			y := YMM()
			VMOVUPD(Mem{Base: x, Disp: 32 * g}, y)
			VMAXPD(top[g], y, top[g])
		}
		ADDQ(U32(8*lanes), x)
	})
	for g := range top {
		VMOVUPD(top[g], Mem{Base: m, Disp: 32 * g})
	}
	end()
}

const notBelowSignature = "func(mask *byte, x *float64, n int, t float64)"

func notBelow512() {
	function("notBelowAVX512", notBelowSignature)
	mask, x := pointer("mask"), pointer("x")
	t := number("t", ZMM)
	loop(func() {
		for g := range 2 {
			y, some, b := ZMM(), K(), GP32()
			VMOVUPD(Mem{Base: x, Disp: 64 * g}, y)
			VCMPPD(Imm(notLess), t, y, some)
			KMOVB(some, b)
			MOVB(b.As8(), Mem{Base: mask, Disp: g})
		}
		ADDQ(U32(8*lanes), x)
		ADDQ(Imm(2), mask)
	})
	end()
}

func notBelow2() {
	function("notBelowAVX2", notBelowSignature)
	mask, x := pointer("mask"), pointer("x")
	t := number("t", YMM)
	loop(func() {
		for g := range 2 {
			var b [2]GPVirtual
			for h := range b {
				y := YMM()
				b[h] = GP32()
				VMOVUPD(Mem{Base: x, Disp: 64*g + 32*h}, y)
				VCMPPD(Imm(notLess), t, y, y)
				VMOVMSKPD(y, b[h])
			}
			SHLL(Imm(4), b[1])
			ORL(b[1], b[0])
			MOVB(b[0].As8(), Mem{Base: mask, Disp: g})
		}
		ADDQ(U32(8*lanes), x)
		ADDQ(Imm(2), mask)
	})
	end()
}

// convert writes a kernel that stores its input as float64, or (input − shift)/t.
func convert(name, input string, scaled bool, register func() VecVirtual, groups int) {
	signature := "func(dst *float64, z *" + input + ", n int"
	if scaled {
		signature += ", shift, t float64"
	}
	function(name, signature+")")
	dst, z := pointer("dst"), pointer("z")
	var shift, t VecVirtual
	if scaled {
		shift, t = number("shift", register), number("t", register)
	}
	size, load := 4, VCVTPS2PD
	if input == "float64" {
		size, load = 8, VMOVUPD
	}
	loop(func() {
		for g := range groups {
			y := register()
			load(Mem{Base: z, Disp: size * lanes / groups * g}, y)
			if scaled {
				VSUBPD(shift, y, y)
				VDIVPD(t, y, y)
			}
			VMOVUPD(y, Mem{Base: dst, Disp: 8 * lanes / groups * g})
		}
		ADDQ(U32(8*lanes), dst)
		ADDQ(U32(size*lanes), z)
	})
	end()
}
