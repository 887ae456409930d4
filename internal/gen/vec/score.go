package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const scoreSignature = "func(dst, z *float32, n int, s *byte)"

// scoreConstants are the float32 at the beginning of struct score, all lanes alike.
type scoreConstants struct {
	factor, hi, lo, shift, least Op
	c                            [6]Op
	bias                         Op
}

// newScoreConstants calls all for the fields in their order.
func newScoreConstants(s Register, all func(m Mem) Op) (k scoreConstants) {
	next := 0
	field := func() Op {
		next += 4
		return all(Mem{Base: s, Disp: next - 4})
	}
	k.factor, k.hi, k.lo, k.shift, k.least = field(), field(), field(), field(), field()
	for i := range k.c {
		k.c[i] = field()
	}
	k.bias = field()
	return k
}

// terms returns t and the result but for the factor 2^m, which is 2^(bits of t).
func (k scoreConstants) terms(z Mem, register func() VecVirtual) (t, y VecVirtual) {
	x, t, r, q := register(), register(), register(), register()
	VMOVUPS(z, x)
	VMOVUPS(k.hi, t)
	VFMADD213PS(k.shift, x, t)
	VSUBPS(k.shift, t, r)
	n := r
	r = register()
	VMOVAPS(x, r)
	VFMSUB132PS(k.hi, n, r)
	VFMADD231PS(k.lo, x, r)
	VMOVUPS(k.c[5], q)
	for i := 4; i >= 0; i-- {
		VFMADD213PS(k.c[i], r, q)
	}
	VMULPS(k.factor, r, r)
	y = r
	VFMADD213PS(k.factor, q, y)
	return t, y
}

func scores512() {
	function("scoresAVX512", scoreSignature)
	dst, z := pointer("dst"), pointer("z")
	k := newScoreConstants(pointer("s"), func(m Mem) Op {
		r := ZMM()
		VBROADCASTSS(m, r)
		return r
	})
	loop(func() {
		t, y := k.terms(Mem{Base: z}, ZMM)
		some := K()
		VCMPPS(Imm(13), k.least, t, some) // t ≥ least
		VPSLLD(Imm(23), t, t)
		VPADDD(k.bias, t, t)
		VMULPS_Z(t, y, some, y)
		VMOVUPS(y, Mem{Base: dst})
		ADDQ(Imm(4*lanes), dst)
	}, z)
	end()
}

func scores2() {
	function("scoresAVX2", scoreSignature)
	dst, z := pointer("dst"), pointer("z")
	room := AllocLocal(12 * 32)
	k := newScoreConstants(pointer("s"), func(m Mem) Op {
		r, to := YMM(), room.Offset(0)
		room = room.Offset(32)
		VBROADCASTSS(m, r)
		VMOVUPS(r, to)
		return to
	})
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			t, y := k.terms(Mem{Base: z, Disp: 4 * lane}, YMM)
			some := YMM()
			VCMPPS(Imm(13), k.least, t, some) // t ≥ least
			VPSLLD(Imm(23), t, t)
			VPADDD(k.bias, t, t)
			VMULPS(t, y, y)
			VPAND(some, y, y)
			VMOVUPS(y, Mem{Base: dst, Disp: 4 * lane})
		}
		ADDQ(Imm(4*lanes), dst)
	}, z)
	end()
}
