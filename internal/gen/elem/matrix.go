package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tile writes the product of a few rows of float32 with the columns of two vectors: all sums stay in registers.
func tile(v isa, count int) {
	columns := 2 * v.size() / 4
	TEXT(fmt.Sprintf("tile%d%s", count, v.Name()), NOSPLIT,
		"func(c *float32, cStride int, a *float32, aRow, aColumn int, b *float32, bStride, n int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("tile%d%s adds the product of A, %d × n, and B, n × %d, to C; n is positive.", count, v.Name(), count, columns))
	row := func(base Mem, stride string) (at []Mem, step reg.GPVirtual) {
		step = Load(Param(stride), GP64()).(reg.GPVirtual)
		SHLQ(Imm(2), step)
		at = []Mem{base}
		for r := 1; r < count; r++ {
			next := GP64()
			LEAQ(Mem{Base: at[r-1].Base, Index: step, Scale: 1}, next)
			at = append(at, Mem{Base: next})
		}
		return at, step
	}
	c, _ := row(pointer("c"), "cStride")
	a, _ := row(pointer("a"), "aRow")
	b, n := pointer("b"), Load(Param("n"), GP64())
	aStep, bStep := Load(Param("aColumn"), GP64()), Load(Param("bStride"), GP64())
	SHLQ(Imm(2), aStep)
	SHLQ(Imm(2), bStep)
	var sums [][2]reg.VecVirtual
	for r := range count {
		sums = append(sums, [2]reg.VecVirtual{v.reg(), v.reg()})
		for k, s := range sums[r] {
			VMOVUPS(c[r].Offset(k*v.size()), s)
		}
	}
	at := GP64()
	XORQ(at, at)
	Label("next")
	var right [2]reg.VecVirtual
	for k := range right {
		right[k] = v.reg()
		VMOVUPS(b.Offset(k*v.size()), right[k])
	}
	for r := range count {
		left := v.reg()
		VBROADCASTSS(a[r].Idx(at, 1), left)
		for k, s := range sums[r] {
			p := v.reg()
			VMULPS(right[k], left, p)
			VADDPS(p, s, s)
		}
	}
	ADDQ(aStep, at)
	ADDQ(bStep, b.Base)
	DECQ(n)
	JNZ(LabelRef("next"))
	for r := range count {
		for k, s := range sums[r] {
			VMOVUPS(s, c[r].Offset(k*v.size()))
		}
	}
	VZEROUPPER()
	RET()
}
