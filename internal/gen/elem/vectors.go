package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vectors go through each operation together: the chains of their operations are independent, so that
// one computes while another waits.
type vectors []reg.VecVirtual

// group is count vectors.
type group struct {
	isa
	count int
}

func (g group) each(f func(k int) reg.VecVirtual) vectors {
	all := make(vectors, g.count)
	for k := range all {
		all[k] = f(k)
	}
	return all
}

// binary applies an instruction with operands b, a, destination. b is vectors, memory that
// is the same for all, or a function that gives the memory for each.
func (g group) binary(instruction func(b, a, dst Op), a vectors, b any) vectors {
	b = g.shared(b)
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		instruction(operand(b, k), a[k], dst)
		return dst
	})
}

// shared loads memory that is the same for all, where there are enough registers.
func (g group) shared(b any) any {
	if m, ok := b.(Mem); ok && g.count > 1 && g.size() == 64 {
		r := g.reg()
		VMOVUPD(m, r)
		return g.each(func(int) reg.VecVirtual { return r })
	}
	return b
}

func operand(b any, k int) Op {
	switch b := b.(type) {
	case vectors:
		return b[k]
	case func(int) Mem:
		return b(k)
	}
	return b.(Mem)
}

// op fits an instruction of avo to binary.
func op(instruction func(...Op)) func(b, a, dst Op) {
	return func(b, a, dst Op) { instruction(b, a, dst) }
}

func (g group) add(a vectors, b any) vectors { return g.binary(op(VADDPD), a, b) }
func (g group) sub(a vectors, b any) vectors { return g.binary(op(VSUBPD), a, b) }
func (g group) mul(a vectors, b any) vectors { return g.binary(op(VMULPD), a, b) }
func (g group) div(a vectors, b any) vectors { return g.binary(op(VDIVPD), a, b) }
func (g group) max(a vectors, b any) vectors { return g.binary(op(VMAXPD), a, b) }
func (g group) or(a vectors, b any) vectors  { return g.binary(g.isa.or, a, b) }
func (g group) xor(a vectors, b any) vectors { return g.binary(g.isa.xor, a, b) }

// fma returns a·b + c, rounded once.
func (g group) fma(a, b vectors, c any) vectors { return g.fused(VFMADD213PD, a, b, c) }

// fused applies an instruction that rounds once: VFMADD213PD for a·b + c, VFMSUB213PD for a·b − c, VFNMADD213PD for c − a·b.
func (g group) fused(instruction func(...Op), a, b vectors, c any) vectors {
	c = g.shared(c)
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		VMOVAPD(a[k], dst)
		instruction(operand(c, k), b[k], dst)
		return dst
	})
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, by Horner's rule, for the constants c of these names.
func (g group) polynomial(x vectors, names ...string) vectors {
	last := len(names) - 1
	p := g.fma(g.whole(names[last]), x, constant(names[last-1]))
	for i := last - 2; i >= 0; i-- {
		c := g.shared(constant(names[i]))
		for k := range p {
			VFMADD213PD(operand(c, k), x[k], p[k])
		}
	}
	return p
}

// shift moves the bits of v to the left.
func (g group) shift(v vectors, bits uint64) vectors {
	return g.each(func(k int) reg.VecVirtual {
		dst := g.reg()
		VPSLLQ(Imm(bits), v[k], dst)
		return dst
	})
}

func (g group) load(at func(k int) Mem) vectors {
	return g.each(func(k int) reg.VecVirtual {
		r := g.reg()
		VMOVUPD(at(k), r)
		return r
	})
}

func (g group) store(v vectors, at func(k int) Mem) {
	for k, r := range v {
		VMOVUPD(r, at(k))
	}
}

// spread fills a vector with an argument.
func spread(v isa, name string) reg.VecVirtual {
	r := v.reg()
	VBROADCASTSD(argument(name), r)
	return r
}

// same is vectors that are all r.
func (g group) same(r reg.VecVirtual) vectors {
	return g.each(func(int) reg.VecVirtual { return r })
}

// scalar fills vectors with a number from memory, whole with a constant.
func (g group) scalar(m Mem) vectors {
	r := g.reg()
	VBROADCASTSD(m, r)
	return g.each(func(int) reg.VecVirtual { return r })
}

func (g group) whole(name string) vectors {
	r := g.reg()
	VMOVUPD(constant(name), r)
	return g.each(func(int) reg.VecVirtual { return r })
}

func (g group) compare(a vectors, predicate Op, b any) []reg.Register {
	masks := make([]reg.Register, g.count)
	for k := range a {
		masks[k] = g.isa.compare(predicate, operand(b, k), a[k])
	}
	return masks
}

func (g group) choose(masks []reg.Register, yes, no vectors) vectors {
	return g.each(func(k int) reg.VecVirtual { return g.isa.choose(masks[k], yes[k], no[k]) })
}

// fold combines the eight lanes of v: ((0∘4)∘(2∘6))∘((1∘5)∘(3∘7)).
func (g group) fold(v vectors, combine func(b, a, dst Op)) reg.Register {
	y, high := v[0].AsY(), YMM()
	if g.count == 1 {
		VEXTRACTF64X4(Imm(1), v[0], high)
	} else {
		high = v[1]
	}
	sum := YMM()
	combine(high, y, sum)
	x := XMM()
	VEXTRACTF128(Imm(1), sum, x)
	combine(x, sum.AsX(), x)
	odd := XMM()
	VUNPCKHPD(x, x, odd)
	combine(odd, x, x)
	return x
}
