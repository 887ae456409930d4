package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// entries is the number of numbers in a table.
const entries = 16

// The tables of exp.go and logistic.go: 2^(j/16), 15/(15+j), and −log of that.
var (
	roots = [entries]float64{
		0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
		0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
		0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
		0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
	}
	inverses = [entries]float64{
		0x1.0000000000000p+0, 0x1.e000000000000p-1, 0x1.c3c3c3c3c3c3cp-1, 0x1.aaaaaaaaaaaabp-1,
		0x1.9435e50d79436p-1, 0x1.8000000000000p-1, 0x1.6db6db6db6db7p-1, 0x1.5d1745d1745d1p-1,
		0x1.4de9bd37a6f4ep-1, 0x1.4000000000000p-1, 0x1.3333333333333p-1, 0x1.2762762762762p-1,
		0x1.1c71c71c71c72p-1, 0x1.1249249249249p-1, 0x1.08d3dcb08d3ddp-1, 0x1.0000000000000p-1,
	}
	logInverses = [entries]float64{
		0, 0x1.08598b59e3a07p-4, 0x1.005588ad375aep-3, 0x1.7565011e49675p-3,
		0x1.e41fccb76b0d7p-3, 0x1.269621134db92p-2, 0x1.588c2d913348fp-2, 0x1.882f1ef83ed45p-2,
		0x1.b5b3e24235e88p-2, 0x1.e148a1a2726cep-2, 0x1.058aefa811452p-1, 0x1.199fac68b4ab8p-1,
		0x1.2cf25fad8f1c3p-1, 0x1.3f91275240811p-1, 0x1.5188a4a02d7fep-1, 0x1.62e42fefa39efp-1,
	}
	rootBits, inverseBits, logInverseBits [entries]uint64
)

// table writes the numbers of a table, and apart from them their upper and their lower halves, which AVX2 looks up.
func table(name string, bits [entries]uint64) {
	memory[name] = GLOBL("table_"+name, RODATA|NOPTR)
	for j, b := range bits {
		DATA(8*j, U64(b))
	}
	for _, half := range []struct {
		name  string
		shift int
	}{{"High", 32}, {"Low", 0}} {
		memory[name+half.name] = GLOBL("table_"+name+half.name, RODATA|NOPTR)
		for j, b := range bits {
			DATA(4*j, U32(uint32(b>>half.shift)))
		}
	}
}

// lookup returns the entries that the lowest four bits of each element of index say.
func (avx512) lookup(table string, index vectors) vectors {
	low, high := ZMM(), ZMM()
	VMOVUPD(constant(table), low)
	VMOVUPD(constant(table).Offset(64), high)
	entries := make(vectors, len(index))
	for k, i := range index {
		entries[k] = ZMM()
		VMOVAPD(i, entries[k])
		VPERMI2PD(high, low, entries[k])
	}
	return entries
}

// lookup is done half by half, since what there is permutes 8 numbers of 32 bits: for both vectors of four at once.
func (avx2) lookup(table string, index vectors) vectors {
	places, upper := YMM(), YMM()
	VSHUFPS(Imm(0x88), index[1], index[0], places)
	VPSLLD(Imm(28), places, upper)
	half := func(table Mem) reg.VecVirtual {
		low, high := YMM(), YMM()
		VPERMPS(table, places, low)
		VPERMPS(table.Offset(32), places, high)
		VBLENDVPS(upper, high, low, low)
		return low
	}
	high, low := half(constant(table+"High")), half(constant(table+"Low"))
	entries := vectors{YMM(), YMM()}
	VUNPCKLPS(high, low, entries[0])
	VUNPCKHPS(high, low, entries[1])
	return entries
}
