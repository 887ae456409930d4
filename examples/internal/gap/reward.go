package gap

import (
	"context"

	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// rewardL2 regularises the reward model.
const rewardL2 = 1e-3

// RewardModel is a linear reward learned from the training pairs. It sees features, never
// true rewards, and does not know which responses are garbage.
type RewardModel struct {
	TrainPairs       int
	Accuracy, Lo, Hi float64 // on held-out pairs, with a 95% interval

	weights []float64
	scores  map[*policy.Candidates][]float64 // r̂ of every response
}

// FitReward fits the reward model by logistic regression.
func (p *Problem) FitReward() (*RewardModel, error) {
	diff, err := differences(&p.Pairs)
	if err != nil {
		return nil, err
	}
	w, err := linreward.Fit(diff, rewardL2)
	if err != nil {
		return nil, err
	}
	held, err := differences(&p.TestPairs)
	if err != nil {
		return nil, err
	}
	m := &RewardModel{TrainPairs: p.Pairs.Len(), weights: w, scores: map[*policy.Candidates][]float64{}}
	m.Accuracy, m.Lo, m.Hi = linreward.Accuracy(held, w)
	for _, x := range p.Train.X {
		r := make([]float64, Responses)
		x.Features.Mul(r, w)
		m.scores[x] = r
	}
	return m, nil
}

// Score is a train.RewardFunc on the training prompts.
func (m *RewardModel) Score(_ context.Context, dst []float64, xs []*policy.Candidates, ys []int) error {
	for i, x := range xs {
		dst[i] = m.scores[x][ys[i]]
	}
	return nil
}

// TrueReward returns r* on the training prompts as a reward.
func (p *Problem) TrueReward() train.RewardFunc[*policy.Candidates, int] {
	rewards := map[*policy.Candidates][]float64{}
	for i, x := range p.Train.X {
		rewards[x] = p.Train.Reward[i]
	}
	return func(_ context.Context, dst []float64, xs []*policy.Candidates, ys []int) error {
		for i, x := range xs {
			dst[i] = rewards[x][ys[i]]
		}
		return nil
	}
}

// differences returns the matrix of φ(chosen) − φ(rejected).
func differences(d *train.Data[*policy.Candidates, int]) (policy.Features, error) {
	data := make([]float64, d.Len()*Dim)
	w := make([]float64, Responses)
	for i, x := range d.X {
		w[d.Chosen[i]], w[d.Rejected[i]] = 1, -1
		x.Features.AddMulT(data[i*Dim:(i+1)*Dim], w)
		w[d.Chosen[i]], w[d.Rejected[i]] = 0, 0
	}
	return policy.NewDense(d.Len(), Dim, data)
}
