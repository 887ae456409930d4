// Command mutate changes the formulas of package loss one at a time and reports which
// changes the tests do not notice:
//
//	go run ./loss/testdata/mutate [-list] [-workers 1] [file.go …]
//
// from the root of the module. Without arguments it takes every file of the package with a
// formula in it. A change is one of: − for +, ÷ for × and the other way round, a dropped
// minus sign, a function of the negative (σ(z) for σ(−z)), another constant (a missing 2), >
// for <, ≠ for =, min for max. What is returned beside an error is left alone. All changes are
// compiled into one test binary, from copies, and an environment variable picks the one that
// acts; nothing in the tree is touched.
//
// A change that is not noticed is printed as SURVIVED, with its place. Those that change no
// result, or only its rounding or its time, are listed in equivalent.txt with the reason.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

//go:embed equivalent.txt
var equivalents string

// skipped have no formulas: checks, plumbing, texts.
var skipped = map[string]bool{"doc.go": true, "errors.go": true, "pairs.go": true, "coupled.go": true}

// picker is compiled into the package: pick returns b where the change id acts.
const picker = `package loss

import (
	"os"
	"strconv"
)

var mutant, _ = strconv.Atoi(os.Getenv("MUTANT"))

func pick[T any](id int, a, b T) T {
	if id == mutant {
		return b
	}
	return a
}
`

