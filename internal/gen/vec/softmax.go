package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	rowSignature  = "func(s, b *byte, z *float32, n int, at, k *byte)"
	pairSignature = "func(s, b *byte, z, zq *float32, n int, at, atQ, k *byte)"
)

// lanes512 is a row of sums: 16 lanes in registers.
type lanes512 struct {
	at  Mem
	sum [2]VecVirtual
}

func newLanes512(s Register, row int) lanes512 {
	l := lanes512{Mem{Base: s, Disp: row}, [2]VecVirtual{ZMM(), ZMM()}}
	for g := range l.sum {
		VMOVUPD(l.at.Offset(64*g), l.sum[g])
	}
	return l
}

func (l lanes512) store() {
	for g := range l.sum {
		VMOVUPD(l.sum[g], l.at.Offset(64*g))
	}
}

// bound512 is a row of bounds: 16 lanes in a register.
type bound512 struct {
	at    Mem
	bound VecVirtual
}

func newBound512(b Register, row int) bound512 {
	l := bound512{Mem{Base: b, Disp: row}, ZMM()}
	VMOVUPS(l.at, l.bound)
	return l
}

func (l bound512) store() { VMOVUPS(l.bound, l.at) }

// above raises the bound to the 16 float32 at m; the second operand of the instruction is
// what it gives where one is a NaN.
func (l bound512) above(m Mem) {
	x := ZMM()
	VMOVUPS(m, x)
	VMAXPS(l.bound, x, l.bound)
}

func moments512() {
	function("momentsAVX512", rowSignature)
	s, b, z := pointer("s"), pointer("b"), pointer("z")
	at := newRow512(pointer("at"), newExp512(pointer("k")))
	e, ed, ee, top := newLanes512(s, sumE), newLanes512(s, sumED), newLanes512(s, sumEE), newBound512(b, maxP)
	loop(func() {
		x, t, q := at.powers(Mem{Base: z}, 2)
		for g, p := range q {
			VFMADD231PD(t[g], p, e.sum[g])
			VMULPD(t[g], p, p)
			VFMADD231PD(at.distances(x[g]), p, ed.sum[g])
			VFMADD231PD(p, p, ee.sum[g])
		}
		top.above(Mem{Base: z})
	}, z)
	for _, l := range []lanes512{e, ed, ee} {
		l.store()
	}
	top.store()
	end()
}

func pair512() {
	function("pairAVX512", pairSignature)
	s, b, z, zq := pointer("s"), pointer("b"), pointer("z"), pointer("zq")
	k := newExp512(pointer("k"))
	at, atQ := newRow512(pointer("at"), k), newRow512(pointer("atQ"), k)
	atQ.scale = at.scale // the same
	var l [6]lanes512
	for i := range l {
		l[i] = newLanes512(s, i*sumED)
	}
	loop(func() {
		for g := range 2 {
			xs, ts, ps := at.powers(Mem{Base: z, Disp: 32 * g}, 1)
			d, t, p := at.distances(xs[0]), ts[0], ps[0]
			VFMADD231PD(t, p, l[0].sum[g])
			VMULPD(t, p, p)
			VFMADD231PD(d, p, l[1].sum[g])
			VFMADD231PD(p, p, l[2].sum[g])
			xs, ts, qs := atQ.powers(Mem{Base: zq, Disp: 32 * g}, 1)
			dq, tq, q := atQ.distances(xs[0]), ts[0], qs[0]
			VSUBPD(dq, d, d)
			VFMADD231PD(tq, q, l[3].sum[g])
			VMULPD(tq, q, q)
			VFMADD231PD(d, p, l[4].sum[g])
			VFNMADD231PD(d, q, l[5].sum[g])
		}
		pairBounds(ZMM, b, z, zq, 0)
	}, z, zq)
	for _, l := range l {
		l.store()
	}
	end()
}

