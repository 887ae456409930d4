package main

import (
	"fmt"

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
	keep, end := extremes(v, true)
	wholeTurns(v, func(g group, i reg.GPVirtual) {
		d := g.sub(g.load(g.at(x, i)), g.at(y, i))
		g.store(d, g.at(dst, i))
		keep(d)
	}, end)
}

// extremes begins to follow the smallest, the largest and the sum of vectors.
func extremes(v isa, registers bool) (keep func(d vectors), end func()) {
	lo, endLo := running(v, registers, op(VMINPD), pointer("lo"))
	hi, endHi := running(v, registers, op(VMAXPD), pointer("hi"))
	sum, endSum := running(v, registers, op(VADDPD), pointer("sum"))
	return func(d vectors) { lo(d); hi(d); sum(d) }, func() { endLo(); endHi(); endSum() }
}

// running combines vectors with what lanes in memory hold. It is kept in registers until the end, where there are enough,
// as there always are of those of 64 bytes.
func running(v isa, registers bool, combine func(b, a, dst Op), lanes Mem) (update func(v vectors), end func()) {
	g := group{isa: v, count: 64 / v.size()}
	at := lane(lanes, g)
	if v.size() < 64 && !registers {
		return func(v vectors) { g.store(g.binary(combine, v, at), at) }, func() {}
	}
	total := g.load(at)
	return func(v vectors) {
		for k, r := range v {
			combine(total[k%len(total)], r, total[k%len(total)])
		}
	}, func() { g.store(total, at) }
}

// at is where the vectors from element i on lie in a slice.
func (g group) at(slice Mem, i reg.GPVirtual) func(k int) Mem {
	return func(k int) Mem { return slice.Idx(i, 8).Offset(k * g.size()) }
}

// wholeTurns runs body for i = 0, 8, … while there are eight elements, then end, and returns the number of elements.
// Where a vector has eight elements, two go together while there are so many: one computes while the other waits.
func wholeTurns(v isa, body func(g group, i reg.GPVirtual), end func()) {
	n, i := Load(Param("n"), GP64()), GP64()
	XORQ(i, i)
	loop := func(count int) {
		elements := count * v.size() / 8
		turn, after := fmt.Sprint("turn", elements), fmt.Sprint("after", elements)
		SUBQ(Imm(uint64(elements)), n)
		CMPQ(i, n)
		JGT(LabelRef(after))
		Label(turn)
		body(group{isa: v, count: count}, i)
		ADDQ(Imm(uint64(elements)), i)
		CMPQ(i, n)
		JLE(LabelRef(turn))
		Label(after)
		ADDQ(Imm(uint64(elements)), n)
	}
	loop(2)
	if v.size() == 64 {
		loop(1)
	}
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
