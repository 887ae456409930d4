package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
	simple(v, func(t turn) {
		d := t.sub(t.load(t.at(x)), t.at(y))
		t.anyOf(bad, t.infinite(d))
		t.store(d, t.at(dst))
	}, func() { Store(bad, ReturnIndex(1)) })
}

func affine(v isa) {
	TEXT("affine"+v.Name(), NOSPLIT, "func(dst, x *float64, n int, a, b float64) int")
	Pragma("noescape")
	Doc("affine" + v.Name() + " is Affine for whole turns of eight elements.")
	dst, x := pointer("dst"), pointer("x")
	a, b := spread(v, "a"), spread(v, "b")
	simple(v, func(t turn) {
		t.store(t.sub(t.mul(t.same(a), t.at(x)), t.same(b)), t.at(dst))
	}, nothing)
}

func scaledProducts(v isa) {
	TEXT("scaledProducts"+v.Name(), NOSPLIT, "func(dst, x, d *float64, n int, a float64) (done, unordered int)")
	Pragma("noescape")
	Doc("scaledProducts" + v.Name() + " is Products for whole turns of eight elements.")
	dst, x, d := pointer("dst"), pointer("x"), pointer("d")
	a, bad := spread(v, "a"), flag()
	simple(v, func(t turn) {
		p := t.mul(t.mul(t.same(a), t.at(d)), t.at(x))
		t.anyOf(bad, t.compare(p, unordered, p))
		t.store(p, t.at(dst))
	}, func() { Store(bad, ReturnIndex(1)) })
}

func weigh(v isa) {
	TEXT("weigh"+v.Name(), NOSPLIT, "func(x, w *float64, n int) int")
	Pragma("noescape")
	Doc("weigh" + v.Name() + " is Weigh for whole turns of eight elements.")
	x, w := pointer("x"), pointer("w")
	zero := v.reg()
	VMOVUPD(constant("zero"), zero)
	simple(v, func(t turn) {
		a := t.load(t.at(w))
		p := t.mul(a, t.at(x))
		t.store(t.choose(t.compare(a, equal, t.same(zero)), t.same(zero), p), t.at(x))
	}, nothing)
}

func tally(v isa) {
	TEXT("tally"+v.Name(), NOSPLIT, "func(d, x, y *float64, n int) (done, positive, zero, flat int)")
	Pragma("noescape")
	Doc("tally" + v.Name() + " is Tally for whole turns of eight elements.")
	d, x, y := pointer("d"), pointer("x"), pointer("y")
	positive, null, level := flag(), flag(), flag()
	zero := v.reg()
	VMOVUPD(constant("zero"), zero)
	simple(v, func(t turn) {
		zeros := t.same(zero)
		diff := t.load(t.at(d))
		t.addUp(positive, t.compare(diff, greater, zeros))
		t.addUp(null, t.compare(diff, equal, zeros))
		// Both slopes are ±0 if all bits but the sign are 0 in both.
		flat := t.xor(t.or(t.or(t.load(t.at(x)), t.at(y)), constant("sign")), constant("sign"))
		t.addUp(level, t.compare(flat, equal, zeros))
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
