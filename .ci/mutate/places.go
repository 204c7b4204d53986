package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

type verdict int

const (
	notRun verdict = iota
	wasKilled
	survivedAll
	notReached
)

// mutant is one change of the code. Its name consists of the file, the function, the
// change, the changed text, and a number if the same change is there more than once. It
// has no line number, so that it stays the same when a line is added above.
type mutant struct {
	id      int
	dir     string
	file    string // relative to the module, with slashes
	line    int
	name    string
	dropped bool // it does not compile
	verdict verdict
}

// survived reports whether no test noticed the mutant.
func (m *mutant) survived() bool { return m.verdict == survivedAll || m.verdict == notReached }

// String says how a mutant survived, where it is, and its name.
func (m *mutant) String() string {
	how := "survived   "
	if m.verdict == notReached {
		how = "not reached"
	}
	return fmt.Sprintf("%s %s:%d: %s", how, m.file, m.line, m.name)
}

// plan holds all mutants, and the text of each file with its switches.
type plan struct {
	all   []*mutant
	files map[string]*source // by path relative to the module
	names map[string]int
	paks  map[string]string // from directory to package name
}

func (p *plan) dropped() (n int) {
	for _, m := range p.all {
		if m.dropped {
			n++
		}
	}
	return n
}

// source is a file with the insertions that make the switches.
type source struct {
	text []byte
	ins  []insertion
}

// insertion is text that is inserted at an offset; it belongs to a mutant.
type insertion struct {
	offset int
	text   string
	closes bool
	depth  int
	mutant *mutant
}

// listed is what go list says about a package.
type listed struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	CgoFiles   []string
	Export     string
}

func goList(args ...string) ([]listed, error) {
	c := exec.Command("go", append([]string{"list", "-export", "-json=ImportPath,Dir,Name,GoFiles,CgoFiles,Export"}, args...)...)
	c.Stderr = os.Stderr
	b, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var out []listed
	d := json.NewDecoder(strings.NewReader(string(b)))
	for {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
}

// mutants finds every place of the targets that can be broken.
func mutants(chosen []target) (*plan, error) {
	var dirs []string
	for _, t := range chosen {
		dirs = append(dirs, "./"+t.dir)
	}
	deps, err := goList(append([]string{"-deps"}, dirs...)...)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, d := range deps {
		exports[d.ImportPath] = d.Export
	}
	p := &plan{files: map[string]*source{}, names: map[string]int{}, paks: map[string]string{}}
	for _, t := range chosen {
		pkgs, err := goList("./" + t.dir)
		if err != nil {
			return nil, err
		}
		if err := p.add(t.dir, pkgs[0], exports); err != nil {
			return nil, fmt.Errorf("%s: %w", t.dir, err)
		}
	}
	return p, nil
}

// add finds the places of one package.
func (p *plan) add(dir string, pkg listed, exports map[string]string) error {
	fset := token.NewFileSet()
	var files []*ast.File
	texts := map[*ast.File][]byte{}
	for _, name := range pkg.GoFiles {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
		texts[f] = text
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})}
	if _, err := conf.Check(pkg.ImportPath, fset, files, info); err != nil {
		return err
	}
	p.paks[dir] = pkg.Name
	for i, f := range files {
		name := pkg.GoFiles[i]
		if ast.IsGenerated(f) {
			continue
		}
		file := dir + "/" + name
		src := &source{text: texts[f]}
		p.files[file] = src
		w := walker{plan: p, dir: dir, file: file, src: src, fset: fset, info: info, syntax: f}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				w.fn = funcName(fn)
				w.block(fn.Body.List)
			}
		}
	}
	return nil
}

func funcName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

// mutant adds a mutant.
func (p *plan) mutant(dir, file, fn, change, what string, line int) *mutant {
	what = strings.Join(strings.Fields(what), " ")
	if len(what) > 70 {
		what = what[:60] + "…" + what[len(what)-9:]
		what = strings.ToValidUTF8(what, "")
	}
	name := fmt.Sprintf("%s %s: %s: %s", file, fn, change, what)
	p.names[name]++
	if n := p.names[name]; n > 1 {
		name = fmt.Sprintf("%s (%d)", name, n)
	}
	m := &mutant{id: len(p.all) + 1, dir: dir, file: file, line: line, name: name}
	p.all = append(p.all, m)
	return m
}

// rank orders the mutants of a sample.
func rank(seed, name string) string {
	h := sha256.Sum256([]byte(seed + "\n" + name))
	return string(h[:8])
}
