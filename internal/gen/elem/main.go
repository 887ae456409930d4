// Program elem writes the assembly of package elem: its functions, operation by operation.
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
		tail(v)
		sub(v)
		powers(v)
		subPowers(v)
		place(v)
		weighBins(v)
		groups(v)
		deviations(v)
		fourDeviations(v)
		passes(v)
	}
	scatter()
	Generate()
}

// exp writes Exp.
func exp(v isa) {
	TEXT("exp"+v.Name(), NOSPLIT, "func(dst, x *float64, n int, a, b float64) int")
	Pragma("noescape")
	Doc("exp" + v.Name() + " is Exp for whole turns of eight elements.")
	dst, arg := pointer("dst"), pointer("x")
	turns(v, func(t turn) {
		y := t.fused(VFMSUB213PD, t.load(t.at(arg)), t.scalar(argument("a")), t.scalar(argument("b")))
		e := expOf(t.group, t.max(y, constant("minusFar")))
		e = t.choose(t.compare(y, greaterOrEqual, constant("minusFar")), e, t.whole("zero"))
		t.store(e, t.at(dst))
	}, nothing)
}

// sum writes Sum.
func sum(v isa) {
	TEXT("sum"+v.Name(), NOSPLIT, "func(x *float64, n int, sums *[8]float64) int")
	Pragma("noescape")
	Doc("sum" + v.Name() + " is Sum for whole turns of eight elements.")
	x, sums := pointer("x"), pointer("sums")
	lanes := group{v, 64 / v.size()}
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
	lanes := group{v, 64 / v.size()}
	at := func(k int) Mem { return x.Offset(k * v.size()) }
	m := lanes.load(at)
	bad := GP64()
	XORQ(bad, bad)
	columns(func(i reg.GPVirtual) {
		next := lanes.load(turn{index: i, group: lanes}.at(x))
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
		z := t.load(t.at(arg))
		val, slp := link(t.group, z, t.far(z))
		t.store(val, t.at(value))
		t.store(slp, t.at(slope))
	}, nothing)
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
		t.prefetch(chosen, rejected, refChosen, refRejected, dChosen, dRejected)
		c := t.sub(t.load(t.at(chosen)), t.at(refChosen))
		d := t.sub(c, t.sub(t.load(t.at(rejected)), t.at(refRejected)))
		z := t.mul(d, t.scalar(argument("beta")))
		y := t.far(z)
		counts, sums := pointer("counts"), pointer("sums")
		t.tally(counts.Offset(0), t.compare(d, greater, constant("zero")))
		t.tally(counts.Offset(8), t.compare(d, equal, constant("zero")))
		val, slope := link(t.group, z, y)
		t.store(val, t.at(value))
		t.accumulate(sums, val)
		t.tally(counts.Offset(16), t.compare(slope, equal, constant("zero")))
		slope = t.mul(slope, t.scalar(argument("beta")))
		t.store(slope, t.at(dChosen))
		t.store(t.xor(slope, constant("sign")), t.at(dRejected))
	}, nothing)
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
	q := g.div(g.whole("one"), g.add(e, constant("one")))
	right := g.compare(z, greaterOrEqual, constant("zero"))
	miss := g.choose(right, g.mul(e, q), q)
	epsilon := g.scalar(argument("epsilon"))
	slope = g.sub(epsilon, miss)
	share := g.choose(right, epsilon, g.sub(g.whole("one"), epsilon))
	return g.fma(g.xor(y, constant("sign")), share, log1p(g, e)), slope
}

// expOf is expOf of y.
func expOf(g group, y vectors) vectors {
	log2E := g.whole("log2E")
	t := g.fma(y, log2E, constant("sixteenths"))
	r := g.fma(y, log2E, g.sub(g.whole("sixteenths"), t))
	r = g.fma(y, g.whole("log2ELo"), r)
	p := g.polynomial(r, "exp0", "exp1", "exp2", "exp3", "exp4", "exp5")
	power := g.binary(op(VPADDQ), g.lookup("root", t), g.shift(t, 48))
	return g.fma(g.mul(power, r), p, power)
}

// log1p is log1p of e.
func log1p(g group, e vectors) vectors {
	j := g.fma(e, g.whole("fifteen"), constant("integers"))
	c := g.lookup("inverse", j)
	t := g.fma(e, c, g.sub(c, constant("one")))
	q := g.polynomial(t, "log0", "log1", "log2", "log3", "log4", "log5", "log6", "log7")
	return g.add(g.lookup("logInverse", j), g.fma(g.mul(t, t), q, t))
}
