package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// powers writes Powers.
func powers(v isa) {
	TEXT("powers"+v.Name(), NOSPLIT, "func(x *float64, n int, a, b float64, sums *[3][8]float64) int")
	Pragma("noescape")
	Doc("powers" + v.Name() + " is Powers for whole turns of eight elements.")
	x, sums := pointer("x"), pointer("sums")
	g := group{isa: v, count: 64 / v.size()}
	inMemory := v.size() < 64 // registers are few
	var total [3]vectors
	if !inMemory {
		for k := range total {
			total[k] = g.load(lane(sums.Offset(64*k), g))
		}
	}
	wholeTurns(func(i reg.GPVirtual) {
		y := g.fused(VFMSUB213PD, g.load(g.at(x, i)), g.scalar(argument("a")), g.scalar(argument("b")))
		e := expOf(g, g.max(y, constant("minusFar")))
		e = g.choose(g.compare(y, greaterOrEqual, constant("minusFar")), e, g.whole("zero"))
		for k := range total {
			if k > 0 {
				e = g.mul(e, e)
			}
			if inMemory {
				g.accumulate(sums.Offset(64*k), e)
				continue
			}
			for j := range e {
				VADDPD(e[j], total[k][j], total[k][j])
			}
		}
	}, func() {
		for k := range total {
			if !inMemory {
				g.store(total[k], lane(sums.Offset(64*k), g))
			}
		}
	})
}
