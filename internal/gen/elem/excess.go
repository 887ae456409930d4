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
	loops(v, func(t turn) {
		x, e := t.load(t.at(arg)), t.load(t.at(power))
		x2 := t.mul(x, x)
		x4 := t.mul(x2, x2)
		s := t.add(t.mul(x, constant(term(13))), constant(term(12)))
		for _, first := range []int{8, 4, 0} {
			low := t.add(t.mul(x, constant(term(first+1))), constant(term(first)))
			high := t.add(t.mul(x, constant(term(first+3))), constant(term(first+2)))
			s = t.add(t.mul(s, x4), t.add(t.mul(high, x2), low))
		}
		s = t.mul(s, x2)
		far := t.sub(t.sub(e, constant("one")), x)
		far = t.choose(t.compare(e, greater, constant("maxFloat")), e, far)
		minus := t.xor(t.or(x, constant("sign")), constant("sign"))
		t.store(t.choose(t.compare(minus, notAtMost, constant("half")), far, s), t.at(dst))
	}, nothing, 64/v.size())
}
