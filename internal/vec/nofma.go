//go:build !(amd64 || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x)

package vec

// fma returns x·y + z, rounded twice: there is no instruction that rounds once.
func fma(x, y, z float64) float64 { return x*y + z }
