package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/coverage"
)

func gaussian(rng *rand.Rand, n, d int) *mat.Dense {
	x := make([]float64, n*d)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return mat.NewDense(n, d, x)
}

// moment is Σ_{μ×ν} of one prompt.
func moment(t *testing.T, phi mat.Matrix, mu, nu []float64) *mat.SymDense {
	t.Helper()
	_, d := phi.Dims()
	s := coverage.NewSecondMoment(d)
	require.NoError(t, s.AddPrompt(1, phi, mu, nu))
	return s.Matrix()
}

func metric(t *testing.T, sigma mat.Symmetric) *coverage.Metric {
	t.Helper()
	m, err := coverage.NewMetric(sigma)
	require.NoError(t, err)
	return m
}

// The definition, by enumerating all pairs of responses; also as a stream of pairs.
func TestSecondMomentIsThatOfPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	const n, d = 5, 3
	s, want, total := coverage.NewSecondMoment(d), mat.NewDense(d, d, nil), 0.0
	stream := coverage.NewSecondMoment(d)
	for range 4 {
		phi, mu, nu, rho := gaussian(rng, n, d), simplex(rng, n, 1), simplex(rng, n, 1), rng.Float64()
		require.NoError(t, s.AddPrompt(rho, phi, mu, nu))
		total += rho
		for a := range n {
			for b := range n {
				var diff mat.VecDense
				diff.SubVec(phi.RowView(a), phi.RowView(b))
				want.RankOne(want, rho*math.Exp(mu[a]+nu[b]), &diff, &diff)
			}
		}
		require.NoError(t, stream.AddPair(phi.RawRowView(0), phi.RawRowView(1)))
	}
	want.Scale(1/total, want)
	assert.True(t, mat.EqualApprox(want, s.Matrix(), 1e-13))
	assert.InDelta(t, total, s.Weight(), 1e-15)
	assert.Equal(t, 4.0, stream.Weight())

	// Samples in place of enumeration: what pairs say converges to the same matrix.
	phi, mu, nu := gaussian(rng, n, d), simplex(rng, n, 1), simplex(rng, n, 1)
	pick := func(logp []float64) int {
		u, y := rng.Float64(), 0
		for ; y < n-1 && u > math.Exp(logp[y]); y++ {
			u -= math.Exp(logp[y])
		}
		return y
	}
	parts := []*coverage.SecondMoment{coverage.NewSecondMoment(d), coverage.NewSecondMoment(d)}
	for i := range 40000 {
		require.NoError(t, parts[i%2].AddPair(phi.RawRowView(pick(mu)), phi.RawRowView(pick(nu))))
	}
	parts[0].Merge(parts[1])
	exact := moment(t, phi, mu, nu)
	assert.True(t, mat.EqualApprox(exact, parts[0].Matrix(), 0.05*mat.Trace(exact)))
}

func TestMetricByHand(t *testing.T) {
	// Two directions with data, a third without, a fourth that is the sum of the first two.
	sigma := mat.NewSymDense(4, []float64{4, 0, 0, 4, 0, 1, 0, 1, 0, 0, 0, 0, 4, 1, 0, 5})
	m := metric(t, sigma)
	assert.Equal(t, 2, m.Rank())
	assert.InDelta(t, 0.25, m.Leverage([]float64{1, 0, 0, 1}), 1e-14)
	assert.InDelta(t, 0.25+9, m.Leverage([]float64{1, 3, 0, 4}), 1e-13)
	assert.Equal(t, inf, m.Leverage([]float64{1, 0, 0, 0}), "not a sum")
	assert.Equal(t, inf, m.Leverage([]float64{0, 0, 1e-9, 0}), "no data")
	assert.Zero(t, m.Leverage(make([]float64, 4)))
	assert.True(t, math.IsNaN(m.Leverage([]float64{0, 0, math.NaN(), 0})))
	assert.InDelta(t, 1, m.Kappa(sigma), 1e-13)
	assert.InDelta(t, 0.5, m.Kappa(mat.NewSymDense(4, []float64{1, 0, 0, 1, 0, .5, 0, .5, 0, 0, 0, 0, 1, .5, 0, 1.5})), 1e-13)
	assert.Equal(t, inf, m.Kappa(mat.NewDiagDense(4, []float64{1, 1, 0, 1})))
	assert.Equal(t, inf, m.Kappa(mat.NewDiagDense(4, []float64{0, 0, 1e-12, 0})))
	empty := metric(t, mat.NewSymDense(2, nil))
	assert.Zero(t, empty.Kappa(mat.NewSymDense(2, nil)))
	assert.Equal(t, inf, empty.Kappa(mat.NewDiagDense(2, []float64{1, 0})))
	// A constant feature has no differences, whatever rounding does to its mean.
	phi := mat.NewDense(3, 2, []float64{0.1, 1, 0.1, 2, 0.1, 4})
	logp := []float64{ln(0.3), ln(0.3), ln(0.4)}
	assert.Equal(t, 1, metric(t, moment(t, phi, logp, logp)).Rank())
}

