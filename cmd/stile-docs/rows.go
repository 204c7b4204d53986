package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// rowsFiles hold the table. A rule that is cited there is kept by the function that
// decides whether its row applies: the one that judges inputs in the row's state, or
// the one that judges inputs that mean the same in every state.
var rowsFiles = []string{"transitions/table.go", "transitions/everywhere.go"}

// anywhere is the function that judges inputs that mean the same in every state.
const anywhere = "step.everywhere"

// judgesOf replaces the citations in the table under root with the functions
// that judge its rows.
func judgesOf(root string, cs citations) (citations, error) {
	out := slices.DeleteFunc(slices.Clone(cs), func(c citation) bool { return slices.Contains(rowsFiles, c.place.file) })
	if len(out) == len(cs) {
		return cs, nil // there is no table under root
	}
	judges, err := findJudges(root)
	if err != nil {
		return nil, err
	}
	for _, r := range transitions.Table {
		if r.Rule == "" {
			continue
		}
		name := judgeName(r.From)
		if f := judges[name]; !names(f.body, string(r.On)) && names(judges[anywhere].body, string(r.On)) {
			name = anywhere
		}
		out = append(out, citation{r.Rule, place{judges[name].file, name}})
	}
	return out, nil
}

// judge is a function of package transitions.
type judge struct {
	file string
	body *ast.BlockStmt
}

func findJudges(root string) (map[string]judge, error) {
	files, err := filepath.Glob(filepath.Join(root, "transitions", "*.go"))
	if err != nil {
		return nil, err
	}
	out := map[string]judge{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				out[declName(fn)] = judge{path.Join("transitions", filepath.Base(name)), fn.Body}
			}
		}
	}
	return out, nil
}

// names reports whether a function names an event.
func names(body *ast.BlockStmt, event string) (found bool) {
	if body == nil {
		return false
	}
	ast.Inspect(body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Name == event
		return !found
	})
	return found
}

// judgeName is the name of the function that judges the inputs in a state: it is the
// name of the state's constant.
func judgeName(s states.State) string {
	name := strings.ReplaceAll(string(s), "-", "")
	return strings.ToLower(name[:1]) + name[1:]
}
