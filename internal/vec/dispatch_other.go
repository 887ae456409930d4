//go:build !amd64 || purego

package vec

func logSum(s *sums, b *bounds, z []float32, at *Point)        { logSumGo(s, b, z, at) }
func momentsOf(s *sums, b *bounds, z []float32, at *Point)     { momentsGo(s, b, z, at) }
func pair(s *sums, b *bounds, z, zq []float32, at, atQ *Point) { pairGo(s, b, z, zq, at, atQ) }
func mix(dst, z []float32, at *Point, m *Mix)                  { mixGo(dst, z, at, m) }
func mixPair(dst, z, zq []float32, at, atQ *Point, m *Mix)     { mixPairGo(dst, z, zq, at, atQ, m) }
func scores(dst, z []float32, s *score)                        { scoresGo(dst, z, s) }

func expSum(s *[lanes]float64, x []float64, ref float64) { expSumGo(s, x, ref) }
func exps(e, x []float64, ref float64)                   { expsGo(e, x, ref) }
func maxima(m *[lanes]float64, x []float64)              { maximaGo(m, x) }
func notBelow(mask []uint64, x []float64, t float64)     { notBelowGo(mask, x, t) }
func widen(dst []float64, z []float32)                   { widenGo(dst, z) }
func scale(dst []float64, z []float32, shift, t float64) { scaleGo(dst, z, shift, t) }
func divide(dst, x []float64, shift, t float64)          { divideGo(dst, x, shift, t) }