// pairBounds brings the bounds of a pair up to date, in memory, from lane on.
func pairBounds(register func() VecVirtual, b, z, zq Register, lane int) {
	x, y, bound := register(), register(), register()
	raise := func(row int, f func(ops ...Op), x Op) {
		m := Mem{Base: b, Disp: row + 4*lane}
		VMOVUPS(m, bound)
		f(bound, x, bound)
		VMOVUPS(bound, m)
	}
	VMOVUPS(Mem{Base: z, Disp: 4 * lane}, x)
	VMOVUPS(Mem{Base: zq, Disp: 4 * lane}, y)
	raise(maxP, VMAXPS, x)
	raise(maxQ, VMAXPS, y)
	VSUBPS(y, x, x)
	raise(maxPQ, VMAXPS, x)
	raise(minPQ, VMINPS, x)
}

// add adds to the sums of 4 lanes in memory by f, an addition or a fused product.
func add(s Register, row, lane int, f func(sum VecVirtual)) {
	sum, m := YMM(), Mem{Base: s, Disp: row + 8*lane}
	VMOVUPD(m, sum)
	f(sum)
	VMOVUPD(sum, m)
}

// addRow2 adds exponentials and moments to the sums of 4 lanes, and stores e = b·q in q.
func addRow2(s Register, lane int, b, q, d VecVirtual) {
	add(s, sumE, lane, func(sum VecVirtual) { VFMADD231PD(b, q, sum) })
	e := q
	VMULPD(b, q, e)
	add(s, sumED, lane, func(sum VecVirtual) { VFMADD231PD(d, e, sum) })
	add(s, sumEE, lane, func(sum VecVirtual) { VFMADD231PD(e, e, sum) })
}

func above2(b Register, row int, z Register, lane int) {
	x, m := YMM(), Mem{Base: b, Disp: row + 4*lane}
	bound := YMM()
	VMOVUPS(m, bound)
	VMOVUPS(Mem{Base: z, Disp: 4 * lane}, x)
	VMAXPS(bound, x, bound)
	VMOVUPS(bound, m)
}

func moments2() {
	function("momentsAVX2", rowSignature)
	s, b, z := pointer("s"), pointer("b"), pointer("z")
	at := newRow2(pointer("at"), newExp2(pointer("k")))
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			d, t, q := at.powers(Mem{Base: z, Disp: 4 * lane})
			for g := range d {
				VSUBPD(at.ref, d[g], d[g])
				addRow2(s, lane+4*g, t[g], q[g], d[g])
			}
			above2(b, maxP, z, lane)
		}
	}, z)
	end()
}

func pair2() {
	function("pairAVX2", pairSignature)
	s, b, z, zq := pointer("s"), pointer("b"), pointer("z"), pointer("zq")
	k := newExp2(pointer("k"))
	at, atQ := newRow2(pointer("at"), k), newRow2(pointer("atQ"), k)
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			d, t, p := at.powers(Mem{Base: z, Disp: 4 * lane})
			for g := range p {
				VSUBPD(at.ref, d[g], d[g])
				addRow2(s, lane+4*g, t[g], p[g], d[g])
			}
			dq, t, q := atQ.powers(Mem{Base: zq, Disp: 4 * lane})
			for g := range q {
				VSUBPD(atQ.ref, dq[g], dq[g])
				VSUBPD(dq[g], d[g], d[g])
				add(s, sumQ, lane+4*g, func(sum VecVirtual) { VFMADD231PD(t[g], q[g], sum) })
				VMULPD(t[g], q[g], q[g])
				add(s, sumEDiff, lane+4*g, func(sum VecVirtual) { VFMADD231PD(d[g], p[g], sum) })
				add(s, sumQDiff, lane+4*g, func(sum VecVirtual) { VFNMADD231PD(d[g], q[g], sum) })
			}
			pairBounds(YMM, b, z, zq, lane)
		}
	}, z, zq)
	end()
}
