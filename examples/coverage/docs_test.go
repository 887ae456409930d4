package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs runs the commands of docs/coverage.md that have their output below them, and draws
// its picture. To write both anew: go test ./examples/coverage -run Docs -update
func TestDocs(t *testing.T) {
	t.Chdir("../..")
	const path, picture = "docs/coverage.md", "docs/coverage/profile.svg"
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	page := strings.ReplaceAll(string(b), "\r\n", "\n")
	commands := regexp.MustCompile("(?s)```sh\ngo run ./examples/coverage([^\n]*)\n```\n```(text|json)\n(.*?)```\n")
	found, dir := 0, t.TempDir()
	got := commands.ReplaceAllStringFunc(page, func(block string) string {
		m := commands.FindStringSubmatch(block)
		found++
		var extra []string
		if m[1] == "" { // the demonstration
			extra = []string{"-out", dir}
		}
		return "```sh\ngo run ./examples/coverage" + m[1] + "\n```\n```" + m[2] + "\n" + output(t, "", append(strings.Fields(m[1]), extra...)...) + "```\n"
	})
	require.Equal(t, 3, found)
	svg, err := os.ReadFile(filepath.Join(dir, "profile.svg"))
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		require.NoError(t, os.MkdirAll(filepath.Dir(picture), 0o755))
		require.NoError(t, os.WriteFile(picture, svg, 0o644))
		return
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("training rounds differently where products and sums are fused")
	}
	require.Equal(t, page, got)
	_, err = os.Stat(picture)
	require.NoError(t, err)
}
