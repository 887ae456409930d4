package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
)

// terms is the number of terms of the series of excess.
const terms = 14

func init() {
	type named = struct {
		name  string
		value float64
	}
	values = append(values, named{"near", 0.5})
	factorial := 2
	for k := range terms {
		values = append(values, named{term(k), 1 / float64(factorial)})
		factorial *= k + 3
	}
}

// term is the name of 1/(k+2)!.
func term(k int) string { return fmt.Sprint("excess", k) }

// excess writes Excess: near 0 the series, elsewhere the difference, unless that overflows.
func excess(v isa) {
	TEXT("excess"+v.Name(), NOSPLIT, "func(dst, x, e *float64, n int) int")
	Pragma("noescape")
	Doc("excess" + v.Name() + " is Excess for whole turns of eight elements.")
	dst, arg, power := pointer("dst"), pointer("x"), pointer("e")
	steps(v, 64/v.size(), func(g group, at step) {
		x, e := g.load(at(arg)), g.load(at(power))
		x2 := g.mul(x, x)
		x4 := g.mul(x2, x2)
		s := g.add(g.mul(x, constant(term(13))), constant(term(12)))
		for _, first := range []int{8, 4, 0} {
			low := g.add(g.mul(x, constant(term(first+1))), constant(term(first)))
			high := g.add(g.mul(x, constant(term(first+3))), constant(term(first+2)))
			s = g.add(g.mul(s, x4), g.add(g.mul(high, x2), low))
		}
		s = g.mul(s, x2)
		far := g.sub(g.sub(e, constant("one")), x)
		far = g.choose(g.compare(e, greater, constant("maxFloat")), e, far)
		minus := g.xor(g.or(x, constant("sign")), constant("sign"))
		g.store(g.choose(g.compare(minus, notAtMost, constant("near")), far, s), at(dst))
	}, func() {})
}
