package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tail writes the kernels of log.go, above.go, logproducts.go and shift.go.
func tail(v isa) {
	logarithm(v)
	above(v)
	logProducts(v)
	shift(v)
}

// logarithm writes Log: turns until one has an element that is not regular.
func logarithm(v isa) {
	TEXT("log"+v.Name(), NOSPLIT, "func(dst, x *float64, n int) int")
	Pragma("noescape")
	Doc("log" + v.Name() + " is Log for whole turns of eight elements, before one that is not regular.")
	dst, arg := pointer("dst"), pointer("x")
	loops(v, func(t turn) {
		x := t.load(t.at(arg))
		bad := GP32()
		XORL(bad, bad)
		for k, small := range t.compare(x, notGreaterOrEqual, constant("smallestNormal")) {
			ORL(v.bits(small), bad)
			ORL(v.bits(t.compare(x[k:k+1], greater, constant("maxFloat"))[0]), bad)
		}
		unless(bad)
		n := t.each(func(k int) reg.VecVirtual {
			r := v.reg()
			VPSRLQ(Imm(52), x[k], r)
			return r
		})
		n = t.sub(t.or(n, constant("integer")), constant("integerAndBias"))
		e := t.or(t.binary(op(VANDPD), x, constant("mantissa")), constant("one"))
		l := log1p(t.group, t.sub(e, constant("one")))
		l = t.add(t.mul(n, constant("ln2Low")), l)
		t.store(t.add(t.mul(n, constant("ln2High")), l), t.at(dst))
	}, nothing, 64/v.size())
}

// above writes Above, a byte for each turn of eight elements.
func above(v isa) {
	TEXT("above"+v.Name(), NOSPLIT, "func(mask *uint64, x *float64, n int, floor float64)")
	Pragma("noescape")
	Doc("above" + v.Name() + " is Above for n elements, a multiple of 64.")
	dst, arg := pointer("mask"), pointer("x")
	g := group{isa: v, count: 64 / v.size()}
	floor := g.scalar(argument("floor"))
	columns(func(i reg.GPVirtual) {
		x := g.load(turn{index: i, group: g}.at(arg))
		masks := g.compare(x, notAtMost, floor)
		all := v.bits(masks[0])
		for k, m := range masks[1:] {
			more := v.bits(m)
			SHLL(Imm(uint64((k+1)*v.size()/8)), more)
			ORL(more, all)
		}
		MOVB(all.As8(), Mem{Base: dst.Base})
		INCQ(dst.Base)
	})
	VZEROUPPER()
	RET()
}

// logProducts writes product for 16 of them at a time.
func logProducts(v isa) {
	TEXT("products"+v.Name(), NOSPLIT, "func(m *[16]float64, exponents *[16]int64, a *[16]float64, x *float64, n, every int)")
	Pragma("noescape")
	Doc("products"+v.Name()+" is product for each of a.", "exponents must be 0 before.")
	dst, exponents, a, arg := pointer("m"), pointer("exponents"), pointer("a"), pointer("x")
	g := group{isa: v, count: 16 * 8 / v.size()}
	factors := g.load(func(k int) Mem { return a.Offset(k * v.size()) })
	one := v.reg()
	VMOVUPD(constant("one"), one)
	m := g.each(func(int) reg.VecVirtual {
		r := v.reg()
		VMOVAPD(one, r)
		return r
	})
	n, some := Load(Param("n"), GP64()), GP64()
	Label("block")
	TESTQ(n, n)
	JE(LabelRef("done"))
	MOVQ(argument("every"), some)
	CMPQ(n, some)
	CMOVQLT(n, some)
	SUBQ(some, n)
	Label("element")
	x := v.reg()
	VBROADCASTSD(Mem{Base: arg.Base}, x)
	for k, f := range factors {
		t := v.reg()
		VMULPD(x, f, t)
		VADDPD(one, t, t)
		VMULPD(t, m[k], m[k])
	}
	ADDQ(Imm(8), arg.Base)
	DECQ(some)
	JNE(LabelRef("element"))
	for k, r := range m {
		at := exponents.Offset(k * v.size())
		e := v.reg()
		VPSRLQ(Imm(52), r, e)
		VPADDQ(at, e, e)
		VPSUBQ(constant("halfExponent"), e, e)
		VMOVUPD(e, at)
		VANDPD(constant("mantissa"), r, r)
		VORPD(constant("half"), r, r)
	}
	JMP(LabelRef("block"))
	Label("done")
	g.store(m, func(k int) Mem { return dst.Offset(k * v.size()) })
	VZEROUPPER()
	RET()
}

// shift writes Shift.
func shift(v isa) {
	TEXT("shift"+v.Name(), NOSPLIT, "func(dst, x *float64, n int, a, b float64) int")
	Pragma("noescape")
	Doc("shift" + v.Name() + " is Shift for whole turns of eight elements.")
	dst, arg := pointer("dst"), pointer("x")
	a, b := spread(v, "a"), spread(v, "b")
	simple(v, func(t turn) {
		t.store(t.sub(t.sub(t.load(t.at(arg)), t.same(a)), t.same(b)), t.at(dst))
	}, nothing)
}
