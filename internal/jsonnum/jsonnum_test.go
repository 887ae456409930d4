package jsonnum_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

func TestFloatText(t *testing.T) {
	for _, c := range []struct {
		value float64
		text  string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-2.5, "-2.5"}, {0.1, "0.1"}, {1e21, "1e+21"},
		{1e-7, "1e-07"}, {math.MaxFloat64, "1.7976931348623157e+308"}, {math.SmallestNonzeroFloat64, "5e-324"},
		{math.Inf(1), `"Infinity"`}, {math.Inf(-1), `"-Infinity"`}, {math.NaN(), `"NaN"`},
	} {
		text, err := json.Marshal(jsonnum.Float(c.value))
		require.NoError(t, err)
		assert.Equal(t, c.text, string(text))
		assert.True(t, json.Valid(text))
		roundTrip(t, c.value)
	}
}

// roundTrip asserts that a number comes back to the bit, but for the payload of a NaN.
func roundTrip(t *testing.T, want float64) {
	t.Helper()
	text, err := json.Marshal(struct{ X []jsonnum.Float }{[]jsonnum.Float{jsonnum.Float(want)}})
	require.NoError(t, err)
	var got struct{ X []jsonnum.Float }
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got.X, 1)
	if math.IsNaN(want) {
		require.True(t, math.IsNaN(float64(got.X[0])))
	} else {
		require.Equal(t, math.Float64bits(want), math.Float64bits(float64(got.X[0])))
	}
}

func TestFloatErrors(t *testing.T) {
	for _, text := range []string{
		"null", `"Inf"`, `"+Infinity"`, `"nan"`, `"1.5"`, `""`, "true", "[]", "{}", "1e400", "-1e400",
		"NaN", "Infinity", "0x10", "+1", ".5", "01", "",
	} {
		got := jsonnum.Float(7)
		assert.Error(t, json.Unmarshal([]byte(text), &got), "%q", text)
		assert.Equal(t, jsonnum.Float(7), got, "%q", text)
	}
	var x jsonnum.Float
	assert.EqualError(t, json.Unmarshal([]byte("null"), &x), "jsonnum: null is not a number")
}

func FuzzFloatRoundTrip(f *testing.F) {
	for _, v := range []float64{0, -1, 0.1, math.Pi, 5e-324, 1e308, math.Inf(1), math.Inf(-1), math.NaN()} {
		f.Add(math.Float64bits(v))
	}
	f.Fuzz(func(t *testing.T, bits uint64) { roundTrip(t, math.Float64frombits(bits)) })
}
