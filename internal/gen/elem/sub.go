package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sub writes Sub.
func sub(v isa) {
	TEXT("sub"+v.Name(), NOSPLIT, "func(dst, x, y *float64, n int, lo, hi, sum *[8]float64) int")
	Pragma("noescape")
	Doc("sub" + v.Name() + " is Sub for whole turns of eight elements.")
	dst, x, y := pointer("dst"), pointer("x"), pointer("y")
	g := group{isa: v, count: 64 / v.size()}
	lo, hi, sum := g.load(lane(pointer("lo"), g)), g.load(lane(pointer("hi"), g)), g.load(lane(pointer("sum"), g))
	wholeTurns(func(i reg.GPVirtual) {
		d := g.sub(g.load(g.at(x, i)), g.at(y, i))
		g.store(d, g.at(dst, i))
		for k := range d {
			VMINPD(lo[k], d[k], lo[k])
			VMAXPD(hi[k], d[k], hi[k])
			VADDPD(d[k], sum[k], sum[k])
		}
	}, func() {
		g.store(lo, lane(pointer("lo"), g))
		g.store(hi, lane(pointer("hi"), g))
		g.store(sum, lane(pointer("sum"), g))
	})
}

// at is where the vectors from element i on lie in a slice.
func (g group) at(slice Mem, i reg.GPVirtual) func(k int) Mem {
	return func(k int) Mem { return slice.Idx(i, 8).Offset(k * g.size()) }
}

// wholeTurns runs body for i = 0, 8, … while there are eight elements, then end, and returns the number of elements.
func wholeTurns(body func(i reg.GPVirtual), end func()) {
	n, i := Load(Param("n"), GP64()), GP64()
	SUBQ(Imm(8), n)
	XORQ(i, i)
	CMPQ(i, n)
	JGT(LabelRef("done"))
	Label("turn")
	body(i)
	ADDQ(Imm(8), i)
	CMPQ(i, n)
	JLE(LabelRef("turn"))
	Label("done")
	end()
	VZEROUPPER()
	Store(i, ReturnIndex(0))
	RET()
}

// fused applies an instruction that rounds once to a, b and c, such as VFMADD213PD, which gives a·b + c.
func (g group) fused(instruction func(...Op), a, b, c vectors) vectors {
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		VMOVAPD(a[k], dst)
		instruction(c[k], b[k], dst)
		return dst
	})
}
