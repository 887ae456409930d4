package theory

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocumentNamesItsTests holds docs/theory.md against the tests: each that it links to is in
// that file, and each of the properties is linked and has a heading.
func TestDocumentNamesItsTests(t *testing.T) {
	b, err := os.ReadFile("../theory.md")
	require.NoError(t, err)
	linked := map[string]bool{}
	for _, m := range regexp.MustCompile("\\[`(Test\\w+)`\\]\\(([^)]+)\\)").FindAllStringSubmatch(string(b), -1) {
		linked[m[1]] = true
		assert.Contains(t, tests(t, filepath.Join("..", filepath.FromSlash(m[2]))), m[1])
	}
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	numbers := map[string]bool{}
	for _, f := range files {
		for _, name := range tests(t, f) {
			if rest, ok := strings.CutPrefix(name, "TestProperty"); ok {
				assert.True(t, linked[name], "%s is not linked", name)
				number := strings.TrimPrefix(rest[:2], "0")
				numbers[number] = true
				assert.True(t, strings.Contains(string(b), "\n### Property "+number+"\n"), "no heading for %s", name)
			}
		}
	}
	assert.Len(t, numbers, 17)
}

// tests lists the tests in a file.
func tests(t *testing.T, path string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	var names []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
			names = append(names, f.Name.Name)
		}
	}
	return names
}
