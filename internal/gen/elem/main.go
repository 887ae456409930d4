// Program elem writes the assembly of package elem: its exp.go and logistic.go, operation by
// operation.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	constants()
	for _, v := range []isa{avx2{}, avx512{}} {
		products(v)
		tile(v, 4)
		tile(v, 1)
		exp(v)
		sum(v)
		largest(v)
		smoothed(v)
		logRatios(v)
		passes(v)
	}
	Generate()
}

// exp writes Exp.
func exp(v isa) {
	TEXT("exp"+v.Name(), NOSPLIT, "func(dst, x *float64, n int, a, b float64) int")
	Pragma("noescape")
	Doc("exp" + v.Name() + " is Exp for whole turns of eight elements.")
	dst, arg := pointer("dst"), pointer("x")
	turns(v, func(t turn) {
		for _, g := range t.groups {
			x := g.mul(g.scalar(argument("a")), t.at(arg, g))
			x = g.sub(x, g.scalar(argument("b")))
			e := expOf(g, g.max(x, constant("minusFar")))
			e = g.choose(g.compare(x, greaterOrEqual, constant("minusFar")), e, g.whole("zero"))
			g.store(e, t.at(dst, g))
		}
	})
}

// sum writes Sum.
func sum(v isa) {
	TEXT("sum"+v.Name(), NOSPLIT, "func(x *float64, n int, sums *[8]float64) int")
	Pragma("noescape")
	Doc("sum" + v.Name() + " is Sum for whole turns of eight elements.")
	x, sums := pointer("x"), pointer("sums")
	lanes := group{v, 0, 64 / v.size()}
	total := lanes.load(lane(sums, lanes))
	n, i := Load(Param("n"), GP64()), GP64()
	XORQ(i, i)
	Label("turn")
	last := GP64()
	LEAQ(Mem{Base: i, Disp: 8}, last)
	CMPQ(last, n)
	JGT(LabelRef("done"))
	for k, r := range total {
		VADDPD(x.Idx(i, 8).Offset(k*v.size()), r, r)
	}
	MOVQ(last, i)
	JMP(LabelRef("turn"))
	Label("done")
	lanes.store(total, lane(sums, lanes))
	VZEROUPPER()
	Store(i, ReturnIndex(0))
	RET()
}

// largest writes the largest element.
func largest(v isa) {
	TEXT("largest"+v.Name(), NOSPLIT, "func(x *float64, n int) (m float64, unordered int)")
	Pragma("noescape")
	Doc("largest"+v.Name()+" returns the largest of n elements, a positive multiple of 8;",
		"unordered is not 0 if one of them is NaN, and m is then unspecified.")
	x := pointer("x")
	lanes := group{v, 0, 64 / v.size()}
	at := func(k int) Mem { return x.Offset(k * v.size()) }
	m := lanes.load(at)
	bad := GP64()
	XORQ(bad, bad)
	columns(func(i reg.GPVirtual) {
		next := lanes.load(turn{index: i}.at(x, lanes))
		for _, mask := range lanes.compare(next, unordered, next) {
			ORQ(v.bits(mask).As64(), bad)
		}
		for k := range m {
			VMAXPD(next[k], m[k], m[k])
		}
	})
	Store(lanes.fold(m, op(VMAXPD)), ReturnIndex(0))
	VZEROUPPER()
	Store(bad, ReturnIndex(1))
	RET()
}

// smoothed writes regular: turns until one has an element that is not regular.
func smoothed(v isa) {
	TEXT("regular"+v.Name(), NOSPLIT, "func(value, slope, z *float64, n int, epsilon float64) int")
	Pragma("noescape")
	Doc("regular" + v.Name() + " is regular for whole turns of eight elements.")
	value, slope, arg := pointer("value"), pointer("slope"), pointer("z")
	turns(v, func(t turn) {
		z := make([]vectors, len(t.groups))
		for n, g := range t.groups {
			z[n] = g.load(t.at(arg, g))
		}
		y := t.far(z)
		for n, g := range t.groups {
			val, slp := link(g, z[n], y[n])
			g.store(val, t.at(value, g))
			g.store(slp, t.at(slope, g))
		}
	})
}

