package policy

// Freezer is a policy of which a fixed copy can be taken, to serve as the reference
// π_ref or to be published while training goes on. P is the type of the copy; it
// has no NewPass, so a reference cannot be trained by mistake.
type Freezer[P any] interface {
	// Freeze returns an immutable copy of the policy as it is now. It must not run
	// while the parameters change.
	Freeze() P
}

var (
	_ Freezer[*Finite[*Candidates]] = (*LogLinear)(nil)
	_ Freezer[*Finite[int]]         = (*Tabular)(nil)
)
