package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs runs the command whose output is in docs/online.md.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/online.md")
	require.NoError(t, err)
	page := strings.ReplaceAll(string(b), "\r\n", "\n")
	m := regexp.MustCompile("(?s)```sh\ngo run ./examples/variance([^\n]*)\n```\n```text\n(.*?)```\n").FindStringSubmatch(page)
	require.NotNil(t, m)
	if runtime.GOARCH != "amd64" {
		t.Skip("sampling rounds differently where products and sums are fused")
	}
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), strings.Fields(m[1]), &out, io.Discard))
	require.Equal(t, m[2], strings.TrimRight(out.String(), "\n")+"\n")
}