// logRatios writes the whole objective, from log-probabilities to derivatives and sums.
func logRatios(v isa) {
	TEXT("logRatios"+v.Name(), NOSPLIT, "func(value, dChosen, dRejected, chosen, rejected, refChosen, refRejected *float64, "+
		"n int, beta, epsilon float64, sums *[8]float64, counts *[3]int) int")
	Pragma("noescape")
	Doc("logRatios" + v.Name() + " is logRatios for whole turns of eight elements.")
	value, dChosen, dRejected := pointer("value"), pointer("dChosen"), pointer("dRejected")
	chosen, rejected := pointer("chosen"), pointer("rejected")
	refChosen, refRejected := pointer("refChosen"), pointer("refRejected")
	turns(v, func(t turn) {
		d, z := make([]vectors, len(t.groups)), make([]vectors, len(t.groups))
		for n, g := range t.groups {
			c := g.sub(g.load(t.at(chosen, g)), t.at(refChosen, g))
			r := g.sub(g.load(t.at(rejected, g)), t.at(refRejected, g))
			d[n] = g.sub(c, r)
			z[n] = g.mul(g.scalar(argument("beta")), d[n])
		}
		y := t.far(z)
		counts, sums := pointer("counts"), pointer("sums")
		for n, g := range t.groups {
			g.tally(counts.Offset(0), g.compare(d[n], greater, constant("zero")))
			g.tally(counts.Offset(8), g.compare(d[n], equal, constant("zero")))
			val, slope := link(g, z[n], y[n])
			g.store(val, t.at(value, g))
			g.accumulate(sums, val)
			g.tally(counts.Offset(16), g.compare(slope, equal, constant("zero")))
			slope = g.mul(g.scalar(argument("beta")), slope)
			g.store(slope, t.at(dChosen, g))
			g.store(g.xor(slope, constant("sign")), t.at(dRejected, g))
		}
	})
}

func pointer(name string) Mem { return Mem{Base: Load(Param(name), GP64())} }

// argument is the memory in which an argument came.
func argument(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// link is blend: value and slope at z, given y = −|z|.
func link(g group, z, y vectors) (value, slope vectors) {
	e := expOf(g, y)
	l := log1p(g, e)
	q := g.div(g.whole("one"), g.add(e, constant("one")))
	right := g.compare(z, greaterOrEqual, constant("zero"))
	miss := g.choose(right, g.mul(e, q), q)

	epsilon := g.scalar(argument("epsilon"))
	share := g.choose(g.compare(z, greaterOrEqual, constant("zero")), epsilon, g.sub(g.whole("one"), epsilon))
	value = g.add(g.mul(g.xor(y, constant("sign")), share), l)
	return value, g.sub(epsilon, miss)
}

// expOf is expOf of y.
func expOf(g group, y vectors) vectors {
	t := g.add(g.mul(y, constant("log2E")), constant("round"))
	n := g.sub(t, constant("round"))
	r := g.sub(y, g.mul(n, constant("ln2Hi")))
	r = g.sub(r, g.mul(n, constant("ln2Lo")))
	r2 := g.mul(r, r)
	r4 := g.mul(r2, r2)
	p := g.add(g.mul(r, constant("exp9")), constant("exp8"))
	p = g.add(g.mul(p, r4), cubic(g, "exp4", r, r2))
	p = g.add(g.mul(p, r4), cubic(g, "exp0", r, r2))
	p = g.add(g.add(g.mul(p, r2), r), constant("one"))
	return g.binary(op(VPADDQ), p, g.shift(t, 52))
}

// log1p is log1p of e.
func log1p(g group, e vectors) vectors {
	large := g.compare(e, greater, constant("sqrt2Less1"))
	u := g.mul(g.sub(e, constant("one")), constant("half"))
	u = g.choose(large, u, e)
	s := g.div(u, g.add(u, constant("two")))
	s2 := g.mul(s, s)
	s4 := g.mul(s2, s2)
	high := g.add(g.mul(s2, constant("log5")), constant("log4"))
	high = g.add(g.mul(s4, constant("log6")), high)
	q := g.add(g.mul(high, g.mul(s4, s4)), cubic(g, "log0", s2, s4))
	half := g.mul(g.mul(u, u), constant("half"))
	v := g.mul(g.add(g.mul(q, s2), half), s)
	v = g.sub(u, g.sub(half, v))
	large = g.compare(e, greater, constant("sqrt2Less1")) // again: a mask is worth a register
	return g.add(v, g.choose(large, g.whole("ln2"), g.whole("zero")))
}

// cubic is cubic with the constant of the given name and the three after it.
func cubic(g group, name string, x, x2 vectors) vectors {
	c := names(name)
	low := g.add(g.mul(x, constant(c[1])), constant(c[0]))
	high := g.add(g.mul(x, constant(c[3])), constant(c[2]))
	return g.add(g.mul(high, x2), low)
}
