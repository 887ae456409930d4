package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the two sets of instructions.
type isa interface {
	Name() string
	size() int // bytes of a vector
	reg() reg.VecVirtual

	or(b, a, dst Op)
	xor(b, a, dst Op)
	compare(predicate, b, a Op) reg.Register // the mask of: a predicate b
	choose(mask reg.Register, yes, no Op) reg.VecVirtual
	bits(mask reg.Register) reg.GPVirtual // one bit per element
	lookup(table string, index vectors) vectors
}

// Predicates of VCMPPD, none of which signals.
const (
	equal             = U8(0x00)
	unordered         = U8(0x03)
	notGreaterOrEqual = U8(0x19)
	greaterOrEqual    = U8(0x1d)
	greater           = U8(0x1e)
)

type avx2 struct{}

func (avx2) Name() string        { return "AVX2" }
func (avx2) size() int           { return 32 }
func (avx2) reg() reg.VecVirtual { return YMM() }
func (avx2) or(b, a, dst Op)     { VORPD(b, a, dst) }
func (avx2) xor(b, a, dst Op)    { VXORPD(b, a, dst) }

func (avx2) compare(predicate, b, a Op) reg.Register {
	m := YMM()
	VCMPPD(predicate, b, a, m)
	return m
}

func (avx2) choose(mask reg.Register, yes, no Op) reg.VecVirtual {
	dst := YMM()
	VBLENDVPD(mask, yes, no, dst)
	return dst
}

func (avx2) bits(mask reg.Register) reg.GPVirtual {
	n := GP32()
	VMOVMSKPD(mask, n)
	return n
}

type avx512 struct{}

func (avx512) Name() string        { return "AVX512" }
func (avx512) size() int           { return 64 }
func (avx512) reg() reg.VecVirtual { return ZMM() }
func (avx512) or(b, a, dst Op)     { VPORQ(b, a, dst) }
func (avx512) xor(b, a, dst Op)    { VPXORQ(b, a, dst) }

func (avx512) compare(predicate, b, a Op) reg.Register {
	m := K()
	VCMPPD(predicate, b, a, m)
	return m
}

func (avx512) choose(mask reg.Register, yes, no Op) reg.VecVirtual {
	dst := ZMM()
	VBLENDMPD(yes, no, mask, dst)
	return dst
}

func (avx512) bits(mask reg.Register) reg.GPVirtual {
	n := GP32()
	KMOVW(mask, n)
	return n
}
