package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// powers writes Powers.
func powers(v isa) {
	TEXT("powers"+v.Name(), NOSPLIT, "func(x *float64, n int, a, b float64, sums *[3][8]float64) int")
	Pragma("noescape")
	Doc("powers" + v.Name() + " is Powers for whole turns of eight elements.")
	x := pointer("x")
	add, end := sumsOfPowers(v)
	turns(v, func(t turn) { add(t.group, t.load(t.at(x))) }, end)
}

// subPowers writes SubPowers.
func subPowers(v isa) {
	TEXT("subPowers"+v.Name(), NOSPLIT, "func(dst, x, y *float64, n int, a, b float64, sums *[3][8]float64, lo, hi, sum *[8]float64) int")
	Pragma("noescape")
	Doc("subPowers" + v.Name() + " is SubPowers for whole turns of eight elements.")
	dst, x, y := pointer("dst"), pointer("x"), pointer("y")
	keep, endKeep := extremes(v, false)
	add, endAdd := sumsOfPowers(v)
	turns(v, func(t turn) {
		d := t.sub(t.load(t.at(x)), t.at(y))
		t.store(d, t.at(dst))
		keep(d)
		add(t.group, d)
	}, func() { endKeep(); endAdd() })
}

// sumsOfPowers begins to add up e, e² and e⁴ of vectors.
func sumsOfPowers(v isa) (add func(g group, x vectors), end func()) {
	var updates [3]func(vectors)
	var ends [3]func()
	sums := pointer("sums")
	for k := range updates {
		updates[k], ends[k] = running(v, false, op(VADDPD), sums.Offset(64*k))
	}
	return func(g group, x vectors) {
			y := g.fused(VFMSUB213PD, x, g.scalar(argument("a")), g.scalar(argument("b")))
			e := expOf(g, g.max(y, constant("minusFar")))
			for k, update := range updates {
				if k > 0 {
					e = g.mul(e, e)
				}
				update(e)
			}
		}, func() {
			for _, end := range ends {
				end()
			}
		}
}
