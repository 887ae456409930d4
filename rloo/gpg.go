package rloo

// GPG is [GroupMean], scaled up for the samples that tell nothing:
//
//	Aᵢ = (n/m)·(rᵢ − mean r)
//
// where m of the n samples of the batch are in groups whose rewards are not all equal. The mean
// over all n samples of the step is then one over the m that have a signal; a batch without
// any has advantages 0. Where the paper counts samples without a gradient, verl 0.9.1 counts
// rewards that are not 0.
//
// Biased: besides the factor (k−1)/k of the group mean, prompt g gets the weight
// E[P/(1 + others with a signal)], which is larger where the other P−1 prompts are often
// silent. The call has to see the whole step. Dependent draws are refused with
// [ErrDependent].
//
// Source: Chu et al. 2025 (arXiv:2504.02546).
type GPG struct{}

// Eval implements [Advantage].
func (GPG) Eval(dst, reward []float64, g Groups) (Signal, error) {
	s, err := scanBatch(dst, reward, g)
	if err != nil {
		return s, err
	}
	groupMean(dst, reward, g, s.Groups)
	m := 0
	for i := range s.Groups {
		lo, hi := g.Group(i)
		for _, a := range dst[lo:hi] {
			if a != 0 {
				m += hi - lo
				break
			}
		}
	}
	if m == 0 {
		return s, nil
	}
	scale := float64(len(dst)) / float64(m)
	for i := range dst {
		dst[i] *= scale
	}
	return s, nil
}

// Coupled reports that the call has to see the whole step.
func (GPG) Coupled() bool { return true }
