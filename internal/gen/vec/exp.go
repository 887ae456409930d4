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
	magicAt = 304
)

// Offsets in struct Point.
const (
	refAt   = 0
	scaleAt = 16
	floorAt = 24
	foldAt  = 32
)

// exp512 holds the constants of the exponential in registers.
type exp512 struct {
	pow   [2]VecVirtual
	c     [6]VecVirtual
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
	return point512{broadcast512(Mem{Base: at, Disp: refAt}), broadcast512(Mem{Base: at, Disp: scaleAt}), floor512(at)}
}

// floor512 returns the floor as 8 float32.
func floor512(at Register) VecVirtual {
	floor, x := YMM(), XMM()
	VCVTSD2SS(Mem{Base: at, Disp: floorAt}, x, x)
	VBROADCASTSS(x, floor)
	return floor
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
	VMOVAPD(k.c[5], q)
	for i := 4; i >= 1; i-- {
		VFMADD213PD(k.c[i], r, q)
	}
	VPSLLQ(Imm(48), t, b)
	VPERMI2Q(k.pow[1], k.pow[0], t)
	VPADDQ(t, b, b)
	VMULPD(b, r, r)
	VFMADD213PD(b, q, r)
	return r
}

// row512 holds what powers of logits at a point take, in registers.
type row512 struct {
	exp512
	at                 Register
	scale, fold, floor VecVirtual
}

// newRow512 returns that of a point; k is the exponential.
func newRow512(at Register, k exp512) row512 {
	return row512{k, at, broadcast512(Mem{Base: at, Disp: scaleAt}), broadcast512(Mem{Base: at, Disp: foldAt}), floor512(at)}
}

// powers returns x, at the floor at least, of groups of 8 float32 at m, and e as the product of t and
// q. The groups go side by side: one alone waits for itself.
func (p row512) powers(m Mem, groups int) (x, t, q []VecVirtual) {
	x, t, q = registers(groups, ZMM), registers(groups, ZMM), registers(groups, ZMM)
	r := registers(groups, ZMM)
	for g, narrow := range registers(groups, YMM) {
		VMAXPS(m.Offset(32*g), p.floor, narrow) // a NaN stays
		VCVTPS2PD(narrow, x[g])
	}
	for g := range x {
		VMOVAPD(x[g], t[g])
		VFMADD213PD(p.fold, p.scale, t[g])
	}
	for g := range x {
		VSUBPD(p.fold, t[g], q[g])
	}
	for g := range x {
		VMOVAPD(x[g], r[g])
		VFMSUB213PD(q[g], p.scale, r[g])
	}
	for g := range x {
		VPSLLQ(Imm(48), t[g], q[g])
		VPERMI2Q(p.pow[1], p.pow[0], t[g])
	}
	for g := range x {
		VPADDQ(q[g], t[g], t[g])
		VMOVAPD(p.c[5], q[g])
	}
	for i := 4; i >= 0; i-- {
		for g := range x {
			VFMADD213PD(p.c[i], r[g], q[g])
		}
	}
	return x, t, q
}

// distances returns d of x, which it overwrites.
func (p row512) distances(x VecVirtual) VecVirtual {
	VSUBPD_BCST(Mem{Base: p.at, Disp: refAt}, x, x)
	return x
}

// exp2 holds the constants of the exponential for AVX2, which has too few registers, on the
// stack.
type exp2 struct {
	table Register
	c     [6]Mem
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
	return point2{spread2(Mem{Base: at, Disp: refAt}), spread2(Mem{Base: at, Disp: scaleAt}), floor2(at)}
}

// floor2 stores the floor as 4 float32 on the stack.
func floor2(at Register) Mem {
	x, to := XMM(), AllocLocal(16)
	VCVTSD2SS(Mem{Base: at, Disp: floorAt}, x, x)
	VBROADCASTSS(x, x)
	VMOVUPS(x, to)
	return to
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

// row2 holds what powers of logits at a point take, on the stack.
type row2 struct {
	exp2
	ref, scale, fold, floor Mem
}

// newRow2 returns that of a point; k is the exponential.
func newRow2(at Register, k exp2) row2 {
	return row2{k, spread2(Mem{Base: at, Disp: refAt}), spread2(Mem{Base: at, Disp: scaleAt}), spread2(Mem{Base: at, Disp: foldAt}), floor2(at)}
}

// powers returns x, at the floor at least, of the 8 float32 at m, and e as the product of b and q.
func (p row2) powers(m Mem) (x, b, q [2]VecVirtual) {
	var t [2]VecVirtual
	for g := range x {
		narrow := XMM()
		x[g], t[g] = YMM(), YMM()
		VMOVUPS(p.floor, narrow)
		VMAXPS(m.Offset(16*g), narrow, narrow) // a NaN stays
		VCVTPS2PD(narrow, x[g])
		VMOVUPD(p.scale, t[g])
		VFMADD213PD(p.fold, x[g], t[g])
	}
	b = entries2(p.table, t)
	for g := range x {
		n, r := YMM(), YMM()
		q[g] = YMM()
		VSUBPD(p.fold, t[g], n)
		VMOVUPD(p.scale, r)
		VFMSUB213PD(n, x[g], r)
		VMOVUPD(p.c[5], q[g])
		for i := 4; i >= 0; i-- {
			VFMADD213PD(p.c[i], r, q[g])
		}
		VPSLLQ(Imm(48), t[g], t[g])
		VPADDQ(t[g], b[g], b[g])
	}
	return x, b, q
}

// exp returns 2^(d·scale) of two groups of 4: both take their entries of the table at once.
func (k exp2) exp(d [2]VecVirtual, scale Mem) (e [2]VecVirtual) {
	t := [2]VecVirtual{YMM(), YMM()}
	for g := range t {
		VMOVUPD(scale, t[g])
		VFMADD213PD(k.magic, d[g], t[g])
	}
	b := entries2(k.table, t)
	for g := range t {
		n, r, q := YMM(), YMM(), YMM()
		VSUBPD(k.magic, t[g], n)
		VMOVUPD(scale, r)
		VFMSUB213PD(n, d[g], r)
		VMOVUPD(k.c[5], q)
		for i := 4; i >= 1; i-- {
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

// entries2 returns the entries of the table of 16 that the low bits of t say, half by half:
// there is a permutation of 8 numbers of 32 bits.
func entries2(table Register, t [2]VecVirtual) [2]VecVirtual {
	index, upper := YMM(), YMM()
	VSHUFPS(Imm(0x88), t[1], t[0], index)
	VPSLLD(Imm(28), index, upper)
	half := func(disp int) VecVirtual {
		a, b := YMM(), YMM()
		VPERMPS(Mem{Base: table, Disp: disp}, index, a)
		VPERMPS(Mem{Base: table, Disp: disp + 32}, index, b)
		VBLENDVPS(upper, b, a, a)
		return a
	}
	hi, lo := half(hiAt), half(loAt)
	out := [2]VecVirtual{YMM(), YMM()}
	VUNPCKLPS(hi, lo, out[0])
	VUNPCKHPS(hi, lo, out[1])
	return out
}
