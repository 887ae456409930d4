package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scatter writes Scatter: an addition of two numbers for each element, the weight and 1.
func scatter() {
	TEXT("scatterAVX2", NOSPLIT, "func(table *float64, entry *int, w *float64, n int) int")
	Pragma("noescape")
	Doc("scatterAVX2 is Scatter for whole turns of four elements.")
	table, entry, w := pointer("table"), pointer("entry"), pointer("w")
	ones := XMM()
	VMOVUPD(constant("one"), ones)
	n, i := Load(Param("n"), GP64()), GP64()
	SUBQ(Imm(4), n)
	XORQ(i, i)
	CMPQ(i, n)
	JGT(LabelRef("done"))
	Label("turn")
	var rows [4]reg.GPVirtual
	for k := range rows {
		rows[k] = GP64()
		MOVQ(entry.Idx(i, 8).Offset(8*k), rows[k])
		SHLQ(Imm(6), rows[k])
	}
	for k := range rows {
		cell := table.Idx(rows[k], 1).Offset(16 * k)
		x := XMM()
		VMOVLPD(w.Idx(i, 8).Offset(8*k), ones, x)
		VADDPD(cell, x, x)
		VMOVUPD(x, cell)
	}
	ADDQ(Imm(4), i)
	CMPQ(i, n)
	JLE(LabelRef("turn"))
	Label("done")
	Store(i, ReturnIndex(0))
	RET()
}
