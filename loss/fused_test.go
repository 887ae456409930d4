package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Rewards make the objective take its parts one by one: the kernel that takes them
// together gives the same bits, whatever is wanted and wherever a pair is far out.
func TestFusedKernelIsItsParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, n := range []int{0, 1, 7, 8, 255, 256, 257, 600} {
		for _, eps := range []float64{0, 0.1} {
			for trial := range 6 {
				b := randomPairs(rng.Uint64(), n, 3)
				if n > 0 {
					i := rng.IntN(n)
					b.Chosen[i], b.RefChosen[i] = b.Rejected[i], b.RefRejected[i] // a tie
					b.Rejected[rng.IntN(n)] = []float64{-1e5, math.Inf(-1), -50, -60, -70, -80}[trial]
				}
				l := loss.DPO{Beta: 0.3, LabelSmoothing: eps}
				parts := loss.PairsOut{
					Loss: make([]float64, n), Chosen: make([]float64, n), Rejected: make([]float64, n),
					RewardChosen: make([]float64, n), RewardRejected: make([]float64, n),
				}
				want, err := l.Eval(parts, b)
				require.NoError(t, err)
				out := loss.PairsOut{Loss: make([]float64, n), Chosen: make([]float64, n), Rejected: make([]float64, n)}
				got, err := l.Eval(out, b)
				require.NoError(t, err)
				assert.Equal(t, want, got)
				assert.Equal(t, parts.Loss, out.Loss)
				assert.Equal(t, parts.Chosen, out.Chosen)
				assert.Equal(t, parts.Rejected, out.Rejected)

				only := loss.PairsOut{Rejected: make([]float64, n)}
				got, err = l.Eval(only, b)
				require.NoError(t, err)
				assert.Equal(t, want, got)
				assert.Equal(t, parts.Rejected, only.Rejected)
			}
		}
	}
}

// A sum over many pairs keeps its digits: 10⁶ losses of log 2 after one of about 10⁷.
func TestSumKeepsDigits(t *testing.T) {
	n := 1_000_000
	zeros := make([]float64, n)
	rejected := make([]float64, n)
	rejected[0] = 1e7 // the chosen reply loses by that much
	total, err := loss.DPO{Beta: 1}.Eval(loss.PairsOut{}, loss.Pairs{
		Chosen: zeros, Rejected: rejected, RefChosen: zeros, RefRejected: zeros})
	require.NoError(t, err)
	assert.InDelta(t, 1e7+float64(n-1)*math.Ln2, total.Sum, 4e-9) // two units in the last place
}
