package policy

import "fmt"

// Blend moves the parameters of dst towards those of src,
//
//	θ_dst ← α·θ_src + (1−α)·θ_dst,   α ∈ [0, 1]
//
// as a reference does that follows the policy (TR-DPO; Gorbatovski et al. 2024,
// arXiv:2404.09656): α = 1 copies, bit for bit. The two must be of one kind and shape; a
// different number of parameters panics, and so does a host that is nil. An α outside its range is an error.
func Blend(dst, src Host, alpha float64) error {
	if dst == nil || src == nil {
		panic("policy: Blend of a nil Host")
	}
	to, from := dst.Params(), src.Params()
	if len(to) != len(from) {
		panic("policy: Blend of policies with different numbers of parameters")
	}
	if !(alpha >= 0 && alpha <= 1) {
		return fmt.Errorf("policy: Blend with alpha %v, must be in [0, 1]", alpha)
	}
	if alpha == 1 {
		copy(to, from)
		return nil
	}
	for i, v := range from {
		to[i] += alpha * (v - to[i])
	}
	return nil
}
