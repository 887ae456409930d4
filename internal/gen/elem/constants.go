package main

import (
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// values are the constants of logistic.go.
var values = []struct {
	name  string
	value float64
}{
	{"zero", 0}, {"half", 0.5}, {"one", 1}, {"two", 2}, {"sign", math.Copysign(0, -1)},
	{"minusFar", -708}, {"round", 0x1.8p52}, {"sqrt2Less1", math.Sqrt2 - 1},
	{"log2E", math.Log2E}, {"ln2", math.Ln2}, {"ln2Hi", ln2Hi}, {"ln2Lo", math.Ln2 - ln2Hi},
	{"exp0", 0x1.000000000000ap-1}, {"exp1", 0x1.55555555554f9p-3}, {"exp2", 0x1.555555555083ep-5},
	{"exp3", 0x1.1111111127d0ep-7}, {"exp4", 0x1.6c16c18438b11p-10}, {"exp5", 0x1.a01a012a0f35cp-13},
	{"exp6", 0x1.a01999e26209fp-16}, {"exp7", 0x1.71df25b30d420p-19}, {"exp8", 0x1.28ad9b8648615p-22},
	{"exp9", 0x1.ad7f3ee5d2f80p-26},
	{"log0", 0x1.5555555555558p-1}, {"log1", 0x1.999999999513fp-2}, {"log2", 0x1.2492492e1d0d9p-2},
	{"log3", 0x1.c71c62b042dfcp-3}, {"log4", 0x1.7462c33b3e8d5p-3}, {"log5", 0x1.39fc8c6934224p-3},
	{"log6", 0x1.2b6e3cf95421dp-3},
}

const ln2Hi = 0x1.62e42fefap-1

var memory = map[string]Mem{}

// constants writes each constant as many times as the longest vector has elements.
func constants() {
	for _, c := range values {
		memory[c.name] = GLOBL("const_"+c.name, RODATA|NOPTR)
		for i := range lanes {
			DATA(8*i, F64(c.value))
		}
	}
}

// constant is the memory of a constant.
func constant(name string) Mem {
	m, ok := memory[name]
	if !ok {
		panic("no constant " + name)
	}
	return m
}

// names returns the name of a constant and those of the three after it.
func names(first string) []string {
	i := slices.IndexFunc(values, func(c struct {
		name  string
		value float64
	}) bool {
		return c.name == first
	})
	return []string{values[i].name, values[i+1].name, values[i+2].name, values[i+3].name}
}
