// Package jsonnum writes and reads floating-point numbers in JSON, where the numbers
// that JSON lacks are the strings "Infinity", "-Infinity" and "NaN".
package jsonnum

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// Float is a float64 that survives JSON, to the bit (but for the payload of a NaN).
type Float float64

// MarshalJSON implements [json.Marshaler].
func (f Float) MarshalJSON() ([]byte, error) {
	switch x := float64(f); {
	case math.IsNaN(x):
		return []byte(`"NaN"`), nil
	case math.IsInf(x, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(x, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return strconv.AppendFloat(nil, x, 'g', -1, 64), nil
	}
}

// UnmarshalJSON implements [json.Unmarshaler]. null is an error: a missing number is
// not 0.
func (f *Float) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*f = Float(math.NaN())
	case `"Infinity"`:
		*f = Float(math.Inf(1))
	case `"-Infinity"`:
		*f = Float(math.Inf(-1))
	case "null":
		return errors.New("jsonnum: null is not a number")
	default:
		var x float64
		if err := json.Unmarshal(b, &x); err != nil {
			return err
		}
		*f = Float(x)
	}
	return nil
}