// Properties of κ: at most C(π*)·C(π̂), and the same in every basis; the leverage too.
func TestTheoryKappa(t *testing.T) {
	law(t, "κ(π*×π̂; ref×ref) ≤ C(π*)·C(π̂)", 200, -0.8, func(rng *rand.Rand, err float64) bool {
		n, d := 3+rng.IntN(4), 1+rng.IntN(3)
		phi, ref, p, q := gaussian(rng, n, d), simplex(rng, n, 1), simplex(rng, n, 1), simplex(rng, n, 1)
		bound := math.Exp(coverage.MaxLogRatio(p, ref) + coverage.MaxLogRatio(q, ref))
		return metric(t, moment(t, phi, ref, ref)).Kappa(moment(t, phi, p, q)) <= bound*(1+err)*(1+1e-12)
	})
	law(t, "κ and leverage are invariant under φ → Aφ", 100, 1e-3, func(rng *rand.Rand, err float64) bool {
		n, d := 4+rng.IntN(3), 1+rng.IntN(3)
		phi, ref, p := gaussian(rng, n, d), simplex(rng, n, 1), simplex(rng, n, 1)
		a := gaussian(rng, d, d)
		for i := range d {
			a.Set(i, i, a.At(i, i)+3)
		}
		a.Scale(math.Exp(8*rng.NormFloat64()), a)
		var mapped mat.Dense
		mapped.Mul(phi, a)
		m, ma := metric(t, moment(t, phi, ref, ref)), metric(t, moment(t, &mapped, ref, ref))
		x := phi.RawRowView(0)
		var ax mat.VecDense
		ax.MulVec(a.T(), mat.NewVecDense(d, x))
		return near(m.Kappa(moment(t, phi, p, p)), ma.Kappa(moment(t, &mapped, p, p))*(1+err), 1e-8) &&
			near(m.Leverage(x), ma.Leverage(ax.RawVector().Data), 1e-8)
	})
	law(t, "κ is the largest Rayleigh quotient", 50, -0.2, func(rng *rand.Rand, err float64) bool {
		n, d := 6, 3
		phi, ref, p := gaussian(rng, n, d), simplex(rng, n, 1), simplex(rng, n, 1)
		mu, nu := moment(t, phi, ref, ref), moment(t, phi, p, p)
		kappa := metric(t, mu).Kappa(nu) * (1 + err)
		for range 300 {
			x := gaussian(rng, d, 1).ColView(0)
			if mat.Inner(x, nu, x) > kappa*mat.Inner(x, mu, x)*(1+1e-12) {
				return false
			}
		}
		return true
	})
}

func TestGOptimal(t *testing.T) {
	// An orthogonal basis beside shorter vectors: uniform on the basis, G = d.
	points := mat.NewDense(5, 3, []float64{2, 0, 0, 0, 1, 0, 0, 0, 5, 0.5, 0.1, 0.1, 0, 0, 0})
	d, err := coverage.GOptimal(points, 1e-9, 10000)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{1. / 3, 1. / 3, 1. / 3, 0, 0}, d.Weights, 1e-8)
	assert.Equal(t, 3, d.Rank)
	law(t, "Kiefer–Wolfowitz: rank ≤ G ≤ rank·(1+tol), G as the leverage under V", 30, -0.01, func(rng *rand.Rand, err float64) bool {
		n, dim := 5+rng.IntN(40), 1+rng.IntN(4)
		points := gaussian(rng, n, dim)
		if rng.IntN(2) == 0 { // a feature that repeats another: rank dim − 1
			for i := range n {
				points.Set(i, dim-1, -2*points.At(i, 0))
			}
		}
		design, e := coverage.GOptimal(points, 1e-4, 100000)
		v, sum := mat.NewSymDense(dim, nil), 0.0
		for i, w := range design.Weights {
			v.SymRankOne(v, w, points.RowView(i))
			sum += w
		}
		m := metric(t, v)
		rank, g := float64(m.Rank()), m.PointCoverage(points)*(1+err)
		return e == nil && design.Rank == m.Rank() && near(sum, 1, 1e-12) && near(g, design.G, 1e-9) &&
			g >= rank*(1-1e-9) && g <= rank*(1+1.1e-4)
	})
	_, err = coverage.GOptimal(gaussian(rand.New(rand.NewPCG(1, 1)), 50, 4), 1e-12, 3)
	assert.ErrorIs(t, err, coverage.ErrNoDesign)
}

