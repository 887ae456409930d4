package dataset

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var allFields = setOf(promptField, chosenField, rejectedField, completionField, marginField, refChosenField,
	refRejectedField, labelField, fingerprintField)

// sameAsDecoder holds the scanner against the decoder: what the scanner accepts, the decoder reads the same way.
// It reports whether the scanner accepted.
func sameAsDecoder(t *testing.T, line []byte) bool {
	t.Helper()
	var d decoder
	fast, full := values{want: allFields}, values{want: allFields}
	if !d.fast.line(line, &fast) {
		return false
	}
	require.Nil(t, d.full(line, &full), "%q", line)
	require.Equal(t, fmt.Sprintf("%#v", full), fmt.Sprintf("%#v", fast), "%q", line) // as text, because NaN ≠ NaN
	return true
}

// What well-made files hold is read by the scanner, the rest by the decoder.
func TestScannerAccepts(t *testing.T) {
	for _, line := range []string{
		`{"prompt":"Hi","chosen":"yes","rejected":"no"}`,
		` { "prompt" : "H\u00e9\n\ud83d\ude00" , "margin" : -1.5e-3 , "label" : true , "x" : null } ` + "\r",
		`{"ref_chosen_logps":"-Infinity","ref_rejected_logps":"NaN","margin":"Infinity","label":false,"prompt":null}`,
		`{"prompt":[{"role":"user","content":"Hi","name":[1,{"a":[]}]}],"chosen":[{"content":"","role":"é"}, {"role":"x","content":"y"}]}`,
		`{"x":{"a":[1,2,[3,{}]],"b":"c"},"y":0.5E+7,"z":[],"a":true,"b":false}`,
		`{}`,
	} {
		assert.True(t, sameAsDecoder(t, []byte(line)), line)
	}
}

