package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// place writes Place: the whole part of (x−lo)·perUnit − bias is the number of the bin or of the one before, and the
// edge between these says which.
func place(v isa) {
	TEXT("place"+v.Name(), NOSPLIT, "func(entry *int, over, x *float64, n int, grid *float64) int")
	Pragma("noescape")
	Doc("place" + v.Name() + " is Place for whole turns of eight elements.")
	entries, over, arg, grid := pointer("entry"), pointer("over"), pointer("x"), pointer("grid")
	g := group{isa: v, count: 1}
	field := func(number int) vectors { return g.scalar(grid.Offset(8 * number)) }
	if v.size() == 64 { // there are enough registers to hold them
		var fields [7]vectors
		for number := range fields {
			fields[number] = field(number)
		}
		field = func(number int) vectors { return fields[number] }
	}
	wholeTurns(func(i reg.GPVirtual) {
		for first := range 64 / v.size() { // a vector at a time: the turns overlap
			part := func(slice Mem) func(int) Mem {
				return func(int) Mem { return slice.Idx(i, 8).Offset(first * v.size()) }
			}
			lo, top, width, perUnit, bias, n, per1 := field(0), field(1), field(2), field(3), field(4), field(5), field(6)
			edge := func(k vectors) vectors {
				q := g.mul(k, per1)
				q = g.fused(VFMADD213PD, g.fused(VFNMADD213PD, q, n, k), per1, q) // k/n, rounded as a division does
				return g.add(g.mul(q, width), lo)
			}
			x := g.load(part(arg))
			c := g.binary(op(VMINPD), g.max(x, lo), top)
			k := g.floor(g.fused(VFMSUB213PD, g.sub(c, lo), perUnit, bias))
			next := g.add(k, constant("one"))
			upper := edge(next)
			up := g.compare(c, greaterOrEqual, upper)
			bottom := g.choose(up, upper, edge(k))
			g.store(g.sub(x, bottom), part(over))
			entry := g.add(next, g.choose(up, g.whole("one"), g.whole("zero")))
			entry = g.choose(g.compare(x, less, lo), g.whole("zero"), entry)
			g.storeInts(entry, part(entries))
		}
	}, func() {})
}

const less = U8(0x11)

// floor rounds down.
func (g group) floor(v vectors) vectors {
	const down = U8(0x09)
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		if g.size() == 64 {
			VRNDSCALEPD(down, v[k], dst)
		} else {
			VROUNDPD(down, v[k], dst)
		}
		return dst
	})
}

// storeInts stores integers of less than 32 bits as those of 64.
func (g group) storeInts(v vectors, at func(k int) Mem) {
	for k, r := range v {
		i := g.reg()
		if g.size() == 64 {
			VCVTTPD2QQ(r, i)
			VMOVDQU64(i, at(k))
		} else {
			x := XMM()
			VCVTTPD2DQY(r, x)
			VPMOVSXDQ(x, i)
			VMOVDQU(i, at(k))
		}
	}
}
