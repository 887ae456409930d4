package vec

import (
	"math"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// guarded returns n numbers that lie between pages that must not be touched, at the
// end of theirs or at its beginning.
func guarded[T float32 | float64 | uint64](t *testing.T, n int, end bool) []T {
	page := syscall.Getpagesize()
	var x T
	bytes := n * int(unsafe.Sizeof(x))
	room := (bytes + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, room+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	require.NoError(t, syscall.Mprotect(m[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(m[page+room:], syscall.PROT_NONE))
	begin := page
	if end {
		begin = page + room - bytes
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&m[begin])), n)
}

// A kernel that read or wrote beyond its slices would end the test with a fault.
func TestNothingBeyondIsTouched(t *testing.T) {
	for _, level := range cpu.Levels() {
		defer use(level)()
		for n := 1; n <= 70; n++ {
			for _, end := range []bool{false, true} {
				z, zq, e := guarded[float32](t, n, end), guarded[float32](t, n, end), guarded[float64](t, n, end)
				for v := range z {
					z[v], zq[v] = float32(v%7), float32(v%5)
				}
				at, s, ok := Row(z, 1, Moments)
				require.True(t, ok)
				_, _, ok = Row(z, 1, JustE)
				require.True(t, ok)
				_, _, _, ok = Pair(z, zq, 1)
				require.True(t, ok)
				m := Mix{1, 1, 1, 1, 1}
				m.Row(zq, z, &at)
				m.Pair(z, z, zq, &at, &at)
				Score(zq, z, 1, 1, at.Ref+math.Log(s.E))
				x, room := guarded[float64](t, n, end), guarded[float64](t, lanes, end)
				Widen(x, z)
				Scale(x, z, 1, 2)
				Divide(x, x, 1, 2)
				BlockSums(room[:1], x, 3)
				Exp(e, x, 3)
				Maxima(room, x)
				Max(x)
				NotBelow(guarded[uint64](t, (n+63)/64, end), x, 1)
			}
		}
	}
}
