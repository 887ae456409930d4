package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Finite input never gives NaN: a value, a limit, or, far beyond log-probabilities that
// occur, an error. A link that only falls never
// pulls a pair apart the wrong way.
func FuzzPairwise(f *testing.F) {
	f.Add(uint8(0), -1.0, -2.0, -1.0, -2.0, 3, 4, 0.5)
	f.Add(uint8(9), -1e5, -2.0, 0.0, -1e5, 1, 100000, 0.0)
	f.Add(uint8(16), -800.0, 700.0, 100.0, -100.0, 1, 1, -3.0)
	f.Add(uint8(23), -1e-300, 0.0, 0.0, 0.0, 1, 1, 0.0)
	f.Add(uint8(20), -1e308, 1e308, 1e308, -1e308, 7, 1, 1e300)
	for i := range pairwise {
		f.Add(uint8(i), 1e4, -1e4, -1e4, 1e4, 2, 3, 1.0)
		f.Add(uint8(i), -0.25, -1e5, -1e5, 0.0, 1, 1, -1.0)
	}
	f.Fuzz(func(t *testing.T, which uint8, c, r, rc, rr float64, cl, rl int, offset float64) {
		l := pairwise[int(which)%len(pairwise)]
		b := loss.Pairs{
			Chosen: []float64{c}, Rejected: []float64{r}, RefChosen: []float64{rc}, RefRejected: []float64{rr},
			ChosenLen: []int{cl}, RejectedLen: []int{rl},
		}
		if l.is(readsMargin) {
			b.Margin = []float64{offset}
		}
		out := pairsOut(1)
		total, err := l.Eval(out, b)
		if err != nil {
			ordinary := max(math.Abs(c), math.Abs(r), math.Abs(rc), math.Abs(rr), math.Abs(offset)) <= 1e6
			require.False(t, ordinary && cl > 0 && rl > 0 && !l.is(likely), "%s: %v", l.name, err)
			return
		}
		for _, v := range []float64{out.Loss[0], out.Chosen[0], out.Rejected[0], out.RewardChosen[0], out.RewardRejected[0], total.Sum} {
			require.False(t, math.IsNaN(v), "%s: %v", l.name, out)
		}
		switch l.name {
		case "RSO", "GPO exponential", "robust DPO", "R-DPO", "ODPO", "DPOP", "SimPO", "AlphaPO", "f-DPO forward", "f-DPO α", "χPO":
			require.LessOrEqual(t, out.Chosen[0], 0.0, l.name)
			require.GreaterOrEqual(t, out.Rejected[0], 0.0, l.name)
		case "EXO", "DiscoPOP", "APO zero":
			require.GreaterOrEqual(t, out.Loss[0], -1e-15, l.name)
		}
		if c == r && rc == rr && cl == rl && l.is(margin) && l.name != "DPOP" && total.Count == 1 {
			require.Equal(t, 1, total.Ties, l.name)
		}
	})
}
