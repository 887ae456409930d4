//go:build !purego

package cpu

//go:generate go run -C ../gen ./cpu -pkg cpu -out ../cpu/cpuid_amd64.s -stubs ../cpu/cpuid_amd64.go

const (
	leaf1ECX    = 1<<12 | 1<<23 | 1<<27 | 1<<28         // FMA, POPCNT, OSXSAVE, AVX
	leaf7AVX2   = 1 << 5                                // AVX2
	leaf7AVX512 = 1<<16 | 1<<17 | 1<<28 | 1<<30 | 1<<31 // F, DQ, CD, BW, VL
	saves256    = 0x06                                  // XMM and YMM registers
	saves512    = 0xe6                                  // masks and ZMM registers as well
)

func detect() Level {
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return Go
	}
	if _, _, ecx, _ := cpuid(1, 0); ecx&leaf1ECX != leaf1ECX {
		return Go
	}
	saved, _ := xgetbv()
	switch _, ebx, _, _ := cpuid(7, 0); {
	case saved&saves256 != saves256 || ebx&leaf7AVX2 != leaf7AVX2:
		return Go
	case saved&saves512 != saves512 || ebx&leaf7AVX512 != leaf7AVX512:
		return AVX2
	}
	return AVX512
}