func main() {
	log.SetFlags(0)
	list := flag.Bool("list", false, "print the changes and stop")
	workers := flag.Int("workers", 1, "how many changes are tried at a time")
	flag.Parse()
	all, err := filepath.Glob("loss/*.go")
	check(err)
	m := &mutator{fset: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}, twins: map[string]int{}}
	names := map[string]*ast.File{}
	var trees []*ast.File
	for _, f := range all {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(m.fset, f, nil, parser.SkipObjectResolution)
		check(err)
		names[f] = tree
		trees = append(trees, tree)
	}
	conf := types.Config{Importer: importer.ForCompiler(m.fset, "source", nil)}
	_, err = conf.Check("github.com/prefgrad/prefgrad/loss", m.fset, trees, m.info)
	check(err)

	var files []string
	for _, f := range flag.Args() {
		files = append(files, filepath.Join("loss", filepath.Base(f)))
	}
	if len(files) == 0 {
		for _, f := range all {
			if names[f] != nil && !skipped[filepath.Base(f)] {
				files = append(files, f)
			}
		}
	}
	dir, err := os.MkdirTemp("", "mutate")
	check(err)
	defer os.RemoveAll(dir)
	replace := map[string]string{absolute("loss/zz_picker.go"): filepath.Join(dir, "zz_picker.go")}
	check(os.WriteFile(filepath.Join(dir, "zz_picker.go"), []byte(picker), 0o600))
	for _, f := range files {
		text := m.file(f, names[f])
		changed := filepath.Join(dir, filepath.Base(f))
		check(os.WriteFile(changed, text, 0o600))
		replace[absolute(f)] = changed
	}
	if *list {
		for i, s := range m.sites {
			fmt.Println(i+1, s)
		}
		return
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	check(err)
	check(os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	binary := filepath.Join(dir, "loss.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "./loss")
	if out, err := build.CombinedOutput(); err != nil {
		log.Fatalf("%s\n%v", out, err)
	}
	if !passes(binary, 0) {
		log.Fatal("mutate: the tests fail without a change")
	}
	unnoticed := make([]bool, len(m.sites))
	next := make(chan int)
	var wg sync.WaitGroup
	for range *workers {
		wg.Go(func() {
			for i := range next {
				unnoticed[i] = passes(binary, i+1)
			}
		})
	}
	for i := range m.sites {
		next <- i
	}
	close(next)
	wg.Wait()
	noticed, survived := 0, 0
	for i, s := range m.sites {
		switch {
		case !unnoticed[i]:
			noticed++
			if equivalent(s) {
				fmt.Println("NOTICED, though equivalent.txt has it:", s)
			}
		case !equivalent(s):
			survived++
			fmt.Println("SURVIVED", s)
		}
	}
	fmt.Printf("%d changes, %d noticed, %d survived, %d known to be equivalent\n",
		len(m.sites), noticed, survived, len(m.sites)-noticed-survived)
}

// passes runs the tests with one change.
func passes(binary string, id int) bool {
	run := exec.Command(binary, "-test.failfast", "-test.timeout", "60s")
	run.Dir = "loss"
	run.Env = append(os.Environ(), fmt.Sprint("MUTANT=", id))
	return run.Run() == nil
}

// equivalent reports whether equivalent.txt has the site.
func equivalent(site string) bool { return strings.Contains("\n"+equivalents, "\n"+key(site)+"\t") }

// key is a site without its line, as equivalent.txt has it.
func key(site string) string {
	file, rest, _ := strings.Cut(site, ":")
	_, what, _ := strings.Cut(rest, ": ")
	return file + ": " + what
}

func absolute(f string) string {
	p, err := filepath.Abs(f)
	check(err)
	return p
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// mutator collects the changes of all files.
type mutator struct {
	fset  *token.FileSet
	info  *types.Info
	sites []string // file:line: function: change
	twins map[string]int
	base  token.Pos
	text  []byte
	name  string
	fn    string
	edits map[ast.Node]func(inner func(ast.Node) string) string
}

// file returns the text of a file with all changes of its functions in it.
func (m *mutator) file(name string, tree *ast.File) []byte {
	text, err := os.ReadFile(name)
	check(err)
	m.base, m.text, m.name = m.fset.File(tree.Pos()).Pos(0), text, filepath.Base(name)
	m.edits = map[ast.Node]func(func(ast.Node) string) string{}
	for _, decl := range tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			m.fn = f.Name.Name
			m.collect(f.Body)
		}
	}
	return []byte(string(text[:tree.Name.Pos()-m.base]) + m.render(tree, tree.Name.Pos(), m.base+token.Pos(len(text))))
}

var swap = map[token.Token]token.Token{
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.LSS: token.GTR, token.GTR: token.LSS, token.LEQ: token.GEQ, token.GEQ: token.LEQ,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.ADD_ASSIGN: token.SUB, token.SUB_ASSIGN: token.ADD, token.MUL_ASSIGN: token.QUO, token.QUO_ASSIGN: token.MUL,
}

// collect notes the changes below n. What is a float64, or compares two, is a formula.
func (m *mutator) collect(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IndexExpr:
			m.collect(n.X)
			return false
		case *ast.SliceExpr, *ast.ArrayType, *ast.GenDecl:
			return false
		case *ast.ReturnStmt:
			if k := len(n.Results); k > 1 && m.failed(n.Results[k-1]) {
				return false
			}
		case *ast.CompositeLit:
			if s := m.source(n.Type); s == "InputError" || s == "ParamError" {
				return false
			}
		case *ast.BinaryExpr:
			if to, ok := swap[n.Op]; ok && m.float(n.X) && m.float(n.Y) {
				t := "float64"
				switch to {
				case token.LSS, token.GTR, token.LEQ, token.GEQ, token.EQL, token.NEQ:
					t = "bool"
				}
				id := m.site(n, m.source(n)+" with "+to.String())
				m.edits[n] = func(inner func(ast.Node) string) string {
					x, y := inner(n.X), inner(n.Y)
					return fmt.Sprintf("pick[%s](%d, (%s)%s(%s), (%s)%s(%s))", t, id, x, n.Op, y, x, to, y)
				}
			}
		case *ast.AssignStmt:
			if to, ok := swap[n.Tok]; ok && m.float(n.Lhs[0]) {
				from := token.Token(n.Tok - token.ADD_ASSIGN + token.ADD)
				id := m.site(n, m.source(n)+" with "+to.String())
				m.edits[n] = func(inner func(ast.Node) string) string {
					x, y := m.source(n.Lhs[0]), inner(n.Rhs[0])
					return fmt.Sprintf("%s = pick[float64](%d, %s%s(%s), %s%s(%s))", x, id, x, from, y, x, to, y)
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.SUB && m.float(n) {
				id := m.site(n, m.source(n)+" without −")
				m.edits[n] = func(inner func(ast.Node) string) string {
					x := inner(n.X)
					return fmt.Sprintf("pick[float64](%d, -(%s), %s)", id, x, x)
				}
			}
		case *ast.CallExpr:
			switch f := m.source(n.Fun); f {
			case "num.Sigmoid", "num.Softplus", "num.LogSigmoid", "math.Exp", "math.Expm1":
				id := m.site(n, m.source(n)+" of the negative")
				m.edits[n] = func(inner func(ast.Node) string) string {
					x := inner(n.Args[0])
					return fmt.Sprintf("%s(pick[float64](%d, %s, -(%s)))", f, id, x, x)
				}
			case "min", "max":
				if !m.float(n) {
					break
				}
				other := "min"
				if f == "min" {
					other = "max"
				}
				id := m.site(n, m.source(n)+" with "+other)
				m.edits[n] = func(inner func(ast.Node) string) string {
					x, y := inner(n.Args[0]), inner(n.Args[1])
					return fmt.Sprintf("pick[float64](%d, %s(%s, %s), %s(%s, %s))", id, f, x, y, other, x, y)
				}
			}
		case *ast.BasicLit:
			if (n.Kind == token.INT || n.Kind == token.FLOAT) && m.float(n) {
				to := "3"
				if n.Value == "0" {
					to = "1"
				}
				id := m.site(n, n.Value+" is "+to)
				m.edits[n] = func(func(ast.Node) string) string { return fmt.Sprintf("pick[float64](%d, %s, %s)", id, n.Value, to) }
			}
		}
		return true
	})
}