func TestScannerDeclines(t *testing.T) {
	for _, line := range []string{
		``, `{`, `{}}`, `[]`, `{"prompt"}`, `{"prompt":}`, `{"prompt":"a",}`, `{,}`, `{"prompt":"a";}`, `{prompt:1}`, `{"x":tru}`, `{"x":nul}`,
		`{"x":-}`, `{"x":01}`, `{"x":1.}`, `{"x":.5}`, `{"x":1e}`, `{"x":+1}`, `{"x":1e+}`, `{"x":0x1}`, `{"x":[1,]}`, `{"x":[1 2]}`, `{"x":[}`,
		`{"prompt":"a","prompt":"b"}`, `{"prompt":""}`, `{"prompt":1}`, `{"prompt":[]}`, `{"prompt":[1]}`, `{"prompt":["a"]}`, `{"margin":[]}`,
		`{"margin":"1"}`, `{"label":"true"}`, `{"label":1}`, `{"margin":1e999}`, `{"margin":true}`,
		`{"prompt":[{"role":"a"}]}`, `{"prompt":[{"role":"a","role":"a","content":""}]}`, `{"prompt":[{"role":"a","content":null}]}`,
		`{"x":"\ud83d"}`, `{"x":"\ud83d\u0041"}`, `{"x":"\udc00\ud83d"}`, `{"x":"\u12g4"}`, `{"x":"\u123`, `{"x":"\`, `{"x":"\q"}`, `{"x":"` + "\x1f" + `"}`,
		"{\"x\":\"\xff\"}", "{\"x\":\"\xed\xa0\x80\"}", "{\"x\":\"\xe2\x82\"}", "{}\x00",
		`{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`,
	} {
		assert.False(t, sameAsDecoder(t, []byte(line)), line)
	}
	deep := `{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `,"prompt":"a"}`
	var f values
	require.Nil(t, new(decoder).line([]byte(deep), allFields, &f), "the decoder follows deeper")
	assert.Equal(t, "a", f.text[promptField].Plain)
}

// Every byte at every place of a string, against the plain definition.
func TestPlain(t *testing.T) {
	for length := range 20 {
		b := []byte(strings.Repeat("a", length))
		require.Equal(t, length, plain(b))
		for at := range length {
			for c := range 256 {
				for _, behind := range []byte{'a', '"', '!', 0, 0x80} {
					b[at] = byte(c)
					if at+1 < length {
						b[at+1] = behind
					}
					want := 0
					for want < length && b[want] >= 0x20 && b[want] < 0x80 && b[want] != '"' && b[want] != '\\' {
						want++
					}
					require.Equal(t, want, plain(b), "%q", b)
				}
			}
			b = []byte(strings.Repeat("a", length))
		}
	}
}

// FuzzLine holds a line's reading against encoding/json.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		`{"prompt":"Hi","chosen":"yes","rejected":"no","margin":0.5,"ref_chosen_logps":-1,"ref_rejected_logps":"-Infinity"}`,
		`{"prompt":[{"role":"user","content":"H\u00e9 \ud83d\ude00"}],"chosen":[{"role":"a","content":"\\"}],"x":[1,{"y":null}]}`,
		`{"completion":"é€😀\"\\\/\b\f\n\r\t","label":true,"ref_fingerprint":""}`,
		`{"prompt":"\ud83d"}`, "{\"x\":\"\xff\"}", `{"x":1,"x":-0.0e-1}`, `[]`, `{"x":"` + strings.Repeat("long ", 20) + `"} `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		sameAsDecoder(t, line)
		var got values
		bad := new(decoder).line(line, allFields, &got)

		var want map[string]any
		in := json.NewDecoder(strings.NewReader(string(line)))
		in.UseNumber()
		isObject := json.Valid(line) && in.Decode(&want) == nil && want != nil
		lone := loneSurrogate(string(line))
		switch {
		case !utf8.Valid(line):
			require.Equal(t, InvalidUTF8, bad.Kind)
			return
		case bad == nil:
			require.True(t, isObject && !lone, "accepted %q", line)
		case isObject && !lone:
			require.NotEqual(t, InvalidJSON, bad.Kind, "refused %q: %v", line, bad)
			return
		default:
			return
		}
		for i := range noField {
			value, ok := want[i.String()]
			require.Equal(t, ok, got.seen.has(i))
			require.Equal(t, ok && value != nil, got.set.has(i))
			if !got.set.has(i) {
				continue
			}
			switch v := value.(type) {
			case bool:
				require.Equal(t, v, got.label)
			case json.Number:
				x, err := v.Float64()
				require.NoError(t, err)
				require.Equal(t, x, got.number[i-texts])
			case []any:
				require.Len(t, got.text[i].Messages, len(v))
				for j, m := range got.text[i].Messages {
					require.Equal(t, v[j].(map[string]any)["role"], m.Role)
					require.Equal(t, v[j].(map[string]any)["content"], m.Content)
				}
			case string:
				switch {
				case i < texts:
					require.Equal(t, v, got.text[i].Plain)
				case i == fingerprintField:
					require.Equal(t, v, got.print)
				default:
					require.Equal(t, strings.TrimPrefix(fmt.Sprint(got.number[i-texts]), "+"), strings.Replace(v, "Infinity", "Inf", 1))
				}
			default:
				t.Fatalf("%s: %T", i, value)
			}
		}
	})
}

// loneSurrogate reports whether there is an escaped surrogate without its partner, which encoding/json replaces
// silently. It looks at the text alone: \ud83d behind a backslash is the letter u.
func loneSurrogate(s string) bool {
	unit := func(i int) (rune, bool) {
		var r rune
		if i+6 > len(s) || s[i:i+2] != `\u` {
			return 0, false
		}
		_, err := fmt.Sscanf(s[i+2:i+6], "%04x", &r)
		return r, err == nil
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		high, ok := unit(i)
		switch {
		case !ok:
			i++
		case 0xDC00 <= high && high < 0xE000:
			return true
		case 0xD800 <= high && high < 0xDC00:
			low, ok := unit(i + 6)
			if !ok || low < 0xDC00 || low >= 0xE000 {
				return true
			}
			i += 11
		default:
			i += 5
		}
	}
	return false
}
