package coverage_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/coverage"
)

func ExampleKL() {
	logs := func(p ...float64) []float64 {
		for i, v := range p {
			p[i] = math.Log(v)
		}
		return p
	}
	policy, ref := logs(0.6, 0.4, 0), logs(0.4, 0.4, 0.2)
	fmt.Printf("%.4f\n", coverage.KL(policy, ref))
	fmt.Printf("%.4f\n", coverage.KL(ref, policy)) // the policy has dropped a response
	// Output:
	// 0.2433
	// +Inf
}

// Log-ratios of two samples for each of three prompts, from two workers.
func ExampleKLEstimator() {
	var a, b coverage.KLEstimator
	if err := a.Add([]float64{0.8, 1.2, 0.1, 0.3}, 2); err != nil {
		fmt.Println(err)
	}
	if err := b.Add([]float64{-0.2, 1.0}, 2); err != nil {
		fmt.Println(err)
	}
	a.Merge(b)
	r := a.Result()
	fmt.Printf("KL = %.3f ± %.3f from %d prompts\n", r.Value, r.SE, r.N)
	// Output:
	// KL = 0.533 ± 0.240 from 3 prompts
}

// How far a policy can go within a KL of 0.1, where the reference rarely gives one response.
func ExampleLogBallPrompt() {
	ref := []float64{math.Log(0.9), math.Log(0.099), math.Log(0.001)}
	fmt.Printf("C_glo = %.0f\n", math.Exp(coverage.LogGlobal(ref)))
	fmt.Printf("C_0.1 = %.1f\n", math.Exp(coverage.LogBallPrompt(ref, 0.1)))
	policy := make([]float64, 3)
	coverage.BallPolicy(policy, ref, 0.1)
	fmt.Printf("reached with %.4f\n", math.Exp(policy[2]))
	fmt.Printf("C = 100 needs a KL of %.3f\n", coverage.BallPromptEps(ref, math.Log(100)))
	// Output:
	// C_glo = 1000
	// C_0.1 = 37.5
	// reached with 0.0375
	// C = 100 needs a KL of 0.367
}

// A budget for the average over prompts goes to one prompt.
func ExampleLogBallAverage() {
	half := []float64{math.Log(0.5), math.Log(0.5)}
	skewed := []float64{math.Log(0.98), math.Log(0.02)}
	rho := []float64{math.Log(0.75), math.Log(0.25)}
	c, prompt := coverage.LogBallAverage(rho, [][]float64{half, skewed}, 0.05)
	fmt.Printf("C = %.2f at prompt %d\n", math.Exp(c), prompt)
	fmt.Printf("with 0.05 for each prompt %.2f\n", math.Exp(coverage.LogBallPrompt(skewed, 0.05)))
	// Output:
	// C = 7.93 at prompt 1
	// with 0.05 for each prompt 3.90
}

func ExampleRenyi() {
	policy := []float64{math.Log(0.6), math.Log(0.4)}
	ref := []float64{math.Log(0.2), math.Log(0.8)}
	for _, alpha := range []float64{0.5, 1, 2, math.Inf(1)} {
		fmt.Printf("D_%v = %.4f\n", alpha, coverage.Renyi(alpha, policy, ref))
	}
	fmt.Printf("χ² = %.4f\n", coverage.ChiSquare(policy, ref))
	// Output:
	// D_0.5 = 0.1840
	// D_1 = 0.3819
	// D_2 = 0.6931
	// D_+Inf = 1.0986
	// χ² = 1.0000
}

func ExampleBestOfN() {
	ref := []float64{math.Log(0.5), math.Log(0.3), math.Log(0.2)}
	best := make([]float64, 3)
	coverage.BestOfN(best, ref, []float64{1, 2, 2}, 4)
	for _, v := range best {
		fmt.Printf("%.4f\n", math.Exp(v))
	}
	_, bound, _ := coverage.BestOfNBounds(4)
	fmt.Printf("KL = %.4f ≤ %.4f\n", coverage.KL(best, ref), bound)
	// Output:
	// 0.0625
	// 0.5625
	// 0.3750
	// KL = 0.4594 ≤ 0.6363
}

// Preference pairs tell two features apart, and say nothing about a third.
func ExampleMetric() {
	data := coverage.NewSecondMoment(3)
	for _, pair := range [][2][]float64{
		{{1, 0, 0}, {0, 0, 0}}, {{3, 1, 0}, {1, 1, 0}}, {{0, 1, 0}, {0, 0, 0}}, {{1, 1, 0}, {1, 0, 0}},
	} {
		if err := data.AddPair(pair[0], pair[1]); err != nil {
			fmt.Println(err)
		}
	}
	m, err := coverage.NewMetric(data.Matrix())
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("rank %d\n", m.Rank())
	fmt.Printf("%.2f\n", m.Leverage([]float64{1, 2, 0}))
	fmt.Printf("%.2f\n", m.Leverage([]float64{1, 2, 0.1}))
	// Output:
	// rank 2
	// 8.80
	// +Inf
}

