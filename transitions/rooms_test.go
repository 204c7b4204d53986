package transitions_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
)

// TestRoomsPair reads the sources of both sides: the file of package states that
// names a state, with what is asked there, and the file here with the function
// that says what the answers mean have the same name; and wherever a file here
// has the name of a room, the functions of all its states are in it.
func TestRoomsPair(t *testing.T) {
	asked, named := map[string]string{}, map[string]string{}
	each(t, "../states", func(file string, d ast.Decl) {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			return
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "State" {
				continue
			}
			name := v.Names[0].Name
			asked[name] = file
			value, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil || !states.Known(states.State(value)) {
				t.Errorf("%s: %s is no state (%v)", file, value, err)
			}
		}
	})
	if len(asked) != len(states.All) {
		t.Errorf("%d states are named, %d are listed", len(asked), len(states.All))
	}
	each(t, ".", func(file string, d ast.Decl) {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || len(f.Type.Params.List) != 1 || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
			return
		}
		if typ, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && typ.Name == "Event" {
			named[f.Name.Name] = file
		}
	})
	for _, state := range slices.Sorted(maps.Keys(asked)) {
		classify := strings.ToLower(state[:1]) + state[1:]
		if named[classify] != asked[state] {
			t.Errorf("%s is in states/%s, its function %s in transitions/%s", state, asked[state], classify, named[classify])
		}
	}
}

// each visits the declarations of a folder, without its tests.
func each(t *testing.T, dir string, visit func(file string, d ast.Decl)) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			visit(e.Name(), d)
		}
	}
}
