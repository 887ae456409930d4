package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// logLine is a line of samples.jsonl.
type logLine struct {
	Prompt  int           `json:"prompt"` // line of the prompt file
	LogP    jsonnum.Float `json:"logp"`
	RefLogP jsonnum.Float `json:"ref_logp"`
	From    string        `json:"from"`
	Length  int           `json:"length"`
}

// write makes the files from the journal, in the order of prompts, and sums up.
func (j *job) write(dir string) (*summary, error) {
	s := j.newSummary()
	s.Files = []string{filepath.Join(dir, "samples.jsonl"), filepath.Join(dir, "best.jsonl"), filepath.Join(dir, "pairs.jsonl")}
	lines, err := os.Create(s.Files[0] + ".part")
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	best, err := dataset.Create[dataset.Unpaired](s.Files[1] + ".part")
	if err != nil {
		return nil, err
	}
	pairs, err := dataset.Create[dataset.Pair](s.Files[2] + ".part")
	if err != nil {
		return nil, err
	}
	buf := bufio.NewWriter(lines)
	enc := json.NewEncoder(buf)
	var kl coverage.KLEstimator
	for row, p := range j.prompts {
		samples, ok := j.journal.done[row]
		if !ok {
			continue
		}
		for _, v := range samples {
			if err := enc.Encode(logLine{p.At.Line, v.LogP, v.RefLogP, v.From, v.Length}); err != nil {
				return nil, err
			}
		}
		s.count(samples, &kl)
		if err := j.choose(s, best, pairs, p, samples); err != nil {
			return nil, err
		}
	}
	s.finish(kl.Result())
	err = errors.Join(buf.Flush(), lines.Close(), best.Close(), pairs.Close())
	for _, path := range s.Files {
		if err == nil {
			err = os.Rename(path+".part", path)
		}
	}
	return s, err
}

// choose writes the best reply, and the best against the worst. Draws of the policy are
// compared with each other only, those of the reference where there are no others.
func (j *job) choose(s *summary, best *dataset.Encoder[dataset.Unpaired], pairs *dataset.Encoder[dataset.Pair], p dataset.PromptOnly, samples []sample) error {
	own := samples[:min(j.K, len(samples))] // of one model: the policy's come first
	hi, lo := own[0], own[0]
	for _, v := range own {
		if v.Score > hi.Score {
			hi = v
		}
		if v.Score < lo.Score {
			lo = v
		}
	}
	s.FirstScore += jsonnum.Float(own[0].Score)
	s.BestScore += jsonnum.Float(hi.Score)
	s.prompts++
	if strings.TrimSpace(hi.Text) == "" {
		s.Skipped["blank reply"]++
		return nil
	}
	chosen, rejected := answer(p.Prompt, hi.Text), answer(p.Prompt, lo.Text)
	if err := best.Encode(dataset.Unpaired{Prompt: p.Prompt, Completion: chosen, Label: true, At: p.At}); err != nil {
		return err
	}
	s.Best++
	margin := float64(hi.Score - lo.Score)
	switch {
	case hi.Text == lo.Text:
		s.Skipped["identical replies"]++
		return nil
	case strings.TrimSpace(lo.Text) == "":
		s.Skipped["blank reply"]++
		return nil
	case margin == 0:
		s.Skipped["equal scores"]++
		return nil
	case math.IsInf(margin, 0):
		s.Skipped["infinite margin"]++
		return nil
	}
	pair := dataset.Pair{Prompt: p.Prompt, Chosen: chosen, Rejected: rejected, Margin: &margin, At: p.At}
	pair.Ref = &dataset.Ref{
		Chosen: float64(hi.RefLogP), Rejected: float64(lo.RefLogP),
		Fingerprint: dataset.NewFingerprint(pair, j.ref.identity(j.config)...),
	}
	s.Pairs++
	return pairs.Encode(pair)
}
