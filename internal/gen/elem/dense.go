package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows go through a product together: their sums are independent of each other, and share the loads
// of the vector that they are multiplied with.
const rows = 4

// float is the type of the elements of a matrix.
type float struct {
	name string
	size int
}

// products writes dots and addRows for matrices of float64 and of float32.
func products(v isa) {
	for _, f := range []float{{"64", 8}, {"32", 4}} {
		dots(v, f)
		addRows(v, f)
	}
}

// dots adds the products of four rows with theta to sums, eight lanes for each.
func dots(v isa, f float) {
	TEXT(fmt.Sprintf("dots%s%s", f.name, v.Name()), NOSPLIT,
		fmt.Sprintf("func(sums *[4][8]float64, x *float%s, stride int, theta *float64, n int)", f.name))
	Pragma("noescape")
	Doc("dots stores the sums of products of four rows, stride elements apart, with theta, in eight lanes; n is a multiple of 8.")
	sums, theta := pointer("sums"), pointer("theta")
	x := rowPointers(f)
	g := group{v, 0, 64 / v.size()}
	var total [rows]vectors
	for r := range total {
		total[r] = g.each(func(int) reg.VecVirtual {
			s := g.reg()
			VXORPD(s.AsX(), s.AsX(), s.AsX())
			return s
		})
	}
	columns(func(i reg.GPVirtual) {
		for k := range g.count {
			t := g.reg()
			VMOVUPD(theta.Idx(i, 8).Offset(k*v.size()), t)
			for r := range rows {
				p := f.load(v, x[r], i, k)
				VMULPD(t, p, p)
				VADDPD(p, total[r][k], total[r][k])
			}
		}
	})
	for r := range rows {
		g.store(total[r], lane(sums.Offset(64*r), g))
	}
	VZEROUPPER()
	RET()
}

// addRows adds four rows, each times its weight, to grad, one after the other.
func addRows(v isa, f float) {
	TEXT(fmt.Sprintf("addRows%s%s", f.name, v.Name()), NOSPLIT,
		fmt.Sprintf("func(grad *float64, x *float%s, stride int, w *[4]float64, n int)", f.name))
	Pragma("noescape")
	Doc("addRows adds w[0]·x[0] + … + w[3]·x[3] to grad, in this order; n is a multiple of 8.")
	grad, weights := pointer("grad"), pointer("w")
	x := rowPointers(f)
	var w [rows]reg.VecVirtual
	for r := range w {
		w[r] = v.reg()
		VBROADCASTSD(weights.Offset(8*r), w[r])
	}
	columns(func(i reg.GPVirtual) {
		for k := range 64 / v.size() {
			at := grad.Idx(i, 8).Offset(k * v.size())
			s := v.reg()
			VMOVUPD(at, s)
			for r := range rows {
				p := f.load(v, x[r], i, k)
				VMULPD(w[r], p, p)
				VADDPD(p, s, s)
			}
			VMOVUPD(s, at)
		}
	})
	VZEROUPPER()
	RET()
}

// rowPointers are the beginnings of the rows from x on, stride elements apart.
func rowPointers(f float) [rows]Mem {
	stride := Load(Param("stride"), GP64())
	x := [rows]Mem{pointer("x")}
	for r := 1; r < rows; r++ {
		next := GP64()
		LEAQ(Mem{Base: x[r-1].Base, Index: stride, Scale: uint8(f.size)}, next)
		x[r] = Mem{Base: next}
	}
	return x
}

// load reads vector k of the turn at column i, as float64.
func (f float) load(v isa, row Mem, i reg.GPVirtual, k int) reg.VecVirtual {
	r, at := v.reg(), row.Idx(i, uint8(f.size)).Offset(k*v.size()*f.size/8)
	if f.size == 4 {
		VCVTPS2PD(at, r)
	} else {
		VMOVUPD(at, r)
	}
	return r
}

// columns runs body for i = 0, 8, … < n.
func columns(body func(i reg.GPVirtual)) {
	n, i := Load(Param("n"), GP64()), GP64().(reg.GPVirtual)
	XORQ(i, i)
	Label("columns")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	body(i)
	ADDQ(Imm(8), i)
	JMP(LabelRef("columns"))
	Label("done")
}
