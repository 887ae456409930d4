package main

import (
	"math"

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
	g := group{isa: v, count: 64 / v.size()}
	wholeTurns(func(i reg.GPVirtual) {
		x := g.load(from(arg, i, v))
		bad := GP32()
		XORL(bad, bad)
		for k, small := range g.compare(x, notGreaterOrEqual, word("smallestNormal", 0x1p-1022)) {
			ORL(v.bits(small), bad)
			ORL(v.bits(g.compare(x[k:k+1], greater, word("largest", math.MaxFloat64))[0]), bad)
		}
		TESTL(bad, bad)
		JNE(LabelRef("done"))
		n := g.each(func(k int) reg.VecVirtual {
			r := v.reg()
			VPSRLQ(Imm(52), x[k], r)
			return r
		})
		n = g.sub(g.or(n, word("integer", 0x1p52)), word("integerAndBias", 0x1p52+1023))
		e := g.or(g.binary(op(VANDPD), x, mask("mantissa", 1<<52-1)), constant("one"))
		l := log1p(g, g.sub(e, constant("one")))
		l = g.add(g.mul(n, word("ln2Low", math.Ln2-ln2High)), l)
		g.store(g.add(g.mul(n, word("ln2High", ln2High)), l), from(dst, i, v))
	})
}

const ln2High = 0x1.62e42fefap-1

// above writes Above, a byte for each turn of eight elements.
func above(v isa) {
	TEXT("above"+v.Name(), NOSPLIT, "func(mask *uint64, x *float64, n int, floor float64)")
	Pragma("noescape")
	Doc("above" + v.Name() + " is Above for n elements, a multiple of 64.")
	dst, arg := pointer("mask"), pointer("x")
	g := group{isa: v, count: 64 / v.size()}
	floor := g.scalar(argument("floor"))
	columns(func(i reg.GPVirtual) {
		x := g.load(from(arg, i, v))
		masks := g.compare(x, notLessOrEqual, floor)
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

const notLessOrEqual = U8(0x16) // of VCMPPD: greater or unordered

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
		VPSUBQ(mask("halfExponent", 1022), e, e)
		VMOVUPD(e, at)
		VANDPD(mask("mantissa", 1<<52-1), r, r)
		VORPD(word("half", 0.5), r, r)
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
	g := group{isa: v, count: 64 / v.size()}
	a, b := g.scalar(argument("a")), g.scalar(argument("b"))
	wholeTurns(func(i reg.GPVirtual) {
		g.store(g.sub(g.sub(g.load(from(arg, i, v)), a), b), from(dst, i, v))
	})
}

// from is where the vectors of a slice are from element i on.
func from(slice Mem, i reg.GPVirtual, v isa) func(k int) Mem {
	return func(k int) Mem { return slice.Idx(i, 8).Offset(k * v.size()) }
}

// wholeTurns runs body for i = 0, 8, … ≤ n − 8, or until it jumps to done, and returns the first i that it has not
// done.
func wholeTurns(body func(i reg.GPVirtual)) {
	n, i := Load(Param("n"), GP64()), GP64()
	XORQ(i, i)
	SUBQ(Imm(8), n)
	Label("turn")
	CMPQ(i, n)
	JGT(LabelRef("done"))
	body(i)
	ADDQ(Imm(8), i)
	JMP(LabelRef("turn"))
	Label("done")
	VZEROUPPER()
	Store(i, ReturnIndex(0))
	RET()
}

// word is the memory of a number, mask that of bits, as many times as the longest vector has elements.
func word(name string, value float64) Mem { return mask(name, math.Float64bits(value)) }

func mask(name string, bits uint64) Mem {
	name = "bits_" + name
	if _, ok := memory[name]; !ok {
		memory[name] = GLOBL(name, RODATA|NOPTR)
		for i := range lanes {
			DATA(8*i, U64(bits))
		}
	}
	return memory[name]
}
