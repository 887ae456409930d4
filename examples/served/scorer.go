package main

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/policy/served"
)

// score ranks a reply among those to the same prompt.
func (j *job) score(ctx context.Context, row int, s *sample) (float64, error) {
	switch j.Scorer {
	case "logratio":
		return float64(s.LogP - s.RefLogP), nil
	case "short":
		return -float64(s.Length), nil
	}
	return j.judge(ctx, row, s)
}

// judge asks the reference whether the answer is good, and returns the log-odds of yes. A
// small model is a poor judge; what matters here is how one is asked.
func (j *job) judge(ctx context.Context, row int, s *sample) (float64, error) {
	question := fmt.Sprintf("Question: %s\n\nAnswer: %s\n\nIs this a good answer? Reply with Yes or No.", j.prompts[row].Prompt, s.Text)
	x := served.Prompt{Text: render(j.Template, "", dataset.Text{Plain: question})}
	odds := [2]float64{}
	for i, word := range []string{"Yes", "No"} {
		r, err := j.ref.Score(ctx, x, served.Reply{Text: word})
		if err != nil {
			return 0, err
		}
		j.tokens.Add(int64(len(r.Tokens)))
		odds[i] = r.LogProb
	}
	return odds[0] - odds[1], nil
}
