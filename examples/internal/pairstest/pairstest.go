// Package pairstest makes preference files for tests of the examples.
package pairstest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Write writes a preference file whose chosen replies are about one thing and whose
// rejected ones about another, followed by the extra lines, and returns its path.
func Write(t testing.TB, pairs int, extra ...string) string {
	t.Helper()
	good := []string{"you could ask a teacher about it", "please take care of yourself", "I would try to talk with them first", "that sounds hard , let me help"}
	bad := []string{"do whatever you like", "that is stupid", "who cares about that", "just hit them and run away , nobody will ever know who it was"}
	var b strings.Builder
	for i := range pairs {
		line, err := json.Marshal(map[string]string{
			"prompt":   fmt.Sprintf("\n\nHuman: question %d about friend %d?\n\nAssistant:", i, i%7),
			"chosen":   fmt.Sprintf(" %s , friend %d.", good[i%len(good)], i%5),
			"rejected": fmt.Sprintf(" %s , friend %d.", bad[(i/2)%len(bad)], i%3),
		})
		require.NoError(t, err)
		b.Write(append(line, '\n'))
	}
	for _, l := range extra {
		b.WriteString(l + "\n")
	}
	path := filepath.Join(t.TempDir(), "pairs.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	return path
}
