package chat_test

import (
	"cmp"
	"encoding/json"
	"os"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/chat"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files in testdata were made by transformers and trl with the models' own templates (generate.py).

const qwen = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."

func templateOf(t *testing.T, name, date string) chat.Template {
	date = cmp.Or(date, chat.Llama31Date)
	switch name {
	case "chatml":
		return chat.ChatML{}
	case "smollm2":
		return chat.SmolLM2{}
	case "qwen2_5":
		return chat.ChatML{System: qwen}
	case "llama3":
		return chat.Llama3{}
	case "llama3_1", "llama3_2":
		return chat.Llama31{Date: date}
	}
	require.FailNow(t, "no such template", name)
	return nil
}

func load(t *testing.T, name string, rows any) {
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, rows))
}

func TestGoldenTexts(t *testing.T) {
	var rows []struct {
		Template, Date, Text string
		Messages             []dataset.Message
		Add                  bool `json:"add_generation_prompt"`
	}
	load(t, "golden.json", &rows)
	seen := map[string]int{}
	for i, row := range rows {
		got, err := templateOf(t, row.Template, row.Date).Render(row.Messages, row.Add)
		require.NoError(t, err)
		require.Equal(t, row.Text, got, "row %d: %s %v", i, row.Template, row.Messages)
		seen[row.Template]++
	}
	assert.Equal(t, map[string]int{"chatml": 38, "smollm2": 38, "llama3": 38, "llama3_1": 76, "llama3_2": 76, "qwen2_5": 30}, seen)
}

func TestGoldenPairs(t *testing.T) {
	type triple[T any] struct{ Prompt, Chosen, Rejected T }
	var rows []struct {
		Template string
		Pair     triple[[]dataset.Message]
		Plain    triple[string]
	}
	load(t, "pairs.json", &rows)
	require.Len(t, rows, 22)
	for i, row := range rows {
		plain := chat.Plain[dataset.Pair](templateOf(t, row.Template, ""))
		at := dataset.Position{File: "talks", Line: i + 1}
		got, err := plain(dataset.Pair{
			Prompt: dataset.Text{Messages: row.Pair.Prompt}, Chosen: dataset.Text{Messages: row.Pair.Chosen},
			Rejected: dataset.Text{Messages: row.Pair.Rejected}, At: at,
		})
		require.NoError(t, err)
		require.Equal(t, dataset.Pair{Prompt: text(row.Plain.Prompt), Chosen: text(row.Plain.Chosen), Rejected: text(row.Plain.Rejected), At: at}, got)
	}
}

// TestGoldenTokens replays the tokens of SmolLM2's own tokenizer.
func TestGoldenTokens(t *testing.T) {
	var rows []struct {
		Prompt, Reply string
		PromptIDs     []int32 `json:"prompt_ids"`
		IDs           []int32
		Boundary      bool
	}
	load(t, "tokens.json", &rows)
	lost := 0
	for _, row := range rows {
		known := map[string][]int32{row.Prompt: row.PromptIDs, row.Prompt + row.Reply: row.IDs}
		got, err := chat.Tokenize(func(text string) ([]int32, error) {
			require.Contains(t, known, text)
			return known[text], nil
		}, row.Prompt, row.Reply)
		if !row.Boundary {
			assert.Error(t, err)
			lost++
			continue
		}
		require.NoError(t, err, "%q %q", row.Prompt, row.Reply)
		assert.Equal(t, chat.Sequence{IDs: row.IDs, Prompt: len(row.PromptIDs)}, got)
	}
	assert.Len(t, rows, 14)
	assert.Equal(t, 2, lost)
}
