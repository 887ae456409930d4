package dataset_test

import (
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestImplicitPrompt(t *testing.T) {
	const hi = "\n\nHuman: Hi\n\nAssistant:"
	for _, c := range []struct {
		name         string
		in, resolved dataset.Pair
	}{
		{"turns", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(hi + " no")},
			dataset.Pair{Prompt: text(hi), Chosen: text(" yes"), Rejected: text(" no")}},
		{"replies that begin alike", dataset.Pair{Chosen: text(hi + " I do"), Rejected: text(hi + " I do not")},
			dataset.Pair{Prompt: text(hi), Chosen: text(" I do"), Rejected: text(" I do not")}},
		{"the last of several turns", dataset.Pair{Chosen: text(hi + " so\n\nHuman: And?" + "\n\nAssistant: yes"), Rejected: text(hi + " so\n\nHuman: And?" + "\n\nAssistant: no")},
			dataset.Pair{Prompt: text(hi + " so\n\nHuman: And?\n\nAssistant:"), Chosen: text(" yes"), Rejected: text(" no")}},
		{"two turns of the assistant in a row", dataset.Pair{Chosen: text(hi + " so\n\nAssistant: yes"), Rejected: text(hi + " so\n\nAssistant: no")},
			dataset.Pair{Prompt: text(hi + " so\n\nAssistant:"), Chosen: text(" yes"), Rejected: text(" no")}},
		{"common words", dataset.Pair{Chosen: text("The sky is blue."), Rejected: text("The sky is black.")},
			dataset.Pair{Prompt: text("The sky is"), Chosen: text(" blue."), Rejected: text(" black.")}},
		{"one text begins the other", dataset.Pair{Chosen: text("The sky"), Rejected: text("The sky is")},
			dataset.Pair{Prompt: text("The"), Chosen: text(" sky"), Rejected: text(" sky is")}},
		{"the other begins the one", dataset.Pair{Chosen: text("The sky is"), Rejected: text("The sky")},
			dataset.Pair{Prompt: text("The"), Chosen: text(" sky is"), Rejected: text(" sky")}},
		{"parted within a character", dataset.Pair{Chosen: text("Was ist \u00e9"), Rejected: text("Was ist \u00e8")},
			dataset.Pair{Prompt: text("Was ist"), Chosen: text(" \u00e9"), Rejected: text(" \u00e8")}},
		{"conversations", dataset.Pair{Chosen: chat("system", "", "user", "Hi", "assistant", "yes"), Rejected: chat("system", "", "user", "Hi", "assistant", "no")},
			dataset.Pair{Prompt: chat("system", "", "user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}},
		{"common tool use", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "?", "tool", "!", "assistant", "yes"), Rejected: chat("user", "Hi", "assistant", "?", "tool", "!", "assistant", "no")},
			dataset.Pair{Prompt: chat("user", "Hi", "assistant", "?", "tool", "!"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}},
		{"reply of several messages", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "?", "tool", "!", "assistant", "yes"), Rejected: chat("user", "Hi", "assistant", "no")},
			dataset.Pair{Prompt: chat("user", "Hi"), Chosen: chat("assistant", "?", "tool", "!", "assistant", "yes"), Rejected: chat("assistant", "no")}},
		{"plain prompt beside conversations", dataset.Pair{Prompt: text("Hi"), Chosen: chat("system", "s", "user", "Hi", "assistant", "yes"), Rejected: chat("system", "s", "user", "Hi", "assistant", "no")},
			dataset.Pair{Prompt: chat("system", "s", "user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}},
		{"plain prompt beside replies alone", dataset.Pair{Prompt: text("Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")},
			dataset.Pair{Prompt: chat("user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}},
		{"explicit prompts are taken at their word", dataset.Pair{Prompt: text("Q:"), Chosen: text(hi + "a"), Rejected: text("Q: b")},
			dataset.Pair{Prompt: text("Q:"), Chosen: text(hi + "a"), Rejected: text("Q: b")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.in
			require.NoError(t, p.Resolve())
			assert.Equal(t, c.resolved, p)
			require.NoError(t, p.Resolve())
			assert.Equal(t, c.resolved, p, "resolving twice")
		})
	}
}

func TestUnresolvable(t *testing.T) {
	const hi, ho = "\n\nHuman: Hi\n\nAssistant:", "\n\nHuman: Ho\n\nAssistant:"
	at := dataset.Position{File: "f", Line: 3}
	for _, c := range []struct {
		name  string
		in    dataset.Pair
		kind  dataset.Kind
		field string
	}{
		{"other prompts", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(ho + " no")}, dataset.PromptsDiffer, ""},
		{"same last reply, other prompts", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(ho + " yes")}, dataset.PromptsDiffer, ""},
		{"one dialogue is longer", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(hi + " yes" + ho + " no")}, dataset.PromptsDiffer, ""},
		{"turns on one side", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text("no")}, dataset.PromptsDiffer, ""},
		{"nothing in common", dataset.Pair{Chosen: text("yes"), Rejected: text("no")}, dataset.MissingField, "prompt"},
		{"only letters in common", dataset.Pair{Chosen: text("yes"), Rejected: text("yet")}, dataset.MissingField, "prompt"},
		{"only white space in common", dataset.Pair{Chosen: text(" yes"), Rejected: text(" no")}, dataset.MissingField, "prompt"},
		{"identical texts", dataset.Pair{Chosen: text("yes"), Rejected: text("yes")}, dataset.IdenticalReplies, ""},
		{"identical dialogues", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(hi + " yes")}, dataset.IdenticalReplies, ""},
		{"blank turn", dataset.Pair{Chosen: text(hi + " "), Rejected: text(hi + " no")}, dataset.BlankReply, "chosen"},
		{"open turn", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(hi)}, dataset.BlankReply, "rejected"},
		{"the user has the last word", dataset.Pair{Chosen: text(hi + " yes"), Rejected: text(hi + " yes\n\nHuman: no")}, dataset.BlankReply, "rejected"},
		{"other first messages", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "yes"), Rejected: chat("user", "Ho", "assistant", "no")}, dataset.PromptsDiffer, ""},
		{"parted before the last reply", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "a", "user", "b", "assistant", "yes"), Rejected: chat("user", "Hi", "assistant", "c", "user", "b", "assistant", "no")}, dataset.PromptsDiffer, ""},
		{"longer conversation", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "a"), Rejected: chat("user", "Hi", "assistant", "a", "user", "b", "assistant", "c")}, dataset.PromptsDiffer, ""},
		{"no reply", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "yes"), Rejected: chat("user", "Hi")}, dataset.BlankReply, "rejected"},
		{"no reply in chosen", dataset.Pair{Chosen: chat("user", "Hi"), Rejected: chat("user", "Hi", "assistant", "no")}, dataset.BlankReply, "chosen"},
		{"replies without prompt", dataset.Pair{Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}, dataset.MissingField, "prompt"},
		{"identical conversations", dataset.Pair{Chosen: chat("user", "Hi", "assistant", "yes"), Rejected: chat("user", "Hi", "assistant", "yes")}, dataset.IdenticalReplies, ""},
		{"plain prompt of another conversation", dataset.Pair{Prompt: text("Ho"), Chosen: chat("user", "Hi", "assistant", "yes"), Rejected: chat("user", "Hi", "assistant", "no")}, dataset.PromptsDiffer, "prompt"},
		{"both forms at once", dataset.Pair{Prompt: text("Hi"), Chosen: dataset.Text{Plain: "yes", Messages: chat("a", "b").Messages}, Rejected: text("no")}, dataset.WrongType, "chosen"},
		{"made with NaN", dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Ref: &dataset.Ref{Chosen: math.NaN()}}, dataset.BadNumber, "ref_chosen_logps"},
		{"made without anything", dataset.Pair{}, dataset.MissingField, "chosen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.At = at
			err := c.in.Resolve()
			var e *dataset.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.kind, e.Kind, err)
			assert.Equal(t, c.field, e.Field)
			assert.Equal(t, at, dataset.Position{File: e.File, Line: e.Line})
		})
	}
	require.NoError(t, (&dataset.Unpaired{Prompt: text("a"), Completion: text("b")}).Resolve())
	require.ErrorIs(t, (&dataset.Unpaired{Prompt: text("a")}).Resolve(), dataset.MissingField)
	require.NoError(t, (&dataset.PromptOnly{Prompt: text("a")}).Resolve())
	require.ErrorIs(t, (&dataset.PromptOnly{}).Resolve(), dataset.MissingField)
}