func ExampleGOptimal() {
	design, err := coverage.GOptimal(mat.NewDense(4, 2, []float64{1, 0, 0, 1, 0.5, 0.5, 0.9, 0.1}), 1e-6, 1000)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.3f, G = %.3f\n", design.Weights, design.G)
	// Output:
	// [0.500 0.500 0.000 0.000], G = 2.000
}

// The gap that an error of 0.01 leaves: under an RLHF radius, and with global coverage only.
func ExampleGapClassVariance() {
	ref := []float64{math.Log(0.9), math.Log(0.0999), math.Log(0.0001)}
	eps, _ := coverage.RLHFRadius(1, 2)
	fmt.Printf("%.2f\n", coverage.GapClassVariance(coverage.LogBallPrompt(ref, eps), 0.01))
	fmt.Printf("%.2f\n", coverage.GapClassVariance(coverage.LogGlobal(ref), 0.01))
	// Output:
	// 0.94
	// 10.00
}

// Heavy weights are replaced by quantiles of the fitted tail.
func ExamplePSIS() {
	logw := make([]float64, 40)
	for i := range logw {
		logw[i] = -2 * math.Log(1-(float64(i)+0.5)/40) // Pareto, shape 2
	}
	smoothed := make([]float64, len(logw))
	var s coverage.PSIS
	fit, err := s.Smooth(smoothed, logw)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("k̂ = %.2f of %d weights, threshold %.2f, reliable: %v\n", fit.K, fit.Tail, fit.Threshold(), fit.Reliable(1))
	fmt.Printf("largest %.3f, sum of the tail %.3f\n", math.Exp(smoothed[39]), sumExp(smoothed[32:]))
	// Output:
	// k̂ = 1.00 of 8 weights, threshold 0.38, reliable: false
	// largest 0.521, sum of the tail 0.919
}

func sumExp(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v)
	}
	return sum
}

// Two shards give the k̂ of the whole.
func ExampleTail() {
	a, b := coverage.NewTail(1000), coverage.NewTail(1000)
	for i := range 400 {
		t := a
		if i%2 == 1 {
			t = b
		}
		if err := t.Add([]float64{-0.5 * math.Log(1-(float64(i)+0.5)/400)}); err != nil {
			fmt.Println(err)
		}
	}
	if err := a.Merge(b); err != nil {
		fmt.Println(err)
	}
	fit, err := a.Pareto()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("k̂ = %.2f, largest ratio seen %.1f, 1%% exceed %.1f\n", fit.K, math.Exp(a.MaxSeen()), math.Exp(a.Quantile(0.01)))
	// Output:
	// k̂ = 0.50, largest ratio seen 28.3, 1% exceed 9.4
}

// Samples of the reference in two shards: χ², D_½ and the effective share of samples.
func ExampleMoments() {
	config := coverage.MomentsConfig{Source: coverage.FromRef, Orders: []float64{0.5, 1, 2}, Replicates: 200}
	total, err := coverage.NewMoments(config)
	if err != nil {
		fmt.Println(err)
	}
	for shard := range 2 {
		part, _ := coverage.NewMoments(config)
		if err := part.Add(demoSamples(shard, 500)); err != nil {
			fmt.Println(err)
		}
		total.Merge(part)
	}
	show := func(name string, i coverage.Interval) {
		fmt.Printf("%s = %.3f in [%.3f, %.3f]\n", name, i.Value, i.Lo, i.Hi)
	}
	show("χ²", total.ChiSquare())
	show("D_½", total.Renyi(0.5))
	show("ESS/n", total.ESS())
	// Output:
	// χ² = 0.333 in [0.255, 0.410]
	// D_½ = 0.118 in [0.066, 0.162]
	// ESS/n = 0.750 in [0.732, 0.768]
}

// demoSamples draws from a uniform reference on [0, 1), for the policy with the density 2y,
// whose χ² is 1/3.
func demoSamples(shard, n int) coverage.Batch {
	b := coverage.Batch{Prompt: make([]uint64, n), LogP: make([]float64, n), LogRef: make([]float64, n)}
	for i := range n {
		b.Prompt[i] = uint64(shard*n + i)
		y := math.Mod(float64(b.Prompt[i]+1)*math.Phi, 1)
		b.LogP[i] = math.Log(2 * y)
	}
	return b
}

// How much of the policy is where its ratio to the reference is above e^0.25, and so on.
func ExampleHistogram() {
	h, err := coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromRef, Lo: 0, Hi: 0.75, Bins: 3, Replicates: 200})
	if err != nil {
		fmt.Println(err)
	}
	if err := h.Add(demoSamples(0, 1000)); err != nil {
		fmt.Println(err)
	}
	for _, p := range h.Profile() {
		fmt.Printf("N = %.2f: %.3f in [%.3f, %.3f]\n", math.Exp(p.LogN), p.P, p.Lo, p.Hi)
	}
	// Output:
	// N = 1.00: 0.750 in [0.695, 0.805]
	// N = 1.28: 0.587 in [0.531, 0.642]
	// N = 1.65: 0.321 in [0.266, 0.376]
	// N = 2.12: 0.000 in [0.000, 0.055]
}

