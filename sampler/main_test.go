package sampler_test

import (
	"os"
	"testing"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// PREFGRAD_TEST_CPU, go or avx2, keeps the tests from using better instructions.
func TestMain(m *testing.M) {
	name := os.Getenv("PREFGRAD_TEST_CPU")
	for _, level := range cpu.Levels() {
		if level.String() == name {
			cpu.Best = level
		}
	}
	os.Exit(m.Run())
}
