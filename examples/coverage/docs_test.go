package main

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs runs the commands of docs/coverage.md that have their output below them. To write
// it anew: go test ./examples/coverage -run Docs -update
func TestDocs(t *testing.T) {
	t.Chdir("../..")
	const path = "docs/coverage.md"
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	page := strings.ReplaceAll(string(b), "\r\n", "\n")
	commands := regexp.MustCompile("(?s)```sh\ngo run ./examples/coverage([^\n]*)\n```\n```(text|json)\n(.*?)```\n")
	found := 0
	got := commands.ReplaceAllStringFunc(page, func(block string) string {
		m := commands.FindStringSubmatch(block)
		found++
		return "```sh\ngo run ./examples/coverage" + m[1] + "\n```\n```" + m[2] + "\n" + output(t, "", strings.Fields(m[1])...) + "```\n"
	})
	require.Equal(t, 3, found)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("training rounds differently where products and sums are fused")
	}
	require.Equal(t, page, got)
}
