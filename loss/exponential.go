package loss

// Exponential is the link e⁻ᶻ, with slope −e⁻ᶻ. It exceeds float64 for z < −709, and then
// is +Inf. With labels won with probability p the minimiser is z = ½·log(p/(1−p)), half of
// the logistic link's.
type Exponential struct{}

// Link implements [Link].
func (Exponential) Link(value, slope, z []float64) {
	exps(value, z, -1)
	for i, v := range value {
		slope[i] = -v
	}
}

// Curvature implements [CurvedLink]: e⁻ᶻ.
func (Exponential) Curvature(c, z []float64) { exps(c, z, -1) }

// Check implements [Link].
func (Exponential) Check() error { return nil }
