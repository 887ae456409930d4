package gomlx_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// TestMain skips the tests in a build that GoMLX cannot run in: -race turns checkptr on,
// and the matrix product of the pure-Go backend v0.1.2 steps over the ends of its slices
// with pointers that it does not follow. To run with the race detector:
//
//	go test -race -gcflags=all=-d=checkptr=0 ./...
func TestMain(m *testing.M) {
	if raced && !withoutCheckptr() {
		fmt.Println("skipped: -race needs -gcflags=all=-d=checkptr=0 here")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func withoutCheckptr() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-gcflags" && strings.Contains(s.Value, "checkptr=0") {
			return true
		}
	}
	return false
}
