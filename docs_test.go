package prefgrad_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
}

// fences returns the contents of the code blocks of a language.
func fences(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestREADMECode holds the code of the README against the examples of this package, which
// are compiled and whose output is checked.
func TestREADMECode(t *testing.T) {
	readme, source := read(t, "README.md"), read(t, "example_test.go")
	file, err := parser.ParseFile(token.NewFileSet(), "example_test.go", source, parser.ParseComments)
	require.NoError(t, err)

	imports := regexp.MustCompile(`(?s)\A(import "[^"]*"\n|import \(.*?\n\)\n)\n?`)
	body := strings.ReplaceAll(source, "\n\t", "\n") // of a function, moved to the margin
	blocks := fences(readme, "go")
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		head := imports.FindString(block)
		require.NotEmpty(t, head, "a block shows what it imports")
		for _, line := range regexp.MustCompile(`"[^"]*"`).FindAllString(head, -1) {
			assert.Contains(t, source, line)
		}
		code := strings.TrimPrefix(block, head)
		assert.True(t, strings.Contains(source, code) || strings.Contains(body, code), "not in example_test.go:\n%s", code)
	}

	outputs := fences(readme, "text")
	require.Len(t, outputs, 1)
	examples := doc.Examples([]*ast.File{file}...)
	require.Equal(t, "", examples[0].Name)
	assert.Equal(t, examples[0].Output, outputs[0])
}

// TestLinks follows the relative links of the documents.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	files = append(files, "README.md", "CONTRIBUTING.md", "CHANGELOG.md")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, name := range files {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(target)))
			assert.NoError(t, err, "%s links to %s", name, target)
		}
	}
}

// TestNamedTests looks for the tests to which documents link.
func TestNamedTests(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	found := 0
	for _, name := range files {
		for _, m := range regexp.MustCompile("\\[`(Test\\w+)`\\]\\(([^)]+)\\)").FindAllStringSubmatch(read(t, name), -1) {
			found++
			assert.Contains(t, read(t, filepath.Join("docs", filepath.FromSlash(m[2]))), "\nfunc "+m[1]+"(t *testing.T)", "%s links to it", name)
		}
	}
	assert.NotZero(t, found)
}

// TestPackages holds the README's table against the folders: no public package is missing.
func TestPackages(t *testing.T) {
	readme := read(t, "README.md")
	found := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." {
			if base := d.Name(); base == "internal" || base == "testdata" || base == "examples" || strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
		}
		if d.Name() == "doc.go" && name != "doc.go" {
			found++
			assert.Contains(t, readme, "| `"+path.Dir(name)+"` |")
		}
		return nil
	})
	require.NoError(t, err)
	assert.NotZero(t, found)
}

// TestImports holds the packages against the rule that imports go down only: a package may
// import what stands before it in the list, and its own sub-packages.
func TestImports(t *testing.T) {
	layers := []string{"internal", "rloo", "coverage", "loss", "policy", "sampler", "dataset", "train", "examples", "docs"}
	layer := func(dir string) int {
		first, _, _ := strings.Cut(dir, "/")
		return slices.Index(layers, first)
	}
	const module = "github.com/prefgrad/prefgrad/"
	found := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || path.Dir(name) == ".":
			return nil
		}
		from := layer(name)
		if !assert.GreaterOrEqual(t, from, 0, "%s is in no known layer", name) {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			if to, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ok {
				found++
				assert.LessOrEqual(t, layer(to), from, "%s imports %s", name, to)
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.NotZero(t, found)
}

// TestNamableTypes looks for internal types in the exported declarations of the public packages,
// nested modules included: an importer could not name them.
func TestNamableTypes(t *testing.T) {
	found := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch base := d.Name(); {
		case d.IsDir() && (base == "internal" || base == "testdata" || base == "examples" || strings.HasPrefix(base, ".") && name != "."):
			return fs.SkipDir
		case path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		internal := map[string]bool{}
		for _, spec := range file.Imports {
			if p := strings.Trim(spec.Path.Value, `"`); slices.Contains(strings.Split(p, "/"), "internal") {
				local := path.Base(p)
				if spec.Name != nil {
					local = spec.Name.Name
				}
				internal[local] = true
			}
		}
		ast.FileExports(file) // leaves what is exported, and what functions do
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				return false
			case *ast.FuncDecl:
				found++
				return n.Recv == nil || ast.IsExported(receiver(n.Recv.List[0].Type))
			case *ast.SelectorExpr:
				if p, ok := n.X.(*ast.Ident); ok {
					assert.False(t, internal[p.Name], "%s: %s.%s is internal", fset.Position(n.Pos()), p.Name, n.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	assert.NotZero(t, found)
}

// receiver returns the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
