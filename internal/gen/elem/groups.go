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
		g := group{isa: v, count: 64 / v.size()}
		x, c := pointer("x"), g.scalar(argument("c"))
		var total [2]vectors
		for k := range total {
			total[k] = g.load(lane(pointer("sums").Offset(64*k), g))
		}
		wholeTurns(func(i reg.GPVirtual) {
			d := g.sub(g.load(g.at(x, i)), c)
			if size > 1 {
				d = g.add(d, g.swapped(d, 1))
			}
			if size > 2 {
				d = g.add(d, g.swapped(d, 2))
			}
			if size > 4 {
				d = g.add(d, g.swapped(d, 4))
			}
			for k := range d {
				VADDPD(d[k], total[0][k], total[0][k])
				VFMADD231PD(d[k], d[k], total[1][k])
			}
		}, func() {
			for k := range total {
				g.store(total[k], lane(pointer("sums").Offset(64*k), g))
			}
		})
	}
}

// swapped exchanges elements that are so far apart.
func (g group) swapped(v vectors, apart int) vectors {
	if apart == 4 && g.count == 2 {
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
