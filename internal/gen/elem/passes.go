package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() {
	values = append(values, struct {
		name  string
		value float64
	}{"maxFloat", math.MaxFloat64})
}

// passes writes the short loops over blocks, which take as long as memory does.
func passes(v isa) {
	differences(v)
	affine(v)
	scaledProducts(v)
	weigh(v)
	tally(v)
	extent(v)
	excess(v)
}

// step is where a loop is: slices lie at it.
type step func(slice Mem) func(k int) Mem

// steps writes loops over whole turns of eight elements, most vectors at a time while there are so many, and what
// they are to do at the end, before the number of elements is returned.
func steps(v isa, most int, body func(g group, at step), end func()) {
	n, i := Load(Param("n"), GP64()), GP64()
	XORQ(i, i)
	for _, count := range slices.Compact([]int{most, 64 / v.size()}) {
		g := group{isa: v, count: count}
		start, done := fmt.Sprint("by", count), fmt.Sprint("after", count)
		Label(start)
		last := GP64()
		LEAQ(Mem{Base: i, Disp: count * v.size() / 8}, last)
		CMPQ(last, n)
		JGT(LabelRef(done))
		body(g, func(slice Mem) func(int) Mem {
			return func(k int) Mem { return slice.Idx(i, 8).Offset(k * v.size()) }
		})
		MOVQ(last, i)
		JMP(LabelRef(start))
		Label(done)
	}
	end()
	VZEROUPPER()
	Store(i, ReturnIndex(0))
	RET()
}

// flag is a register that collects or counts masks, of which none is set yet.
func flag() reg.GPVirtual {
	bad := GP64()
	XORQ(bad, bad)
	return bad
}

// anyOf sets flag if a mask has an element.
func (g group) anyOf(bad reg.GPVirtual, masks []reg.Register) {
	for _, m := range masks {
		ORQ(g.bits(m).As64(), bad)
	}
}

// notAtMost is the predicate of VCMPPD for what exceeds a number or is none.
const notAtMost = U8(0x16)

// infinite is the masks of what is not finite.
func (g group) infinite(x vectors) []reg.Register {
	minus := g.or(x, constant("sign"))
	return g.compare(g.xor(minus, constant("sign")), notAtMost, constant("maxFloat"))
}

func differences(v isa) {
	TEXT("differences"+v.Name(), NOSPLIT, "func(dst, x, y *float64, n int) (done, infinite int)")
	Pragma("noescape")
	Doc("differences" + v.Name() + " is Differences for whole turns of eight elements.")
	dst, x, y := pointer("dst"), pointer("x"), pointer("y")
	bad := flag()
	steps(v, 4, func(g group, at step) {
		d := g.sub(g.load(at(x)), at(y))
		g.anyOf(bad, g.infinite(d))
		g.store(d, at(dst))
	}, func() { Store(bad, ReturnIndex(1)) })
}

func affine(v isa) {
	TEXT("affine"+v.Name(), NOSPLIT, "func(dst, x *float64, n int, a, b float64) int")
	Pragma("noescape")
	Doc("affine" + v.Name() + " is Affine for whole turns of eight elements.")
	dst, x := pointer("dst"), pointer("x")
	a, b := broadcast(v, "a"), broadcast(v, "b")
	steps(v, 4, func(g group, at step) {
		g.store(g.sub(g.mul(g.same(a), at(x)), g.same(b)), at(dst))
	}, func() {})
}

// broadcast fills a vector with an argument.
func broadcast(v isa, name string) reg.VecVirtual {
	r := v.reg()
	VBROADCASTSD(argument(name), r)
	return r
}

// same is vectors that are all r.
func (g group) same(r reg.VecVirtual) vectors {
	return g.each(func(int) reg.VecVirtual { return r })
}

func scaledProducts(v isa) {
	TEXT("scaledProducts"+v.Name(), NOSPLIT, "func(dst, x, d *float64, n int, a float64) (done, unordered int)")
	Pragma("noescape")
	Doc("scaledProducts" + v.Name() + " is Products for whole turns of eight elements.")
	dst, x, d := pointer("dst"), pointer("x"), pointer("d")
	a, bad := broadcast(v, "a"), flag()
	steps(v, 4, func(g group, at step) {
		p := g.mul(g.mul(g.same(a), at(d)), at(x))
		g.anyOf(bad, g.compare(p, unordered, p))
		g.store(p, at(dst))
	}, func() { Store(bad, ReturnIndex(1)) })
}

func weigh(v isa) {
	TEXT("weigh"+v.Name(), NOSPLIT, "func(x, w *float64, n int) int")
	Pragma("noescape")
	Doc("weigh" + v.Name() + " is Weigh for whole turns of eight elements.")
	x, w := pointer("x"), pointer("w")
	zero := v.reg()
	VMOVUPD(constant("zero"), zero)
	steps(v, 4, func(g group, at step) {
		a := g.load(at(w))
		p := g.mul(a, at(x))
		g.store(g.choose(g.compare(a, equal, g.same(zero)), g.same(zero), p), at(x))
	}, func() {})
}

func tally(v isa) {
	TEXT("tally"+v.Name(), NOSPLIT, "func(d, x, y *float64, n int) (done, positive, zero, flat int)")
	Pragma("noescape")
	Doc("tally" + v.Name() + " is Tally for whole turns of eight elements.")
	d, x, y := pointer("d"), pointer("x"), pointer("y")
	positive, null, level := flag(), flag(), flag()
	zero := v.reg()
	VMOVUPD(constant("zero"), zero)
	steps(v, 4, func(g group, at step) {
		zeros := g.same(zero)
		diff := g.load(at(d))
		g.addUp(positive, g.compare(diff, greater, zeros))
		g.addUp(null, g.compare(diff, equal, zeros))
		// Both slopes are ±0 if all bits but the sign are 0 in both.
		flat := g.xor(g.or(g.or(g.load(at(x)), at(y)), constant("sign")), constant("sign"))
		g.addUp(level, g.compare(flat, equal, zeros))
	}, func() {
		Store(positive, ReturnIndex(1))
		Store(null, ReturnIndex(2))
		Store(level, ReturnIndex(3))
	})
}

// addUp adds the number of true elements to a counter.
func (g group) addUp(counter reg.GPVirtual, masks []reg.Register) {
	for _, m := range masks {
		n := g.bits(m).As64()
		POPCNTQ(n, n)
		ADDQ(n, counter)
	}
}

func extent(v isa) {
	TEXT("extent"+v.Name(), NOSPLIT, "func(x *float64, n int) (least, most float64, infinite int)")
	Pragma("noescape")
	Doc("extent"+v.Name()+" returns the least and the largest of n elements, a positive multiple of 8;",
		"infinite is not 0 if one of them is not finite, and the others are then unspecified.")
	x := pointer("x")
	lanes := group{isa: v, count: 64 / v.size()}
	first := func(k int) Mem { return x.Offset(k * v.size()) }
	least, most, bad := lanes.load(first), lanes.load(first), flag()
	columns(func(i reg.GPVirtual) {
		next := lanes.load(func(k int) Mem { return x.Idx(i, 8).Offset(k * v.size()) })
		lanes.anyOf(bad, lanes.infinite(next))
		for k := range next {
			VMINPD(next[k], least[k], least[k])
			VMAXPD(next[k], most[k], most[k])
		}
	})
	Store(lanes.fold(least, op(VMINPD)), ReturnIndex(0))
	Store(lanes.fold(most, op(VMAXPD)), ReturnIndex(1))
	VZEROUPPER()
	Store(bad, ReturnIndex(2))
	RET()
}
