package dataset_test

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPairFormats(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       dataset.Pair
	}{
		{"explicit", `{"prompt":"Hi","chosen":"yes","rejected":"no"}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"any order, white space, other fields", ` { "id" : 7 , "rejected":"no","meta":{"a":[1,null,true,{"b":"c"}]} ,"chosen":"yes",	"prompt":"Hi","score":-1.5e-3,"ok":false} ` + "\r",
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"fields of other records", `{"prompt":"Hi","chosen":"yes","rejected":"no","completion":3,"label":"x"}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"a field that is not read may stand twice", `{"id":1,"prompt":"Hi","chosen":"yes","rejected":"no","id":2}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"names differ by case", `{"prompt":"Hi","chosen":"yes","rejected":"no","Prompt":1,"CHOSEN":2}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"escaped names", `{"pr\u006fmpt":"Hi","\u0063hosen":"yes","rejected":"no"}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"null is absent", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":null,"ref_chosen_logps":null,"ref_rejected_logps":null,"ref_fingerprint":null}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")}},
		{"escapes", `{"prompt":"a\"\\\/\b\f\n\r\tz","chosen":"\u00e9\u20ac\ud83d\ude00","rejected":"é€😀!"}`,
			dataset.Pair{Prompt: text("a\"\\/\b\f\n\r\tz"), Chosen: text("é€😀"), Rejected: text("é€😀!")}},
		{"blank prompt", `{"prompt":" ","chosen":"yes","rejected":"no"}`,
			dataset.Pair{Prompt: text(" "), Chosen: text("yes"), Rejected: text("no")}},
		{"numbers", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":-0.25,"ref_chosen_logps":-12.5,"ref_rejected_logps":-1e2,"ref_fingerprint":"f"}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Margin: ptr(-0.25),
				Ref: &dataset.Ref{Chosen: -12.5, Rejected: -100, Fingerprint: "f"}}},
		{"zero is a number", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":0,"ref_chosen_logps":0,"ref_rejected_logps":0}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Margin: ptr(0.0), Ref: &dataset.Ref{}}},
		{"impossible under the reference", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_chosen_logps":-3,"ref_rejected_logps":"-Infinity"}`,
			dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Ref: &dataset.Ref{Chosen: -3, Rejected: math.Inf(-1)}}},
		{"conversations", `{"prompt":[{"role":"system","content":""},{"role":"user","content":"Hi"}],"chosen":[{"content":"yes","role":"assistant","name":null}],"rejected":[{"role":"assistant","content":"no"}]}`,
			dataset.Pair{Prompt: chat("system", "", "user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.At = dataset.Position{File: "in", Line: 1}
			assert.Equal(t, c.want, one[dataset.Pair](t, c.line))
		})
	}
}

func TestOtherFormats(t *testing.T) {
	at := dataset.Position{File: "in", Line: 1}
	assert.Equal(t, dataset.Unpaired{Prompt: text("Hi"), Completion: text("yes"), Label: true, At: at},
		one[dataset.Unpaired](t, `{"prompt":"Hi","completion":"yes","label":true,"chosen":1}`))
	assert.Equal(t, dataset.Unpaired{Prompt: chat("user", "Hi"), Completion: chat("assistant", "no"), At: at},
		one[dataset.Unpaired](t, `{"prompt":[{"role":"user","content":"Hi"}],"completion":[{"role":"assistant","content":"no"}],"label":false}`))
	assert.Equal(t, dataset.PromptOnly{Prompt: text("Hi"), At: at}, one[dataset.PromptOnly](t, `{"prompt":"Hi"}`))
	assert.Equal(t, dataset.PromptOnly{Prompt: chat("user", "Hi"), At: at},
		one[dataset.PromptOnly](t, `{"prompt":[{"role":"user","content":"Hi"}]}`))
}

