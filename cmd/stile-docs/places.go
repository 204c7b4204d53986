package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// findTests reads the tests and scripts under root, and lists where they name rules.
func findTests(root string) (citations, error) {
	constants, err := readConstants(root)
	if err != nil {
		return nil, err
	}
	var out citations
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(rel)
		script := strings.HasPrefix(file, "testdata/scripts/")
		if !script && !strings.HasSuffix(file, "_test.go") || isRegistry(file) || path.Dir(file) == "cmd/stile-docs" {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !script {
			cs, err := citedIn(file, src, constants)
			out = append(out, cs...)
			return err
		}
		for line := range strings.Lines(string(src)) {
			if !strings.HasPrefix(line, "#") {
				break
			}
			for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(" ,;:().#\n", r) }) {
				if _, ok := rules.Lookup(rules.ID(word)); ok {
					out = append(out, citation{rules.ID(word), place{file: file}})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the tests of rules: %w", err)
	}
	// Scripts come first, because a reader can follow them.
	slices.SortFunc(out, func(a, b citation) int {
		aScript, bScript := a.place.decl == "", b.place.decl == ""
		if aScript != bScript {
			if aScript {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.place.file, b.place.file), cmp.Compare(a.place.decl, b.place.decl))
	})
	return out, nil
}

// findPlaces reads the Go files under root that are not tests, and lists where they
// cite a rule: by its constant, by its id as a string, or in a paragraph of a
// declaration's comment that begins with "Rules:". Such a paragraph names the rules that
// the declaration keeps by the way it is built.
func findPlaces(root string) (citations, error) {
	constants, err := readConstants(root)
	if err != nil {
		return nil, err
	}
	var out citations
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := name != root && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_"))
			if hidden || d.Name() == "testdata" || d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(rel)
		if isRegistry(file) || isFaults(file) {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		cs, err := citedIn(file, src, constants)
		out = append(out, cs...)
		return err
	})
	if err == nil {
		out, err = judgesOf(root, out)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the places that keep rules: %w", err)
	}
	slices.SortFunc(out, func(a, b citation) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.place.file, b.place.file), cmp.Compare(a.place.decl, b.place.decl))
	})
	return slices.Compact(out), nil
}

// citedIn lists the citations of one file.
func citedIn(file string, src []byte, known constants) (citations, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var out citations
	for _, d := range f.Decls {
		for _, id := range keptBy(docOf(d)) {
			if _, ok := rules.Lookup(id); !ok {
				return nil, fmt.Errorf("%s: %s says that it keeps %q, which is no rule", file, declName(d), id)
			}
			out = append(out, citation{id, place{file, declName(d)}})
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); !ok || pkg.Name != "rules" {
					return true
				}
				if id, ok := known[n.Sel.Name]; ok {
					out = append(out, citation{id, place{file, declName(d)}})
				}
			case *ast.BasicLit:
				if id, ok := ruleLiteral(n); ok {
					out = append(out, citation{id, place{file, declName(d)}})
				}
			}
			return true
		})
	}
	return out, nil
}

// docOf returns the text of a declaration's comment.
func docOf(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc.Text()
	case *ast.GenDecl:
		return d.Doc.Text()
	}
	return ""
}

// keptBy lists the rules in the paragraph of a comment that begins with "Rules:".
func keptBy(doc string) []rules.ID {
	var out []rules.ID
	for par := range strings.SplitSeq(doc, "\n\n") {
		list, ok := strings.CutPrefix(par, "Rules:")
		if !ok {
			continue
		}
		for id := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == '.' || r == ' ' || r == '\n' }) {
			out = append(out, rules.ID(id))
		}
	}
	return out
}

// declName names a declaration at the top of a file: a function, a method with
// its type, or the first name of a group.
func declName(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || len(d.Recv.List) == 0 {
			return d.Name.Name
		}
		t := d.Recv.List[0].Type
		for {
			switch x := t.(type) {
			case *ast.StarExpr:
				t = x.X
				continue
			case *ast.IndexExpr:
				t = x.X
				continue
			case *ast.Ident:
				return x.Name + "." + d.Name.Name
			}
			return d.Name.Name
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				return s.Names[0].Name
			case *ast.TypeSpec:
				return s.Name.Name
			}
		}
	}
	return ""
}
