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
func exponentialsAVX2(e *float64, z *float32, n int, at *Point, k *exponential)

//go:noescape
func exponentialsAVX512(e *float64, z *float32, n int, at *Point, k *exponential)

//go:noescape
func scoresAVX2(dst, z *float32, n int, s *score)

//go:noescape
func scoresAVX512(dst, z *float32, n int, s *score)
