package sampler

import "github.com/prefgrad/prefgrad/rloo"

// Joint says how the draws of a group depend on each other; loss.Joint is an objective on pairs. A leave-one-out baseline
// needs independent ones: the mean of the others must tell nothing of a draw beyond the
// prompt. Draws that avoid each other bias it.
type Joint uint8

const (
	Independent Joint = iota // what [Row.Draw], [Row.GumbelMax] and [Ancestral] give
	Distinct                 // without replacement: [Row.GumbelTopK]
	Stratified               // one from each part of [0, 1): [Row.Stratified]
)

// ErrDependent refuses dependent draws: it is [rloo.ErrDependent].
var ErrDependent = rloo.ErrDependent

// Independent reports whether draws are independent of each other: an estimator that needs
// that can ask for it without knowing this package.
func (j Joint) Independent() bool { return j == Independent }

// String returns "independent", "distinct" or "stratified".
func (j Joint) String() string {
	switch j {
	case Independent:
		return "independent"
	case Distinct:
		return "distinct"
	case Stratified:
		return "stratified"
	}
	return "unknown"
}

// Groups returns groups of k draws that are j, for an [rloo.Advantage].
func (j Joint) Groups(k int) rloo.Groups { return rloo.Groups{K: k, Dependent: !j.Independent()} }

// LeaveOneOut is [rloo.LeaveOneOut] for draws that are j, and [ErrDependent], with dst as
// it was, unless they are independent.
func (j Joint) LeaveOneOut(dst, reward []float64, k int) error {
	if !j.Independent() {
		return ErrDependent
	}
	rloo.LeaveOneOut(dst, reward, k)
	return nil
}
