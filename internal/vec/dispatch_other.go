//go:build !amd64 || purego

package vec

func logSum(s *sums, b *bounds, z []float32, at *Point)        { logSumGo(s, b, z, at) }
func momentsOf(s *sums, b *bounds, z []float32, at *Point)     { momentsGo(s, b, z, at) }
func pair(s *sums, b *bounds, z, zq []float32, at, atQ *Point) { pairGo(s, b, z, zq, at, atQ) }
func exponentials(e []float64, z []float32, at *Point)         { exponentialsGo(e, z, at) }
func scores(dst, z []float32, s *score)                        { scoresGo(dst, z, s) }
