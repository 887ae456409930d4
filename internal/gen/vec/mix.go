package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	mixSignature     = "func(dst, z *float32, n int, at, m, k *byte)"
	mixPairSignature = "func(dst, z, zq *float32, n int, at, atQ, m, k *byte)"
)

// The fields of struct Mix.
const (
	mixE = iota
	mixD
	mixE2
	mixDiff
	mixQ
	mixFields
)

// mix512 writes mixGo, or mixPairGo.
func mix512(name, signature string, pair bool) {
	function(name, signature)
	dst, z := pointer("dst"), pointer("z")
	moving := []Register{dst, z}
	at, k := newPoint512(pointer("at")), newExp512(pointer("k"))
	var m [mixFields]VecVirtual
	coefficients := pointer("m")
	for i := range m {
		m[i] = broadcast512(Mem{Base: coefficients, Disp: 8 * i})
	}
	var zq Register
	var atQ point512
	if pair {
		zq, atQ = pointer("zq"), newPoint512(pointer("atQ"))
		moving = append(moving, zq)
	}
	loop(func() {
		for g := range 2 {
			d := at.distances(Mem{Base: z, Disp: 32 * g})
			e := k.exp(d, at.scale)
			s, narrow := ZMM(), YMM()
			VMOVAPD(m[mixD], s)
			VFMADD213PD(m[mixE], d, s)
			VFMADD231PD(m[mixE2], e, s)
			if pair {
				dq := atQ.distances(Mem{Base: zq, Disp: 32 * g})
				eq := k.exp(dq, at.scale)
				VSUBPD(dq, d, d)
				VFMADD231PD(m[mixDiff], d, s)
				VMULPD(e, s, s)
				VFMADD231PD(m[mixQ], eq, s)
			} else {
				VMULPD(e, s, s)
			}
			VCVTPD2PS(s, narrow)
			VMOVUPS(narrow, Mem{Base: dst, Disp: 32 * g})
		}
	}, moving...)
	end()
}

// mix2 writes mixGo, or mixPairGo.
func mix2(name, signature string, pair bool) {
	function(name, signature)
	dst, z := pointer("dst"), pointer("z")
	moving := []Register{dst, z}
	at, k := newPoint2(pointer("at")), newExp2(pointer("k"))
	var m [mixFields]Mem
	coefficients := pointer("m")
	for i := range m {
		m[i] = spread2(Mem{Base: coefficients, Disp: 8 * i})
	}
	var zq Register
	var atQ point2
	if pair {
		zq, atQ = pointer("zq"), newPoint2(pointer("atQ"))
		moving = append(moving, zq)
	}
	loop(func() {
		for lane := 0; lane < lanes; lane += 8 {
			d := at.distances8(z, lane)
			e := k.exp(d, at.scale)
			var s [2]VecVirtual
			for g := range s {
				s[g] = YMM()
				VMOVUPD(m[mixD], s[g])
				VFMADD213PD(m[mixE], d[g], s[g])
				VFMADD231PD(m[mixE2], e[g], s[g])
			}
			if pair {
				dq := atQ.distances8(zq, lane)
				for g := range s {
					VSUBPD(dq[g], d[g], d[g])
					VFMADD231PD(m[mixDiff], d[g], s[g])
				}
				for g := range s {
					VMULPD(e[g], s[g], s[g])
				}
				eq := k.exp(dq, at.scale)
				for g := range s {
					VFMADD231PD(m[mixQ], eq[g], s[g])
				}
			} else {
				for g := range s {
					VMULPD(e[g], s[g], s[g])
				}
			}
			for g := range s {
				narrow := XMM()
				VCVTPD2PSY(s[g], narrow)
				VMOVUPS(narrow, Mem{Base: dst, Disp: 4*lane + 16*g})
			}
		}
	}, moving...)
	end()
}

func (p point2) distances8(z Register, lane int) [2]VecVirtual {
	return [2]VecVirtual{p.distances(Mem{Base: z, Disp: 4 * lane}), p.distances(Mem{Base: z, Disp: 4*lane + 16})}
}
