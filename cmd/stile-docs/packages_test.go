package main

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notGo are the packages whose comment first shows something other than Go.
var notGo = map[string]string{
	"storage/open": "the texts that name a store",
}

// TestPackagesShowTheirUse checks the comment of every public package: it must show how
// the package is used, in lines that also occur in a test beside it and so compile, what it
// guarantees, and who should not use it.
func TestPackagesShowTheirUse(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch name := d.Name(); {
		case strings.HasPrefix(name, ".") && dir != root, name == "testdata", name == "internal", name == "cmd", name == "docs":
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		if checkPackage(t, dir, filepath.ToSlash(rel)) {
			seen++
		}
		return nil
	})
	if err != nil || seen < 30 {
		t.Fatalf("%d packages: %v", seen, err)
	}
}

// checkPackage reports whether dir contains a package that others can import.
func checkPackage(t *testing.T, dir, rel string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	about, public, example := "", false, false
	var tests strings.Builder
	for _, name := range files {
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			about += f.Doc.Text()
			public = public || exports(f)
			continue
		}
		if !strings.HasSuffix(f.Name.Name, "_test") {
			continue
		}
		example = example || len(doc.Examples(f)) > 0
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	if !public {
		return false
	}
	shown := shownCode(about)
	if notGo[rel] != "" {
		shown = nil
	} else if len(shown) == 0 {
		t.Errorf("%s: the package comment shows no code", rel)
	}
	if !example && (len(shown) == 0 || !strings.HasPrefix(shown[0], "func Test")) {
		t.Errorf("%s: no Example in a _test package", rel)
	}
	have := map[string]bool{}
	for line := range strings.Lines(tests.String()) {
		have[plainLine(line)] = true
	}
	for _, line := range shown {
		if line != "" && !have[line] {
			t.Errorf("%s: the package comment shows %q, which no test beside it has", rel, line)
		}
	}
	if !strings.Contains(about, "# Guarantees") {
		t.Errorf("%s: the package comment does not say what the package guarantees", rel)
	}
	if !strings.Contains(about, "# Who should not use it") {
		t.Errorf("%s: the package comment does not say who should not use it", rel)
	}
	return true
}

// exports reports whether a file declares anything that others can use.
func exports(f *ast.File) bool {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				return true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() {
					return true
				}
			}
		}
	}
	return false
}

// shownCode returns the lines of the first block of code in a comment.
func shownCode(about string) []string {
	for _, b := range new(comment.Parser).Parse(about).Content {
		if code, ok := b.(*comment.Code); ok {
			var out []string
			for line := range strings.Lines(code.Text) {
				out = append(out, plainLine(line))
			}
			return out
		}
	}
	return nil
}

var trailing = regexp.MustCompile(`(^|\s)// .*$`)

// plainLine is a line of code without its comment, and with single spaces.
func plainLine(line string) string {
	return strings.Join(strings.Fields(trailing.ReplaceAllString(strings.TrimSpace(line), "")), " ")
}
