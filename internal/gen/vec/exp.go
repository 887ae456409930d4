package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets in struct exponential of package vec.
const (
	powAt   = 0
	hiAt    = 128
	loAt    = 192
	cAt     = 256
	magicAt = 296
)

// Offsets in struct Point.
const (
	refAt   = 0
	scaleAt = 16
	floorAt = 24
)

// exp512 holds the constants of the exponential in registers.
type exp512 struct {
	pow   [2]VecVirtual
	c     [5]VecVirtual
	magic VecVirtual
}

func newExp512(table Register) (k exp512) {
	for i := range k.pow {
		k.pow[i] = ZMM()
		VMOVDQU64(Mem{Base: table, Disp: powAt + 64*i}, k.pow[i])
	}
	for i := range k.c {
		k.c[i] = broadcast512(Mem{Base: table, Disp: cAt + 8*i})
	}
	k.magic = broadcast512(Mem{Base: table, Disp: magicAt})
	return k
}

func broadcast512(m Mem) VecVirtual {
	z := ZMM()
	VBROADCASTSD(m, z)
	return z
}

// point512 holds a Point in registers.
type point512 struct{ ref, scale, floor VecVirtual }

func newPoint512(at Register) point512 {
	floor, x := YMM(), XMM()
	VCVTSD2SS(Mem{Base: at, Disp: floorAt}, x, x)
	VBROADCASTSS(x, floor)
	return point512{broadcast512(Mem{Base: at, Disp: refAt}), broadcast512(Mem{Base: at, Disp: scaleAt}), floor}
}

// distances returns d of the 8 float32 at m.
func (p point512) distances(m Mem) VecVirtual {
	x, d := YMM(), ZMM()
	VMAXPS(m, p.floor, x) // a NaN stays
	VCVTPS2PD(x, d)
	VSUBPD(p.ref, d, d)
	return d
}

// exp returns 2^(d·scale).
func (k exp512) exp(d, scale VecVirtual) VecVirtual {
	t, n, r, q, b := ZMM(), ZMM(), ZMM(), ZMM(), ZMM()
	VMOVAPD(d, t)
	VFMADD213PD(k.magic, scale, t)
	VSUBPD(k.magic, t, n)
	VMOVAPD(d, r)
	VFMSUB213PD(n, scale, r)
	VMOVAPD(k.c[4], q)
	for i := 3; i >= 0; i-- {
		VFMADD213PD(k.c[i], r, q)
	}
	VPSLLQ(Imm(48), t, b)
	VPERMI2Q(k.pow[1], k.pow[0], t)
	VPADDQ(t, b, b)
	VMULPD(b, r, r)
	VFMADD213PD(b, q, r)
	return r
}

// exp2 holds the constants of the exponential for AVX2, which has too few registers, on the
// stack.
type exp2 struct {
	table Register
	c     [5]Mem
	magic Mem
}

func newExp2(table Register) (k exp2) {
	k.table = table
	for i := range k.c {
		k.c[i] = spread2(Mem{Base: table, Disp: cAt + 8*i})
	}
	k.magic = spread2(Mem{Base: table, Disp: magicAt})
	return k
}

// spread2 stores the float64 at m in all lanes of a place on the stack.
func spread2(m Mem) Mem {
	y, to := YMM(), AllocLocal(32)
	VBROADCASTSD(m, y)
	VMOVUPD(y, to)
	return to
}

// point2 is a Point on the stack.
type point2 struct{ ref, scale, floor Mem }

func newPoint2(at Register) point2 {
	p := point2{spread2(Mem{Base: at, Disp: refAt}), spread2(Mem{Base: at, Disp: scaleAt}), AllocLocal(16)}
	x := XMM()
	VCVTSD2SS(Mem{Base: at, Disp: floorAt}, x, x)
	VBROADCASTSS(x, x)
	VMOVUPS(x, p.floor)
	return p
}

// distances returns d of the 4 float32 at m.
func (p point2) distances(m Mem) VecVirtual {
	x, d := XMM(), YMM()
	VMOVUPS(p.floor, x)
	VMAXPS(m, x, x) // a NaN stays
	VCVTPS2PD(x, d)
	VSUBPD(p.ref, d, d)
	return d
}

// exp returns 2^(d·scale) of two groups of 4: both take their entries of the table at once.
func (k exp2) exp(d [2]VecVirtual, scale Mem) (e [2]VecVirtual) {
	t := [2]VecVirtual{YMM(), YMM()}
	for g := range t {
		VMOVUPD(scale, t[g])
		VFMADD213PD(k.magic, d[g], t[g])
	}
	b := k.entries(t)
	for g := range t {
		n, r, q := YMM(), YMM(), YMM()
		VSUBPD(k.magic, t[g], n)
		VMOVUPD(scale, r)
		VFMSUB213PD(n, d[g], r)
		VMOVUPD(k.c[4], q)
		for i := 3; i >= 0; i-- {
			VFMADD213PD(k.c[i], r, q)
		}
		VPSLLQ(Imm(48), t[g], t[g])
		VPADDQ(t[g], b[g], b[g])
		VMULPD(b[g], r, r)
		VFMADD213PD(b[g], q, r)
		e[g] = r
	}
	return e
}

// entries returns the entries of the table of 16 that the low bits of t say, half by half:
// there is a permutation of 8 numbers of 32 bits.
func (k exp2) entries(t [2]VecVirtual) [2]VecVirtual {
	index, upper := YMM(), YMM()
	VSHUFPS(Imm(0x88), t[1], t[0], index)
	VPSLLD(Imm(28), index, upper)
	half := func(disp int) VecVirtual {
		a, b := YMM(), YMM()
		VPERMPS(Mem{Base: k.table, Disp: disp}, index, a)
		VPERMPS(Mem{Base: k.table, Disp: disp + 32}, index, b)
		VBLENDVPS(upper, b, a, a)
		return a
	}
	hi, lo := half(hiAt), half(loAt)
	out := [2]VecVirtual{YMM(), YMM()}
	VUNPCKLPS(hi, lo, out[0])
	VUNPCKHPS(hi, lo, out[1])
	return out
}
