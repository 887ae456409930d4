package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// groups writes Groups for groups of 1, 2, 4 and 8. Each element of a group receives its sum.
func groups(v isa) {
	for _, size := range []int{1, 2, 4, 8} {
		name := fmt.Sprintf("groups%d%s", size, v.Name())
		TEXT(name, NOSPLIT, "func(x *float64, n int, c float64, sums *[2][8]float64) int")
		Pragma("noescape")
		Doc(fmt.Sprintf("%s is Groups for groups of %d and whole turns of eight elements.", name, size))
		x, c, sums := pointer("x"), spread(v, "c"), pointer("sums")
		sum, endSum := running(v, true, op(VADDPD), sums)
		square, endSquare := running(v, true, op(VADDPD), sums.Offset(64))
		turns(v, func(t turn) {
			d := t.sub(t.load(t.at(x)), t.same(c))
			for apart := 1; apart < size; apart *= 2 {
				d = t.add(d, t.swapped(d, apart))
			}
			sum(d)
			square(t.mul(d, d))
		}, func() { endSum(); endSquare() })
	}
}

// swapped exchanges elements that are so far apart.
func (g group) swapped(v vectors, apart int) vectors {
	if apart == 4 && g.size() == 32 {
		return vectors{v[1], v[0]}
	}
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		switch apart {
		case 1:
			VSHUFPD(Imm(0x55), v[k], v[k], dst)
		case 2:
			VPERMPD(Imm(0x4e), v[k], dst)
		case 4:
			VSHUFF64X2(Imm(0x4e), v[k], v[k], dst)
		}
		return dst
	})
}
