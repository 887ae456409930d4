package cpu

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLevels(t *testing.T) {
	all := Levels()
	assert.Equal(t, Go, all[0])
	assert.Equal(t, Best, all[len(all)-1])
	t.Log(all)
}