func TestLinearBall(t *testing.T) {
	law(t, "features of their own: the bracket closes", 2, 0.01, func(rng *rand.Rand, err float64) bool {
		n := 2 + rng.IntN(3)
		ref, eye := simplex(rng, n, 1), mat.NewDense(n, n, nil)
		for i := range n {
			eye.Set(i, i, 1)
		}
		b, e := coverage.LinearBallAverage([]float64{0}, [][]float64{ref}, []mat.Matrix{eye}, 0.05, 2, rng)
		return e == nil && near(b.Lower*(1+err), b.Upper, 1e-4) && b.Upper == coverage.LogBallPrompt(ref, 0.05)
	})
	law(t, "one feature: as good as a grid", 4, -0.05, func(rng *rand.Rand, err float64) bool {
		rho, eps := simplex(rng, 2, 1), 0.05+rng.Float64()/5
		refs, phi := [][]float64{simplex(rng, 4, 1), simplex(rng, 3, 1)}, []mat.Matrix{gaussian(rng, 4, 1), gaussian(rng, 3, 1)}
		b, e := coverage.LinearBallAverage(rho, refs, phi, eps, 2, rng)
		best := 0.0
		for i := -1000; i <= 1000; i++ {
			kl, top := 0.0, 0.0
			for x, ref := range refs {
				p := make([]float64, len(ref))
				for y := range p {
					p[y] = ref[y] + float64(i)/50*phi[x].At(y, 0)
				}
				normalize(p)
				kl += math.Exp(rho[x]) * coverage.KL(p, ref)
				top = max(top, coverage.MaxLogRatio(p, ref))
			}
			if kl <= eps {
				best = max(best, top)
			}
		}
		return e == nil && b.Lower*(1+err) >= best && b.Lower <= b.Upper
	})
	law(t, "the policy that it names is in the ball and reaches it", 3, 1e-6, func(rng *rand.Rand, err float64) bool {
		ref, phi, eps := simplex(rng, 6, 1), gaussian(rng, 6, 2), 0.1
		b, e := coverage.LinearBallAverage([]float64{0}, [][]float64{ref}, []mat.Matrix{phi}, eps, 3, rng)
		p := make([]float64, 6)
		for y := range p {
			p[y] = ref[y] + mat.Dot(phi.RowView(y), mat.NewVecDense(2, b.Theta))
		}
		normalize(p)
		return e == nil && coverage.KL(p, ref) <= eps*(1+1e-12) && near(p[b.Response]-ref[b.Response], b.Lower+err, 1e-12) && b.Lower < b.Upper
	})
}

func TestLinearErrors(t *testing.T) {
	nan := math.NaN()
	s := coverage.NewSecondMoment(2)
	assert.ErrorContains(t, s.AddPair([]float64{1, nan}, []float64{0, 0}), "feature 1 of the pair is NaN and 0")
	phi := mat.NewDense(2, 2, []float64{1, 2, 3, inf})
	p := []float64{ln(0.5), ln(0.5)}
	assert.ErrorContains(t, s.AddPrompt(1, phi, p, p), "phi[1][1] = +Inf")
	phi.Set(1, 1, 0)
	assert.ErrorContains(t, s.AddPrompt(1, phi, p, []float64{0, nan}), "response 1")
	assert.ErrorContains(t, s.AddPrompt(-1, phi, p, p), "weight = -1")
	assert.Zero(t, s.Weight())
	_, err := coverage.NewMetric(s.Matrix())
	assert.ErrorContains(t, err, "sigma[0][0] = NaN")
	_, err = coverage.NewMetric(mat.NewDiagDense(2, []float64{1, -1}))
	assert.ErrorContains(t, err, "sigma[1][1] = -1")
	_, err = coverage.NewMetric(mat.NewSymDense(2, []float64{1, 2, 2, 1}))
	assert.ErrorContains(t, err, "negative eigenvalue")
	_, err = coverage.GOptimal(mat.NewDense(2, 1, nil), 0.1, 10)
	assert.ErrorContains(t, err, "all points are 0")
	_, err = coverage.GOptimal(phi, 0, 10)
	assert.ErrorContains(t, err, "tol = 0")
	rng := rand.New(rand.NewPCG(1, 1))
	_, err = coverage.LinearBallAverage([]float64{0}, [][]float64{p}, []mat.Matrix{phi}, -1, 1, rng)
	assert.ErrorContains(t, err, "eps = -1")
	assert.Panics(t, func() { coverage.NewSecondMoment(0) })
	assert.Panics(t, func() { s.Merge(coverage.NewSecondMoment(3)) })
	assert.Panics(t, func() { _ = s.AddPair([]float64{1}, []float64{1, 2}) })
	assert.Panics(t, func() { _ = s.AddPrompt(1, phi, p[:1], p) })
	m := metric(t, mat.NewDiagDense(2, []float64{1, 1}))
	assert.Panics(t, func() { m.Leverage(p[:1]) })
	assert.Panics(t, func() { m.Kappa(mat.NewDiagDense(3, nil)) })
	assert.Zero(t, testing.AllocsPerRun(20, func() { m.Leverage(p); _ = s.AddPair(p, p) }))
}
