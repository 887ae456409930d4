package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// values are the constants of exp.go, logistic.go and log.go.
var values = []struct {
	name  string
	value float64
}{
	{"zero", 0}, {"one", 1}, {"fifteen", 15}, {"sign", math.Copysign(0, -1)}, {"minusFar", -708},
	{"sixteenths", 0x1.8p48}, {"integers", 0x1.8p52}, {"log2E", math.Log2E}, {"log2ELo", 0x1.777d0ffda0d24p-56},
	{"exp0", 0x1.62e42fefa39fdp-1}, {"exp1", 0x1.ebfbdff82c553p-3}, {"exp2", 0x1.c6b08d6e8ba08p-5},
	{"exp3", 0x1.3b2ab6fe272c3p-7}, {"exp4", 0x1.5d89bdcd026fap-10}, {"exp5", 0x1.430818ad73e5ap-13},
	{"log0", -0x1.fffffffffffa1p-2}, {"log1", 0x1.5555555555413p-2}, {"log2", -0x1.0000000119b0cp-2},
	{"log3", 0x1.9999999df2fbap-3}, {"log4", -0x1.55553965b9147p-3}, {"log5", 0x1.249221dca22e1p-3},
	{"log6", -0x1.00831d98d8d8ap-3}, {"log7", 0x1.c83cd6a7919f2p-4},
	{"quarter", 0.25}, {"half", 0.5}, {"smallestNormal", 0x1p-1022}, {"maxFloat", math.MaxFloat64}, {"integer", 0x1p52}, {"integerAndBias", 0x1p52 + 1023},
	{"ln2High", ln2High}, {"ln2Low", math.Ln2 - ln2High},
	{"mantissa", math.Float64frombits(1<<52 - 1)}, {"halfExponent", math.Float64frombits(1022)}, // bits
}

const ln2High = 0x1.62e42fefap-1

var memory = map[string]Mem{}

// constants writes each constant as many times as the longest vector has elements, and the tables.
func constants() {
	for _, c := range values {
		memory[c.name] = GLOBL("const_"+c.name, RODATA|NOPTR)
		for i := range lanes {
			DATA(8*i, F64(c.value))
		}
	}
	for j, x := range roots {
		rootBits[j] = math.Float64bits(x) - uint64(j)<<48
	}
	for j := range inverseBits {
		inverseBits[j], logInverseBits[j] = math.Float64bits(inverses[j]), math.Float64bits(logInverses[j])
	}
	table("root", rootBits)
	table("inverse", inverseBits)
	table("logInverse", logInverseBits)
}

// constant is the memory of a constant.
func constant(name string) Mem {
	m, ok := memory[name]
	if !ok {
		panic("no constant " + name)
	}
	return m
}
