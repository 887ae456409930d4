package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// deviations writes Deviations: a group is added up, and then read again from the nearest cache.
func deviations(v isa) {
	TEXT("deviations"+v.Name(), NOSPLIT, "func(dst, r *float64, n, k int, size, scale float64)")
	Pragma("noescape")
	Doc("deviations"+v.Name()+" is Deviations for n > 0 elements, a multiple of k, which is one of eight.", "size is k.")
	dst, r := pointer("dst"), pointer("r")
	n, k := Load(Param("n"), GP64()), Load(Param("k"), GP64())
	g, scale := group{v, 64 / v.size()}, spread(v, "scale")
	first, mean, i := v.reg(), v.reg(), GP64()
	each := func(loop string, body func(t turn)) {
		XORQ(i, i)
		Label(loop)
		body(turn{i, g})
		ADDQ(Imm(8), i)
		CMPQ(i, k)
		JLT(LabelRef(loop))
	}
	Label("group")
	VBROADCASTSD(r, first)
	total := g.each(func(int) reg.VecVirtual {
		s := v.reg()
		VXORPD(s.AsX(), s.AsX(), s.AsX())
		return s
	})
	each("add", func(t turn) {
		for j, d := range t.sub(t.load(t.at(r)), t.same(first)) {
			VADDPD(d, total[j], total[j])
		}
	})
	sum := g.fold(total, op(VADDPD)).(reg.VecVirtual)
	VDIVSD(argument("size"), sum, sum)
	VBROADCASTSD(sum, mean)
	each("store", func(t turn) {
		d := t.sub(t.sub(t.load(t.at(r)), t.same(first)), t.same(mean))
		t.store(t.mul(d, t.same(scale)), t.at(dst))
	})
	LEAQ(r.Idx(k, 8), r.Base)
	LEAQ(dst.Idx(k, 8), dst.Base)
	SUBQ(k, n)
	JNE(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// fourDeviations writes Deviations for groups of four, half a vector of eight.
func fourDeviations(v isa) {
	TEXT("fourDeviations"+v.Name(), NOSPLIT, "func(dst, r *float64, n int, scale float64) int")
	Pragma("noescape")
	Doc("fourDeviations" + v.Name() + " is Deviations for groups of four and whole turns of eight elements.")
	dst, r, scale := pointer("dst"), pointer("r"), spread(v, "scale")
	simple(v, func(t turn) {
		x := t.load(t.at(r))
		d := t.sub(x, t.ofEach(x, 0))
		sum := t.add(t.ofEach(d, 0), t.ofEach(d, 1)) // the first is +0
		sum = t.add(t.add(sum, t.ofEach(d, 2)), t.ofEach(d, 3))
		d = t.sub(d, t.mul(sum, constant("quarter")))
		t.store(t.mul(d, t.same(scale)), t.at(dst))
	}, nothing)
}

// ofEach gives four elements the one of them at this place.
func (g group) ofEach(v vectors, place uint8) vectors {
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		VPERMPD(U8(0x55*place), v[k], dst)
		return dst
	})
}
