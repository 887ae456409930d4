package loss

// Coupled is implemented by objectives that look at the batch as a whole, such as one that
// sorts it. What they make of an element depends on the others, so a batch that is split
// into micro-batches gives another loss and another gradient: whoever accumulates gradients
// must not split them. Every other objective is separable.
type Coupled interface {
	// Coupled reports whether the objective looks at the batch as a whole. An objective
	// made from others is coupled if one of them is.
	Coupled() bool
}

// IsCoupled reports whether objective, or whatever else may see batches (a mask, an advantage of
// rloo), implements [Coupled] and is coupled.
func IsCoupled(objective any) bool {
	c, ok := objective.(Coupled)
	return ok && c.Coupled()
}
