package main

import (
	"fmt"
	"strings"

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

// products writes dots, addRows and addRow for matrices of float64 and of float32.
func products(v isa) {
	for _, f := range []float{{"64", 8}, {"32", 4}} {
		dots(v, f)
		addRows(v, f, "addRows", "x0, x1, x2, x3", "*[4]float64", "adds w[0]·x0 + … + w[3]·x3 to grad, in this order")
		addRows(v, f, "addRow", "x0", "*float64", "adds *w·x0 to grad")
	}
}

// dots stores the products of four rows with theta, each added up in eight lanes and folded.
func dots(v isa, f float) {
	TEXT(fmt.Sprintf("dots%s%s", f.name, v.Name()), NOSPLIT,
		fmt.Sprintf("func(dst *[4]float64, x *float%s, stride int, theta *float64, n int)", f.name))
	Pragma("noescape")
	Doc("dots stores the products of four rows, stride elements apart, with theta; n is a multiple of 8.")
	dst, theta := pointer("dst"), pointer("theta")
	x := rowPointers(f)
	g := group{v, 64 / v.size()}
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
				VFMADD231PD(t, p, total[r][k])
			}
		}
	})
	for r := range rows {
		VMOVSD(g.fold(total[r], op(VADDPD)), dst.Offset(8*r))
	}
	VZEROUPPER()
	RET()
}

// addRows adds rows, each times its weight, to grad, one after the other.
func addRows(v isa, f float, name, names, weight, doc string) {
	TEXT(name+f.name+v.Name(), NOSPLIT, fmt.Sprintf("func(grad *float64, %s *float%s, w %s, n int)", names, f.name, weight))
	Pragma("noescape")
	Doc(name + " " + doc + "; n is a multiple of 8.")
	grad, weights := pointer("grad"), pointer("w")
	var x []Mem
	var w []reg.VecVirtual
	for r, name := range strings.Split(names, ", ") {
		x = append(x, pointer(name))
		w = append(w, v.reg())
		VBROADCASTSD(weights.Offset(8*r), w[r])
	}
	columns(func(i reg.GPVirtual) {
		for k := range 64 / v.size() {
			at := grad.Idx(i, 8).Offset(k * v.size())
			s := v.reg()
			VMOVUPD(at, s)
			for r := range x {
				p := f.load(v, x[r], i, k)
				VFMADD231PD(w[r], p, s)
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
	n, i := Load(Param("n"), GP64()), GP64()
	XORQ(i, i)
	Label("columns")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	body(i)
	ADDQ(Imm(8), i)
	JMP(LabelRef("columns"))
	Label("done")
}
