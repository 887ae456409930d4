package rloo

// Whitened takes the mean and the spread over all samples of the batch:
//
//	Aᵢ = (aᵢ − mean a) / (std a + ε)
//
// where a are the advantages of Of, or the rewards themselves if Of is nil. [Std] says
// which standard deviation, and how ε enters. On rewards it is the sequence level of
// REINFORCE++ ([ReinforcePlusPlus] has the tokens'); with Of: [GroupMean]{} it is
// REINFORCE++-baseline; TRL's RLOO whitens [RLOO]{}. A batch of equal numbers, and one of
// fewer than two, has advantages 0. Dependent draws are refused with [ErrDependent].
//
// Biased: the spread depends on the samples, and the mean of rewards holds the own one. The
// mean alone costs the factor (n−1)/n for a batch of n. The spread is one number for all
// prompts, so unlike that of [Standardised] it leaves their weights alone in the limit of
// a large batch, where only the length of the gradient differs. In a batch of one prompt it
// is [Standardised]. The call has to see the whole step: micro-batches change the result.
//
// Source: Hu et al. 2025 (arXiv:2501.03262).
type Whitened struct {
	Of Advantage
	Std
}

// Eval implements [Advantage]. An ε that is negative or not finite is an error.
func (a Whitened) Eval(dst, reward []float64, g Groups) (Signal, error) {
	if err := a.Std.check(); err != nil {
		return Signal{}, err
	}
	s, err := scanIndependent(dst, reward, g)
	if err != nil {
		return s, err
	}
	if a.Of != nil {
		if s, err = a.Of.Eval(dst, reward, g); err != nil {
			return s, err
		}
		reward = dst
	}
	if err := summable("reward", reward); err != nil {
		return Signal{}, err
	}
	a.Std.standardise(dst, reward)
	return s, nil
}

// Coupled reports that the call has to see the whole step.
func (Whitened) Coupled() bool { return true }
