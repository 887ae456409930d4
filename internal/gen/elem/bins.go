package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What grid holds, in its order.
const (
	gridLo = iota
	gridTop
	gridWidth
	gridPerUnit
	gridBias
	gridN
	gridPer1
	gridStep
)

// bins returns how to get at the fields of grid, which are in registers where there are enough.
func bins(v isa) func(g group, field int) vectors {
	grid := pointer("grid")
	var fields [gridStep + 1]reg.VecVirtual
	for i := range fields {
		if v.size() == 64 {
			fields[i] = v.reg()
			VBROADCASTSD(grid.Offset(8*i), fields[i])
		}
	}
	return func(g group, field int) vectors {
		if fields[field] == nil {
			return g.scalar(grid.Offset(8 * field))
		}
		return g.same(fields[field])
	}
}

// place writes Place: the whole part of (x−lo)·perUnit − bias is the number of the bin or of the one before, and the
// edge between these says which.
func place(v isa) {
	TEXT("place"+v.Name(), NOSPLIT, "func(entry *int, over, x *float64, n int, grid *float64) int")
	Pragma("noescape")
	Doc("place" + v.Name() + " is Place for whole turns of eight elements.")
	entries, over, arg, grid := pointer("entry"), pointer("over"), pointer("x"), bins(v)
	turns(v, func(t turn) {
		field := func(number int) vectors { return grid(t.group, number) }
		edge := func(k vectors) vectors {
			q := t.mul(k, field(gridPer1))
			rest := t.fused(VFNMADD213PD, q, field(gridN), k)
			q = t.fma(rest, field(gridPer1), q) // k/n, rounded as a division does
			return t.add(t.mul(q, field(gridWidth)), field(gridLo))
		}
		x := t.load(t.at(arg))
		c := t.binary(op(VMINPD), t.max(x, field(gridLo)), field(gridTop))
		k := t.floor(t.fused(VFMSUB213PD, t.sub(c, field(gridLo)), field(gridPerUnit), field(gridBias)))
		next := t.add(k, constant("one"))
		upper := edge(next)
		up := t.compare(c, greaterOrEqual, upper)
		t.store(t.sub(x, t.choose(up, upper, edge(k))), t.at(over))
		entry := t.add(next, t.choose(up, t.whole("one"), t.whole("zero")))
		t.storeInts(t.choose(t.compare(x, less, field(gridLo)), t.whole("zero"), entry), t.at(entries))
	}, nothing)
}

// weighBins writes Bins.Weigh: place with edges from one operation and without a care for what is outside, and the exponential.
func weighBins(v isa) {
	TEXT("weighBins"+v.Name(), NOSPLIT, "func(entry *int, w, x *float64, n int, grid *float64) int")
	Pragma("noescape")
	Doc("weighBins" + v.Name() + " is Bins.Weigh for whole turns of eight elements.")
	entries, w, arg, grid := pointer("entry"), pointer("w"), pointer("x"), bins(v)
	turns(v, func(t turn) {
		field := func(number int) vectors { return grid(t.group, number) }
		edge := func(k vectors) vectors { return t.fma(k, field(gridStep), field(gridLo)) }
		x := t.load(t.at(arg))
		k := t.floor(t.fused(VFMSUB213PD, t.sub(x, field(gridLo)), field(gridPerUnit), field(gridBias)))
		next := t.add(k, constant("one"))
		upper := edge(next)
		up := t.compare(x, greaterOrEqual, upper)
		above := t.sub(x, t.choose(up, upper, edge(k)))
		t.storeInts(t.add(next, t.choose(up, t.whole("one"), t.whole("zero"))), t.at(entries))
		t.store(expOf(t.group, above), t.at(w))
	}, nothing)
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
