package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"

	"github.com/stile-oauth/stile/states/rules"
)

// constants maps the name of a constant to the id that it holds.
type constants map[string]rules.ID

// readConstants reads the constants of the rules from their source.
func readConstants(root string) (constants, error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(registryDir), "rules_gen.go"))
	if err != nil {
		return nil, err
	}
	out := constants{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, n := range v.Names {
					if i >= len(v.Values) {
						continue
					}
					if id, ok := ruleLiteral(v.Values[i]); ok {
						out[n.Name] = id
					}
				}
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no constants of rules in %s: is %s the module's directory?", registryDir, root)
	}
	return out, nil
}

// ruleLiteral is the id of a rule that e contains as a string literal.
func ruleLiteral(e ast.Expr) (rules.ID, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return "", false
	}
	_, ok = rules.Lookup(rules.ID(s))
	return rules.ID(s), ok
}