func ExamplePromptKL() {
	var a coverage.PromptKL
	chat, code := coverage.PromptID("chat"), coverage.PromptID("code")
	err := a.Add(coverage.Batch{
		Prompt: []uint64{chat, code, chat, code},
		LogP:   []float64{-1.0, -2.0, -1.5, -0.5},
		LogRef: []float64{-1.2, -4.0, -1.4, -2.0},
	})
	if err != nil {
		fmt.Println(err)
	}
	k1, k3 := a.Result()
	fmt.Printf("k1 %.3f ± %.3f, k3 %.3f ± %.3f, %d prompts\n", k1.Value, k1.SE, k3.Value, k3.SE, k1.N)
	worst := a.Worst(1)[0]
	fmt.Println(worst.Prompt == code, worst.N, worst.K1, worst.MaxLogRatio)
	// Output:
	// k1 0.900 ± 0.850, k3 0.471 ± 0.459, 2 prompts
	// true 2 1.75 2
}

// The data compare replies of different length only; the policy also differs in tone.
func ExampleFeatureCoverage() {
	data := coverage.NewSecondMoment(2) // length, tone
	for _, length := range []float64{1, 2, 3} {
		if err := data.AddPair([]float64{length, 0.5}, []float64{0, 0.5}); err != nil {
			fmt.Println(err)
		}
	}
	m, err := coverage.NewMetric(data.Matrix())
	if err != nil {
		fmt.Println(err)
	}
	f := coverage.NewFeatureCoverage(m)
	for _, pair := range [][2][]float64{{{4, 0.5}, {1, 0.5}}, {{2, 0.5}, {1, 0.5}}, {{2, 0.9}, {1, 0.5}}} {
		if err := f.AddPair(pair[0], pair[1]); err != nil {
			fmt.Println(err)
		}
	}
	r := f.Result()
	fmt.Printf("%.0f%% outside, κ = %v, mean leverage inside %.2f\n", 100*r.Outside, r.Kappa, r.MeanLeverage)
	// Output:
	// 33% outside, κ = +Inf, mean leverage inside 1.07
}

func ExampleDataMass() {
	policy := []float64{math.Log(0.7), math.Log(0.2), math.Log(0.1)}
	fmt.Printf("%.1f\n", coverage.DataMass(policy, []int{0, 12, 9}))
	// Output:
	// 0.3
}

// Of 200 prompts with one sample each, 7 have w ≥ 100.
func ExampleEmpiricalBernstein() {
	// 4,000 samples of the reference, one for each prompt; of their weights, those below 5 count.
	mean, variance := 0.97, 0.4 // of w·1{w < 5}
	half := coverage.EmpiricalBernstein(4000, variance, 5, 0.95)
	fmt.Printf("the policy has at most %.3f of its mass where w ≥ 5\n", 1-mean+half)
	// Output:
	// the policy has at most 0.072 of its mass where w ≥ 5
}

func ExampleClopperPearson() {
	lo, hi := coverage.ClopperPearson(7, 200, 0.95)
	fmt.Printf("%.3f in [%.3f, %.3f]\n", 7./200, lo, hi)
	fmt.Printf("everywhere ± %.3f\n", coverage.DKW(200, 0.95))
	// Output:
	// 0.035 in [0.014, 0.071]
	// everywhere ± 0.096
}

// What a policy with one feature can do within a KL of 0.1, and what any policy could.
func ExampleLinearBallAverage() {
	ref := []float64{math.Log(0.5), math.Log(0.4), math.Log(0.1)}
	phi := mat.NewDense(3, 1, []float64{0, 1, 1.5})
	b, err := coverage.LinearBallAverage([]float64{0}, [][]float64{ref}, []mat.Matrix{phi}, 0.1, 4, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.2f ≤ C ≤ %.2f, at response %d\n", math.Exp(b.Lower), math.Exp(b.Upper), b.Response)
	// Output:
	// 1.92 ≤ C ≤ 2.57, at response 2
}

// Errors of the reward on the data, times κ, bound those on what two policies do.
func ExampleMetric_Kappa() {
	phi := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 0.5, 0.5})
	logs := func(p ...float64) []float64 {
		for i, v := range p {
			p[i] = math.Log(v)
		}
		return p
	}
	ref, best, found := logs(0.1, 0.1, 0.8), logs(0.8, 0.1, 0.1), logs(0.1, 0.5, 0.4)
	data, policies := coverage.NewSecondMoment(2), coverage.NewSecondMoment(2)
	if err := data.AddPrompt(1, phi, ref, ref); err != nil {
		fmt.Println(err)
	}
	if err := policies.AddPrompt(1, phi, best, found); err != nil {
		fmt.Println(err)
	}
	m, err := coverage.NewMetric(data.Matrix())
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("κ = %.2f ≤ %.2f\n", m.Kappa(policies.Matrix()), math.Exp(coverage.MaxLogRatio(best, ref)+coverage.MaxLogRatio(found, ref)))
	// Output:
	// κ = 5.15 ≤ 40.00
}