// failed reports whether e, the last result of several, is an error or false.
func (m *mutator) failed(e ast.Expr) bool {
	s := m.source(e)
	return s == "false" || strings.HasPrefix(s, "&") || s != "nil" && types.Identical(m.info.Types[e].Type, types.Universe.Lookup("error").Type())
}

// float reports whether e is a float64, or a constant that becomes one.
func (m *mutator) float(e ast.Expr) bool {
	b, ok := m.info.Types[e].Type.(*types.Basic)
	return ok && (b.Kind() == types.Float64 || b.Kind() == types.UntypedFloat)
}

// site gives a change its number.
func (m *mutator) site(n ast.Node, what string) int {
	what = strings.Join(strings.Fields(what), " ")
	s := fmt.Sprintf("%s:%d: %s: %s", m.name, m.fset.Position(n.Pos()).Line, m.fn, what)
	m.twins[key(s)]++
	if k := m.twins[key(s)]; k > 1 {
		s += fmt.Sprintf(" (%d)", k)
	}
	m.sites = append(m.sites, s)
	return len(m.sites)
}

func (m *mutator) source(n ast.Node) string {
	if n == nil {
		return ""
	}
	if e, ok := n.(ast.Expr); ok && e == nil {
		return ""
	}
	return string(m.text[n.Pos()-m.base : n.End()-m.base])
}

// render returns the text from lo to hi, a part of n, with the changes inside it.
func (m *mutator) render(n ast.Node, lo, hi token.Pos) string {
	var out bytes.Buffer
	ast.Inspect(n, func(c ast.Node) bool {
		edit := m.edits[c]
		if c == nil || edit == nil {
			return true
		}
		out.Write(m.text[lo-m.base : c.Pos()-m.base])
		out.WriteString(edit(func(inner ast.Node) string { return m.render(inner, inner.Pos(), inner.End()) }))
		lo = c.End()
		return false
	})
	out.Write(m.text[lo-m.base : hi-m.base])
	return out.String()
}
