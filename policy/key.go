package policy

import "math/rand/v2"

// Key names the random numbers of one step of one run. Every draw has a stream of
// its own, derived from (Seed, Step, prompt id, sample index), so results do not
// depend on batch size or the number of workers, and there is no generator state
// to save: the step number is enough to resume.
type Key struct {
	Seed, Step uint64
}

// Stream seeds g for draw j of the prompt with the given id.
func (k Key) Stream(g *rand.PCG, id uint64, j int) {
	stream(g, k.prompt(id), j)
}

// prompt is what the draws of a prompt have in common, for stream.
func (k Key) prompt(id uint64) uint64 { return mix(mix(mix(0, k.Seed), k.Step), id) }

func stream(g *rand.PCG, prompt uint64, j int) {
	h := mix(prompt, uint64(j))
	g.Seed(h, mix(h, 1))
}

// mix absorbs x into the hash state h: a golden-ratio step followed by the
// finalizer of SplitMix64 (Steele, Lea, Flood 2014), a bijection in x.
func mix(h, x uint64) uint64 {
	z := (h ^ x) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