func TestBadPairs(t *testing.T) {
	for _, c := range []struct {
		name, line string
		kind       dataset.Kind
		field      string
	}{
		{"no JSON", `hello`, dataset.InvalidJSON, ""},
		{"cut short", `{"prompt":"Hi","chosen":"ye`, dataset.InvalidJSON, ""},
		{"trailing comma", `{"prompt":"Hi","chosen":"yes","rejected":"no",}`, dataset.InvalidJSON, ""},
		{"no comma", `{"prompt":"Hi" "chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"two values", `{"prompt":"Hi","chosen":"yes","rejected":"no"}{}`, dataset.InvalidJSON, ""},
		{"garbage behind", `{"prompt":"Hi","chosen":"yes","rejected":"no"}x`, dataset.InvalidJSON, ""},
		{"NUL behind", `{"prompt":"Hi","chosen":"yes","rejected":"no"}` + "\x00", dataset.InvalidJSON, ""},
		{"control character", "{\"prompt\":\"H\ti\",\"chosen\":\"yes\",\"rejected\":\"no\"}", dataset.InvalidJSON, ""},
		{"unknown escape", `{"prompt":"\x41","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"short escape", `{"prompt":"\u00e","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"lone high surrogate", `{"prompt":"\ud83d!","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"lone low surrogate", `{"prompt":"\ude00","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"swapped surrogates", `{"prompt":"\ude00\ud83d","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"lone surrogate where nobody reads", `{"x":"\ud83d","prompt":"Hi","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"bare NaN", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":NaN}`, dataset.InvalidJSON, ""},
		{"leading zero", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":01}`, dataset.InvalidJSON, ""},
		{"bad number where nobody reads", `{"x":1.,"prompt":"Hi","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"bad nesting where nobody reads", `{"x":[{]},"prompt":"Hi","chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"bad JSON in a field of the wrong type", `{"prompt":{"a":},"chosen":"yes","rejected":"no"}`, dataset.InvalidJSON, ""},
		{"invalid UTF-8", "{\"prompt\":\"\xff\",\"chosen\":\"yes\",\"rejected\":\"no\"}", dataset.InvalidUTF8, ""},
		{"overlong UTF-8", "{\"prompt\":\"\xc0\x80\",\"chosen\":\"yes\",\"rejected\":\"no\"}", dataset.InvalidUTF8, ""},
		{"surrogate in UTF-8", "{\"prompt\":\"\xed\xa0\x80\",\"chosen\":\"yes\",\"rejected\":\"no\"}", dataset.InvalidUTF8, ""},
		{"invalid UTF-8 where nobody reads", "{\"x\":\"\xff\",\"prompt\":\"Hi\",\"chosen\":\"yes\",\"rejected\":\"no\"}", dataset.InvalidUTF8, ""},
		{"UTF-16", "\xff\xfe{\x00", dataset.InvalidUTF8, ""},
		{"list", `["prompt","chosen","rejected"]`, dataset.WrongType, ""},
		{"string", `"prompt"`, dataset.WrongType, ""},
		{"null", `null`, dataset.WrongType, ""},
		{"empty object", `{}`, dataset.MissingField, "chosen"},
		{"no chosen", `{"prompt":"Hi","rejected":"no"}`, dataset.MissingField, "chosen"},
		{"no rejected", `{"prompt":"Hi","chosen":"yes"}`, dataset.MissingField, "rejected"},
		{"null chosen", `{"prompt":"Hi","chosen":null,"rejected":"no"}`, dataset.MissingField, "chosen"},
		{"empty prompt", `{"prompt":"","chosen":"yes","rejected":"no"}`, dataset.EmptyField, "prompt"},
		{"empty chosen", `{"prompt":"Hi","chosen":"","rejected":"no"}`, dataset.EmptyField, "chosen"},
		{"empty conversation", `{"prompt":"Hi","chosen":"yes","rejected":[]}`, dataset.EmptyField, "rejected"},
		{"number as text", `{"prompt":"Hi","chosen":1,"rejected":"no"}`, dataset.WrongType, "chosen"},
		{"boolean as text", `{"prompt":true,"chosen":"yes","rejected":"no"}`, dataset.WrongType, "prompt"},
		{"object as text", `{"prompt":"Hi","chosen":"yes","rejected":{"text":"no"}}`, dataset.WrongType, "rejected"},
		{"list as number", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":[1]}`, dataset.WrongType, "margin"},
		{"string as number", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":"1"}`, dataset.WrongType, "margin"},
		{"other spelling", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_chosen_logps":"-inf"}`, dataset.WrongType, "ref_chosen_logps"},
		{"number as fingerprint", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_fingerprint":1}`, dataset.WrongType, "ref_fingerprint"},
		{"twice", `{"prompt":"Hi","chosen":"yes","rejected":"no","chosen":"yes"}`, dataset.DuplicateField, "chosen"},
		{"twice, once escaped", `{"prompt":"Hi","chosen":"yes","rejected":"no","\u0063hosen":"maybe"}`, dataset.DuplicateField, "chosen"},
		{"twice, once null", `{"prompt":null,"chosen":"yes","rejected":"no","prompt":"Hi"}`, dataset.DuplicateField, "prompt"},
		{"one log-prob", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_chosen_logps":-1}`, dataset.MissingField, "ref_rejected_logps"},
		{"other log-prob", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_rejected_logps":-1}`, dataset.MissingField, "ref_chosen_logps"},
		{"fingerprint of nothing", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_fingerprint":"f"}`, dataset.MissingField, "ref_chosen_logps"},
		{"NaN log-prob", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_chosen_logps":"NaN","ref_rejected_logps":-1}`, dataset.BadNumber, "ref_chosen_logps"},
		{"infinite log-prob", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_chosen_logps":-1,"ref_rejected_logps":"Infinity"}`, dataset.BadNumber, "ref_rejected_logps"},
		{"infinite margin", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":"-Infinity"}`, dataset.BadNumber, "margin"},
		{"NaN margin", `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":"NaN"}`, dataset.BadNumber, "margin"},
		{"overflow", `{"prompt":"Hi","chosen":"yes","rejected":"no","ref_chosen_logps":-1e999,"ref_rejected_logps":-1}`, dataset.BadNumber, "ref_chosen_logps"},
		{"message without role", `{"prompt":[{"role":"user","content":"Hi"},{"content":"so"}],"chosen":"yes","rejected":"no"}`, dataset.MissingField, "prompt[1].role"},
		{"message without content", `{"prompt":[{"role":"user"}],"chosen":"yes","rejected":"no"}`, dataset.MissingField, "prompt[0].content"},
		{"message with null content", `{"prompt":[{"role":"user","content":null}],"chosen":"yes","rejected":"no"}`, dataset.MissingField, "prompt[0].content"},
		{"message with an empty role", `{"chosen":[{"role":"","content":"yes"}],"rejected":[{"role":"assistant","content":"no"}]}`, dataset.EmptyField, "chosen[0].role"},
		{"message of parts", `{"prompt":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"chosen":"yes","rejected":"no"}`, dataset.WrongType, "prompt[0].content"},
		{"message is a string", `{"prompt":["Hi"],"chosen":"yes","rejected":"no"}`, dataset.WrongType, "prompt[0]"},
		{"message with two roles", `{"prompt":[{"role":"user","content":"Hi","role":"user"}],"chosen":"yes","rejected":"no"}`, dataset.DuplicateField, "prompt[0].role"},
		{"silent prompt", `{"prompt":[{"role":"user","content":""}],"chosen":[{"role":"assistant","content":"yes"}],"rejected":[{"role":"assistant","content":"no"}]}`, dataset.EmptyField, "prompt"},
		{"mixed replies", `{"prompt":"Hi","chosen":"yes","rejected":[{"role":"assistant","content":"no"}]}`, dataset.WrongType, "rejected"},
		{"conversation with text replies", `{"prompt":[{"role":"user","content":"Hi"}],"chosen":"yes","rejected":"no"}`, dataset.WrongType, "prompt"},
		{"blank chosen", `{"prompt":"Hi","chosen":" \n\u00a0","rejected":"no"}`, dataset.BlankReply, "chosen"},
		{"blank rejected", `{"prompt":"Hi","chosen":"yes","rejected":"\t"}`, dataset.BlankReply, "rejected"},
		{"blank message", `{"prompt":[{"role":"user","content":"Hi"}],"chosen":[{"role":"assistant","content":""}],"rejected":[{"role":"assistant","content":"no"}]}`, dataset.BlankReply, "chosen"},
		{"identical", `{"prompt":"Hi","chosen":"yes","rejected":"y\u0065s"}`, dataset.IdenticalReplies, ""},
		{"identical messages", `{"prompt":[{"role":"user","content":"Hi"}],"chosen":[{"role":"assistant","content":"yes"}],"rejected":[{"role":"assistant","content":"yes"}]}`, dataset.IdenticalReplies, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := failure[dataset.Pair](t, c.line)
			assert.Equal(t, c.kind, e.Kind, e)
			assert.Equal(t, c.field, e.Field)
			assert.Equal(t, "in", e.File)
			assert.Equal(t, 1, e.Line)
			assert.ErrorIs(t, e, c.kind)
		})
	}
}

func TestBadOthers(t *testing.T) {
	for _, c := range []struct {
		line  string
		kind  dataset.Kind
		field string
	}{
		{`{"completion":"yes","label":true}`, dataset.MissingField, "prompt"},
		{`{"prompt":"Hi","label":true}`, dataset.MissingField, "completion"},
		{`{"prompt":"Hi","completion":"yes"}`, dataset.MissingField, "label"},
		{`{"prompt":"Hi","completion":"yes","label":null}`, dataset.MissingField, "label"},
		{`{"prompt":"Hi","completion":"yes","label":1}`, dataset.WrongType, "label"},
		{`{"prompt":"Hi","completion":"yes","label":"true"}`, dataset.WrongType, "label"},
		{`{"prompt":"Hi","completion":true,"label":true}`, dataset.WrongType, "completion"},
		{`{"prompt":"Hi","completion":" ","label":true}`, dataset.BlankReply, "completion"},
		{`{"prompt":"Hi","completion":[{"role":"assistant","content":"yes"}],"label":true}`, dataset.WrongType, "completion"},
	} {
		e := failure[dataset.Unpaired](t, c.line)
		assert.Equal(t, c.kind, e.Kind, c.line)
		assert.Equal(t, c.field, e.Field, c.line)
	}
	assert.Equal(t, dataset.MissingField, failure[dataset.PromptOnly](t, `{"chosen":"yes","rejected":"no"}`).Kind)
	assert.Equal(t, dataset.EmptyField, failure[dataset.PromptOnly](t, `{"prompt":""}`).Kind)
}

// Bad lines neither hide good ones nor shift their numbers.
func TestGoesOnAfterErrors(t *testing.T) {
	good, bad := read[dataset.PromptOnly]("{\"prompt\":\"a\"}\n\n \t\r\nbad\n{\"prompt\":\"b\"}\n{\"prompt\":1}\n{\"prompt\":\"c\"}")
	require.Len(t, good, 3)
	for i, want := range []struct {
		text string
		line int
	}{{"a", 1}, {"b", 5}, {"c", 7}} {
		assert.Equal(t, want.text, good[i].Prompt.Plain)
		assert.Equal(t, want.line, good[i].At.Line)
	}
	require.Len(t, bad, 2)
	assert.Equal(t, `in:6: prompt: wrong type: want a string or a list of messages, have a number`, bad[1].Error())
	assert.Regexp(t, `^in:4: invalid JSON: `, bad[0].Error())
}

func TestOpen(t *testing.T) {
	a := file(t, "a.jsonl", []byte(`{"prompt":"a"}`))
	b := file(t, "b.json", zip(t, []byte("{\"prompt\":\"b\"}\n"))) // found by content, not by name
	records := dataset.Open[dataset.PromptOnly](a, "no such file", b)
	for range 2 { // each range opens the files anew
		good, bad := collect(records)
		require.Len(t, good, 2)
		assert.Equal(t, dataset.PromptOnly{Prompt: text("b"), At: dataset.Position{File: b, Line: 1}}, good[1])
		require.Len(t, bad, 1)
		assert.ErrorIs(t, bad[0], dataset.ReadFailed)
		assert.ErrorIs(t, bad[0], os.ErrNotExist)
		assert.Equal(t, 1, strings.Count(bad[0].Error(), "no such file:"), bad[0])
	}
	for record := range records {
		assert.Equal(t, a, record.At.File)
		break // leaving the loop early is fine
	}
	_, bad := collect(dataset.Reader[dataset.Pair]{MaxLine: -1}.Open(a))
	require.Len(t, bad, 1)
	assert.ErrorContains(t, bad[0], "MaxLine is -1")
}

func TestKinds(t *testing.T) {
	names := map[string]bool{}
	for k := dataset.InvalidJSON; k <= dataset.ReadFailed; k++ {
		assert.NotContains(t, k.String(), "Kind(")
		assert.False(t, names[k.String()], k)
		names[k.String()] = true
		assert.False(t, k.Malformed() && k.Unusable(), k)
		for other := dataset.InvalidJSON; other <= dataset.ReadFailed; other++ {
			assert.Equal(t, k == other, errors.Is(&dataset.Error{Kind: k}, other))
		}
	}
	assert.Equal(t, "Kind(0)", dataset.Kind(0).String())
	assert.Equal(t, "Kind(99)", dataset.Kind(99).String())
	assert.False(t, dataset.ReadFailed.Malformed() || dataset.ReadFailed.Unusable())
	assert.False(t, dataset.FingerprintMismatch.Malformed() || dataset.FingerprintMismatch.Unusable())
	assert.Equal(t, "missing field: prompt", (&dataset.Error{Kind: dataset.MissingField, Field: "prompt[3].role"}).Reason())
}
