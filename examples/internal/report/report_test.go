package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

func TestStat(t *testing.T) {
	s := report.NewStat([]float64{4, 1, 3, 2}, []float64{0.3, 0.4, 0, 0})
	assert.Equal(t, []jsonnum.Float{4, 1, 3, 2}, s.Values)
	assert.Equal(t, []jsonnum.Float{2.5, 1, 4, 2.5}, []jsonnum.Float{s.Median, s.Min, s.Max, s.Mean})
	assert.InDelta(t, math.Sqrt(5./3), float64(*s.Std), 1e-15) // (1.5² + 1.5² + 0.5² + 0.5²)/3
	assert.InDelta(t, 0.125, float64(*s.SE), 1e-15)            // √(0.3² + 0.4²)/4

	s = report.NewStat([]float64{9, 1, 2}, nil)
	assert.Equal(t, []jsonnum.Float{2, 1, 9, 4}, []jsonnum.Float{s.Median, s.Min, s.Max, s.Mean})
	assert.Nil(t, s.SE)

	one := report.NewStat([]float64{0.5}, []float64{0.1})
	assert.Equal(t, []jsonnum.Float{0.5, 0.5, 0.5, 0.5}, []jsonnum.Float{one.Median, one.Min, one.Max, one.Mean})
	assert.Nil(t, one.Std)
	assert.Equal(t, jsonnum.Float(0.1), *one.SE)
}

func TestStatJSON(t *testing.T) {
	text := func(s *report.Stat) string {
		b, err := json.Marshal(s)
		require.NoError(t, err)
		return string(b)
	}
	assert.Equal(t, `{"values":[1,3],"median":2,"min":1,"max":3,"mean":2,"std":1.4142135623730951}`, text(report.NewStat([]float64{1, 3}, nil)))
	assert.Equal(t, `{"values":[1],"median":1,"min":1,"max":1,"mean":1,"std":null,"se":0.5}`, text(report.NewStat([]float64{1}, []float64{0.5})))
	assert.Equal(t, `{"values":["Infinity",1],"median":"Infinity","min":1,"max":"Infinity","mean":"Infinity","std":"NaN"}`,
		text(report.NewStat([]float64{math.Inf(1), 1}, nil)))
}

// example is a report of the synthetic problem on the given number of seeds.
func example(seeds int) *report.Report {
	stat := func(v float64) *report.Stat {
		values := make([]float64, seeds)
		for i := range values {
			values[i] = v + float64(i)/2
		}
		return report.NewStat(values, nil)
	}
	r := &report.Report{Problem: "coverage-gap", Config: map[string]int{"steps": 2}}
	for i := range seeds {
		r.Seeds = append(r.Seeds, uint64(i+1))
	}
	r.Methods = []report.Method{
		{Name: "ref", Final: report.Final{KL: stat(0), Winrate: stat(0.5), Garbage: stat(0.13)}},
		{Name: "dpo", Final: report.Final{KL: stat(4.5), Reward: stat(-0.25), Winrate: stat(0.45), Garbage: stat(0.7)}, Trace: []report.Trace{
			{Step: 0, KL: stat(0), Reward: stat(0), Winrate: stat(0.5)},
			{Step: 2, KL: stat(4.5), Reward: stat(-0.25), Winrate: stat(0.45)},
		}},
	}
	r.RewardModel = &report.RewardModel{TrainPairs: 512, Accuracy: 0.75, Lo: 0.7, Hi: 0.8}
	return r
}

