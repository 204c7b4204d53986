package fsm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/stile-oauth/stile/"

// core are the roots of the pure part.
var core = []string{"states", "transitions", "fsm"}

// source is one file of the core that is not a test.
type source struct {
	path string // from the module's root, with slashes
	file *ast.File
	set  *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, root := range core {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			out = append(out, source{filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))), file, set})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 50 {
		t.Fatalf("%d files only: where is the core?", len(out))
	}
	return out
}

// allowed are the packages of the standard library that the core may use.
// None of them does input or output, reads a clock, draws chance, or waits.
var allowed = []string{
	"bytes", "cmp", "context", "crypto/hmac", "crypto/sha256", "crypto/sha512", "crypto/subtle", "embed", "encoding/asn1", "encoding/base64", "encoding/binary",
	"encoding/hex", "encoding/json", "encoding/pem", "errors", "fmt", "html", "iter", "maps", "math", "math/big", "math/bits", "net/netip", "net/url", "path",
	"reflect", "regexp", "slices", "sort", "strconv", "strings", "text/tabwriter", "time", "unicode", "unicode/utf16", "unicode/utf8",
}

// third are the libraries that the core may use.
var third = []string{"github.com/looplab/fsm", "github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext"}

func TestCoreImportsNothingThatActs(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if !strings.HasPrefix(path, module) && !slices.Contains(allowed, path) && !slices.Contains(third, path) {
				t.Errorf("%s imports %s", s.path, path)
			}
		}
	}
}

// TestCoreIsPure: no clock is read, nothing runs beside, nothing waits.
func TestCoreIsPure(t *testing.T) {
	for _, s := range sources(t) {
		where := func(n ast.Node) string { return s.path + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line) }
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", where(n))
			case *ast.ChanType:
				t.Errorf("%s has a channel", where(n))
			case *ast.SelectStmt:
				t.Errorf("%s has a select", where(n))
			case *ast.SendStmt:
				t.Errorf("%s sends on a channel", where(n))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(
					[]string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "Sleep", "NewTimer", "NewTicker", "Local", "LoadLocation"}, n.Sel.Name) {
					t.Errorf("%s uses time.%s", where(n), n.Sel.Name)
				}
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "fmt" && (strings.HasPrefix(n.Sel.Name, "Print") || strings.HasPrefix(n.Sel.Name, "Scan")) {
					t.Errorf("%s uses fmt.%s", where(n), n.Sel.Name)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "println" {
					t.Errorf("%s prints", where(n))
				}
			}
			return true
		})
	}
}

// TestCoreLooksOnlyDown: rules ← wire ← states ← transitions ← fsm ← what is below fsm.
func TestCoreLooksOnlyDown(t *testing.T) {
	layer := func(path string) int {
		switch {
		case path == "states/rules":
			return -1
		case strings.HasPrefix(path, "states/wire"):
			return 0
		case path == "states" || strings.HasPrefix(path, "states/"):
			return 1
		case path == "transitions" || strings.HasPrefix(path, "transitions/"):
			return 2
		case path == "fsm":
			return 3
		case strings.HasPrefix(path, "fsm/"):
			return 4
		}
		return 5
	}
	for _, s := range sources(t) {
		from := s.path[:strings.LastIndexByte(s.path, '/')]
		for _, i := range s.file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			to, ours := strings.CutPrefix(path, module)
			if ours && layer(to) > layer(from) {
				t.Errorf("%s imports %s, which is above it", s.path, to)
			}
		}
	}
}
