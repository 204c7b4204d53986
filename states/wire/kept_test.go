package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// Every rule that is said to be kept is in the registry, is named once, and is
// kept by a function that exists.
func TestKept(t *testing.T) {
	funcs := map[string]bool{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				funcs[f.Name.Name] = true
			}
		}
	}
	seen := map[RuleID]bool{}
	for _, k := range Kept() {
		if _, ok := LookupRule(k.Rule); !ok {
			t.Errorf("unknown rule %q", k.Rule)
		}
		if seen[k.Rule] {
			t.Errorf("rule %q is named twice", k.Rule)
		}
		seen[k.Rule] = true
		if !funcs[k.By] || !ast.IsExported(k.By) {
			t.Errorf("rule %q is kept by %q, which is no exported function", k.Rule, k.By)
		}
	}
}
