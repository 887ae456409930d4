package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the number of partial sums: element i goes to sum i mod 8.
const lanes = 8

// turn is one turn of a loop, which works on the vectors of a group.
type turn struct {
	index reg.GPVirtual // of its first element
	group
}

// at is where the vectors of the turn lie in a slice.
func (t turn) at(slice Mem) func(k int) Mem {
	return func(k int) Mem { return slice.Idx(t.index, 8).Offset(k * t.size()) }
}

// prefetch asks for what the turns after the next will need: with so many slices the processor does not always guess it.
func (t turn) prefetch(slices ...Mem) {
	const ahead = 256 // bytes, measured
	for _, s := range slices {
		for k := 0; k < t.count; k += 64 / t.size() { // a line of the cache at a time
			PREFETCHT0(t.at(s)(k).Offset(ahead))
		}
	}
}

// turns writes loops over whole turns of eight elements; where a vector has that many, two go together while there are
// so many, since the operations of one must wait for each other. end writes what is done after them.
func turns(v isa, body func(t turn), end func()) {
	if v.size() == 64 {
		loops(v, body, end, 2, 1)
	} else {
		loops(v, body, end, 2)
	}
}

// simple writes loops whose operations do not wait for each other: over four vectors at a time, and turns of eight elements.
func simple(v isa, body func(t turn), end func()) { loops(v, body, end, 4, 64/v.size()) }

// loops writes a loop for each number of vectors, after which fewer elements are left; the function returns the number of
// elements that are done.
func loops(v isa, body func(t turn), end func(), counts ...int) {
	n, i := Load(Param("n"), GP64()), GP64()
	XORQ(i, i)
	for _, count := range counts {
		elements := count * v.size() / 8
		start, after := fmt.Sprint("turn", elements), fmt.Sprint("after", elements)
		SUBQ(Imm(uint64(elements)), n)
		CMPQ(i, n)
		JGT(LabelRef(after))
		Label(start)
		body(turn{i, group{v, count}})
		ADDQ(Imm(uint64(elements)), i)
		CMPQ(i, n)
		JLE(LabelRef(start))
		Label(after)
		ADDQ(Imm(uint64(elements)), n)
	}
	Label("done")
	end()
	VZEROUPPER()
	Store(i, ReturnIndex(0))
	RET()
}

// nothing is to be done after a loop.
func nothing() {}

// unless leaves the loops if one of bits is set.
func unless(bits reg.GPVirtual) {
	TESTL(bits, bits)
	JNE(LabelRef("done"))
}

// far returns −|z|, and leaves the loops if one is less than −Far or not a number.
func (t turn) far(z vectors) vectors {
	y := t.or(z, constant("sign"))
	bad := GP32()
	XORL(bad, bad)
	for _, m := range t.compare(y, notGreaterOrEqual, constant("minusFar")) {
		ORL(t.bits(m), bad)
	}
	unless(bad)
	return y
}

// tally adds the number of true elements to a counter.
func (g group) tally(counter Mem, masks []reg.Register) {
	for _, m := range masks {
		n := g.bits(m).As64()
		POPCNTQ(n, n)
		ADDQ(n, counter)
	}
}

// accumulate adds vectors to the partial sums, in the order of their elements.
func (g group) accumulate(sums Mem, v vectors) {
	at := lane(sums, g)
	for k, r := range v {
		sum := g.reg()
		VADDPD(at(k), r, sum)
		VMOVUPD(sum, at(k))
	}
}

// lane is where the partial sums of the vectors of a group are.
func lane(sums Mem, g group) func(k int) Mem {
	return func(k int) Mem { return sums.Offset(k * g.size() % (8 * lanes)) }
}
