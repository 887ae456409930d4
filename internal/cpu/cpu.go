// Package cpu says which vector instructions the kernels of this library may use.
package cpu

// Level is a set of instructions. Each includes those before it.
type Level int

const (
	Go     Level = iota // none: the code in Go, the reference for all others
	AVX2                // with FMA and POPCNT
	AVX512              // F, CD, BW, DQ and VL
)

// String returns "go", "avx2" or "avx512".
func (l Level) String() string { return [...]string{"go", "avx2", "avx512"}[l] }

// Best is the highest level of this machine. Kernels read it at each call; only tests set it,
// to a lower level.
var Best = detect()

// Levels returns all levels of this machine, for tests that compare them.
func Levels() []Level {
	var all []Level
	for l := Go; l <= detect(); l++ {
		all = append(all, l)
	}
	return all
}