// TestJSON checks the shape of the one object that programs read.
func TestJSON(t *testing.T) {
	r := example(2)
	var b bytes.Buffer
	require.NoError(t, json.NewEncoder(&b).Encode(r))
	d := json.NewDecoder(&b)
	var got map[string]any
	require.NoError(t, d.Decode(&got))
	assert.ErrorIs(t, d.Decode(&got), io.EOF, "more than one object")

	stat := func(values ...float64) map[string]any {
		a, b := values[0], values[1]
		return map[string]any{"values": []any{a, b}, "median": (a + b) / 2, "min": a, "max": b, "mean": (a + b) / 2, "std": math.Sqrt((b - a) * (b - a) / 2)}
	}
	assert.Equal(t, "coverage-gap", got["problem"])
	assert.Equal(t, []any{1., 2.}, got["seeds"])
	assert.Equal(t, map[string]any{"steps": 2.}, got["config"])
	assert.Equal(t, map[string]any{"train_pairs": 512., "heldout_accuracy": 0.75, "lo": 0.7, "hi": 0.8}, got["reward_model"])
	assert.NotContains(t, got, "data", "does not apply")
	assert.NotContains(t, got, "frontier")
	methods := got["methods"].([]any)
	require.Len(t, methods, 2)
	ref, dpo := methods[0].(map[string]any), methods[1].(map[string]any)
	assert.Equal(t, "ref", ref["name"])
	assert.NotContains(t, ref, "size")
	assert.NotContains(t, ref["final"], "reward")
	assert.NotContains(t, ref["final"], "perplexity")
	assert.Equal(t, stat(0.5, 1), ref["final"].(map[string]any)["winrate"])
	trace := dpo["trace"].([]any)
	require.Len(t, trace, 2)
	assert.Equal(t, 2., trace[1].(map[string]any)["step"])
	assert.Equal(t, stat(4.5, 5), trace[1].(map[string]any)["kl"])

	r = &report.Report{Problem: "text", Data: &report.Data{Read: 5, Skipped: 2, Reasons: map[string]int{"blank reply": 2}},
		Methods: []report.Method{{Name: "dpo", Size: "small", Final: report.Final{Perplexity: report.NewStat([]float64{80}, nil),
			WinrateChosen: report.NewStat([]float64{0.25}, []float64{0.01}), WinrateLengthControlled: report.NewStat([]float64{0.5}, nil), Length: report.NewStat([]float64{20}, nil)}}}}
	b.Reset()
	require.NoError(t, json.NewEncoder(&b).Encode(r))
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	assert.Equal(t, map[string]any{"read": 5., "skipped": 2., "reasons": map[string]any{"blank reply": 2.}}, got["data"])
	text := got["methods"].([]any)[0].(map[string]any)
	assert.Equal(t, "small", text["size"])
	for _, k := range []string{"perplexity", "length", "winrate_chosen", "winrate_length_controlled"} {
		assert.Contains(t, text["final"], k)
	}
	assert.Equal(t, 0.01, text["final"].(map[string]any)["winrate_chosen"].(map[string]any)["se"])
	assert.Nil(t, text["final"].(map[string]any)["length"].(map[string]any)["std"])
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, example(1).Table(&b))
	assert.Equal(t, `method   KL(π‖π_ref)   reward gained   win rate vs π_ref   garbage mass
ref      0.000                         0.500               0.130
dpo      4.500         -0.250          0.450               0.700
`, b.String())

	b.Reset()
	require.NoError(t, example(3).Table(&b))
	rows := strings.Split(b.String(), "\n")
	assert.Contains(t, rows[2], "5.000 [4.500, 5.500]  5.000 ± 0.500")
	assert.Contains(t, b.String(), "Over 3 seeds: median [min, max]  mean ± standard deviation.")

	b.Reset()
	r := &report.Report{Seeds: []uint64{1}, Methods: []report.Method{{Name: "dpo", Final: report.Final{
		KL: report.NewStat([]float64{12.34567}, []float64{0.5}), Perplexity: report.NewStat([]float64{1234.5}, nil),
	}}}}
	require.NoError(t, r.Table(&b))
	assert.Contains(t, b.String(), "12.3 ± 0.500")
	assert.Contains(t, b.String(), "1234\n")
	assert.ErrorIs(t, r.Table(full{}), errFull)
}

var errFull = errors.New("no space")

// full is a writer without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// texts parses an SVG file and returns the texts in it.
func texts(t *testing.T, path string) []string {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	d := xml.NewDecoder(f)
	var out []string
	inText, roots := false, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			require.Equal(t, 1, roots, "%s is no SVG", path)
			return out
		}
		require.NoError(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			inText = e.Name.Local == "text"
			if e.Name.Local == "svg" {
				roots++
			}
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				out = append(out, string(e))
			}
		}
	}
}

func number(t *testing.T, b []byte) float64 {
	x, err := strconv.ParseFloat(string(b), 64)
	require.NoError(t, err)
	return x
}

func TestPlots(t *testing.T) {
	for _, seeds := range []int{1, 3} {
		r, dir := example(seeds), t.TempDir()
		paths, err := r.Plots(dir)
		require.NoError(t, err)
		assert.Equal(t, []string{filepath.Join(dir, "kl.svg"), filepath.Join(dir, "winrate.svg"), filepath.Join(dir, "reward.svg")}, paths)
		for _, p := range paths {
			words := strings.Join(texts(t, p), "|")
			assert.Contains(t, words, "dpo")
			assert.Contains(t, words, "updates")
			assert.Equal(t, seeds > 1, strings.Contains(words, "3 seeds"), words)
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			legend := regexp.MustCompile(`<text x="([\d.]+)"[^>]*>dpo<`).FindSubmatch(b)
			require.NotNil(t, legend)
			for _, band := range regexp.MustCompile(`<path d="([^"]*)" style="[^"]*fill-opacity`).FindAllSubmatch(b, -1) {
				for _, point := range regexp.MustCompile(`[ML]([\d.]+),`).FindAllSubmatch(band[1], -1) {
					assert.Less(t, number(t, point[1]), number(t, legend[1]), "the legend of %s covers a curve", p)
				}
			}
		}
	}
	r, dir := example(2), t.TempDir()
	for _, lambda := range []jsonnum.Float{0.01, 0.1} {
		r.Frontier = append(r.Frontier, report.Frontier{Name: "hypo", Beta: 0.1, Lambda: lambda, KL: report.NewStat([]float64{float64(lambda)}, nil), Reward: report.NewStat([]float64{1}, nil)})
	}
	paths, err := r.Plots(dir)
	require.NoError(t, err)
	require.Len(t, paths, 4)
	assert.Contains(t, texts(t, filepath.Join(dir, "frontier.svg")), "hypo")

	_, err = r.Plots(filepath.Join(dir, "no", "folder"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
