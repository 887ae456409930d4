package oracle

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKnownValues(t *testing.T) {
	assert.Equal(t, math.E, Round(Exp(New(1))))
	assert.Equal(t, math.Ln2, Round(Log(New(2))))
	assert.Equal(t, math.Ln10, Round(Log(New(10))))
	assert.Equal(t, 5e-324, Round(Exp(New(-744.4400719213812)))) // log of the least number
	x := New(0.3)
	assert.Equal(t, 0.3, Round(Exp(Log(x))))
}
