//go:build !purego

package vec

//go:generate go run -C ../gen ./vec -pkg vec -out ../vec/vec_amd64.s

// The kernels in assembly. n is a multiple of 16, and nothing beyond is read or written.

//go:noescape
func logSumAVX2(s *sums, b *bounds, z *float32, n int, at *Point, k *exponential)

//go:noescape
func logSumAVX512(s *sums, b *bounds, z *float32, n int, at *Point, k *exponential)

//go:noescape
func momentsAVX2(s *sums, b *bounds, z *float32, n int, at *Point, k *exponential)

//go:noescape
func momentsAVX512(s *sums, b *bounds, z *float32, n int, at *Point, k *exponential)

//go:noescape
func pairAVX2(s *sums, b *bounds, z, zq *float32, n int, at, atQ *Point, k *exponential)

//go:noescape
func pairAVX512(s *sums, b *bounds, z, zq *float32, n int, at, atQ *Point, k *exponential)

//go:noescape
func scoresAVX2(dst, z *float32, n int, s *score)

//go:noescape
func scoresAVX512(dst, z *float32, n int, s *score)

//go:noescape
func expSumAVX2(s *[lanes]float64, x *float64, n int, ref float64, k *exponential)

//go:noescape
func expSumAVX512(s *[lanes]float64, x *float64, n int, ref float64, k *exponential)

//go:noescape
func expsAVX2(e, x *float64, n int, ref float64, k *exponential)

//go:noescape
func expsAVX512(e, x *float64, n int, ref float64, k *exponential)

//go:noescape
func maximaAVX2(m *[lanes]float64, x *float64, n int)

//go:noescape
func maximaAVX512(m *[lanes]float64, x *float64, n int)

//go:noescape
func notBelowAVX2(mask *byte, x *float64, n int, t float64)

//go:noescape
func notBelowAVX512(mask *byte, x *float64, n int, t float64)

//go:noescape
func widenAVX2(dst *float64, z *float32, n int)

//go:noescape
func widenAVX512(dst *float64, z *float32, n int)

//go:noescape
func scaleAVX2(dst *float64, z *float32, n int, shift, t float64)

//go:noescape
func scaleAVX512(dst *float64, z *float32, n int, shift, t float64)

//go:noescape
func divideAVX2(dst, z *float64, n int, shift, t float64)

//go:noescape
func divideAVX512(dst, z *float64, n int, shift, t float64)

//go:noescape
func mixAVX2(dst, z *float32, n int, at *Point, m *Mix, k *exponential)

//go:noescape
func mixAVX512(dst, z *float32, n int, at *Point, m *Mix, k *exponential)

//go:noescape
func mixPairAVX2(dst, z, zq *float32, n int, at, atQ *Point, m *Mix, k *exponential)

//go:noescape
func mixPairAVX512(dst, z, zq *float32, n int, at, atQ *Point, m *Mix, k *exponential)
