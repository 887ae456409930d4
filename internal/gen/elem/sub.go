package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// sub writes Sub.
func sub(v isa) {
	TEXT("sub"+v.Name(), NOSPLIT, "func(dst, x, y *float64, n int, lo, hi, sum *[8]float64) int")
	Pragma("noescape")
	Doc("sub" + v.Name() + " is Sub for whole turns of eight elements.")
	dst, x, y := pointer("dst"), pointer("x"), pointer("y")
	keep, end := extremes(v, true)
	turns(v, func(t turn) {
		d := t.sub(t.load(t.at(x)), t.at(y))
		t.store(d, t.at(dst))
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
