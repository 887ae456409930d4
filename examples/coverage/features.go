package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/prefgrad/prefgrad/coverage"
)

// keptPairs bounds the memory for pairs of the policy's replies, whose leverage can only be
// told once all data is known: a random sample of so many is kept.
const keptPairs = 4096

// features holds the directions in which the policy's replies to a prompt differ against
// those in which the replies of the data do.
type features struct {
	dim          int
	data, policy *coverage.SecondMoment
	single       [2]map[uint64][]float64 // by source: a reply whose partner has not come
	kept         []difference            // of the policy; at most 2·keptPairs
}

type difference struct {
	priority uint64
	phi      []float64
}

// use fixes the number of features, or holds it against what it was.
func (f *features) use(phi []float64) error {
	if f.dim == 0 {
		f.dim = len(phi)
		f.data, f.policy = coverage.NewSecondMoment(f.dim), coverage.NewSecondMoment(f.dim)
		f.single = [2]map[uint64][]float64{{}, {}}
	}
	if len(phi) != f.dim {
		return bad("features", "%d numbers, there were %d before", len(phi), f.dim)
	}
	return nil
}

// add adds a reply. Two of one prompt and source make a pair, and no reply is in two of them.
func (f *features) add(source coverage.Source, prompt uint64, phi []float64) error {
	waiting := f.single[source]
	other, ok := waiting[prompt]
	if !ok {
		waiting[prompt] = phi
		return nil
	}
	delete(waiting, prompt)
	return f.addPair(source, prompt, other, phi)
}

func (f *features) addPair(source coverage.Source, prompt uint64, a, b []float64) error {
	if source == coverage.FromRef {
		return f.data.AddPair(a, b)
	}
	if err := f.policy.AddPair(a, b); err != nil {
		return err
	}
	d := difference{phi: make([]float64, f.dim)}
	sum := 0.0
	for i := range a {
		d.phi[i] = a[i] - b[i]
		sum += a[i] + b[i]
	}
	d.priority = rand.NewPCG(prompt, math.Float64bits(sum)).Uint64()
	f.kept = append(f.kept, d)
	if len(f.kept) == 2*keptPairs {
		f.trim()
	}
	return nil
}

// trim keeps the differences of lowest priority: the same ones in whichever order they came.
func (f *features) trim() {
	slices.SortFunc(f.kept, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), slices.Compare(a.phi, b.phi))
	})
	f.kept = f.kept[:min(len(f.kept), keptPairs)]
}

func (f *features) merge(o *features) error {
	if o.dim == 0 {
		return nil
	}
	if err := f.use(make([]float64, o.dim)); err != nil {
		return err
	}
	f.data.Merge(o.data)
	f.policy.Merge(o.policy)
	f.kept = append(f.kept, o.kept...)
	f.trim()
	for source, waiting := range o.single {
		for prompt, phi := range waiting {
			if err := f.add(coverage.Source(source), prompt, phi); err != nil {
				return err
			}
		}
	}
	return nil
}

// result returns κ and the share of pairs outside, nil without pairs of both kinds.
func (f *features) result() (*featureResult, error) {
	if f.dim == 0 || f.data.Weight() == 0 || f.policy.Weight() == 0 {
		return nil, nil
	}
	metric, err := coverage.NewMetric(f.data.Matrix())
	if err != nil {
		return nil, err
	}
	f.trim()
	sample, zero := coverage.NewFeatureCoverage(metric), make([]float64, f.dim)
	for _, d := range f.kept {
		if err := sample.AddPair(d.phi, zero); err != nil {
			return nil, err
		}
	}
	r := &featureResult{Outside: number(sample.Result().Outside), rank: metric.Rank(), dim: f.dim, pairs: int(f.data.Weight())}
	if r.Kappa = number(math.Inf(1)); r.Outside == 0 {
		r.Kappa = number(metric.Kappa(f.policy.Matrix()))
	}
	return r, nil
}
