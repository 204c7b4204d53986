// Stile-docs writes the pages under docs that follow from the code: the rules with the
// places that keep them, the states, the table of transitions and its drawing. In the
// hand-written pages it writes the numbers that follow from the code. It also writes the
// map of what each event means (transitions/event_gen.go). All of this is made from the
// registry, the table and the syntax of the source files, and never by hand.
//
//	go run ./cmd/stile-docs          writes the pages
//	go run ./cmd/stile-docs -check   exits 1 and names the pages that are stale
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments. It returns 0 if all is well, 1 if a
// page is stale or cannot be made, and 2 for a wrong argument.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("stile-docs", flag.ContinueOnError)
	flags.SetOutput(stderr)
	check := flags.Bool("check", false, "write nothing; exit 1 and name the pages that are stale")
	root := flags.String("root", "", "the module's directory (default: found from the working directory)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "stile-docs: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	fail := func(err error) int {
		_, _ = fmt.Fprintln(stderr, "stile-docs:", err)
		return 1
	}
	dir := *root
	if dir == "" {
		var err error
		if dir, err = moduleRoot(); err != nil {
			return fail(err)
		}
	}
	pages, err := makePages(dir)
	if err != nil {
		return fail(err)
	}
	if *check {
		return report(dir, pages, stderr)
	}
	for _, p := range pages {
		changed, err := p.write(dir)
		if err != nil {
			return fail(err)
		}
		if changed {
			_, _ = fmt.Fprintln(stdout, "wrote", p.path)
		}
	}
	return 0
}

// page is one generated file; path is relative to the module's directory, with
// slashes.
type page struct {
	path string
	text []byte
}

// makePages makes all pages from the code under root, in a fixed order.
func makePages(root string) ([]page, error) {
	places, err := findPlaces(root)
	if err != nil {
		return nil, err
	}
	tests, err := findTests(root)
	if err != nil {
		return nil, err
	}
	meanings, err := findMeanings(root)
	if err != nil {
		return nil, err
	}
	events, err := eventsSource(meanings)
	if err != nil {
		return nil, err
	}
	written, err := countedPages(root)
	if err != nil {
		return nil, err
	}
	faults, err := matrixPage()
	if err != nil {
		return nil, err
	}
	return append([]page{
		{"docs/audit.md", auditPage()},
		{"docs/audit-matrix.md", faults},
		{"docs/rules.md", rulesPage(places, tests)},
		{"docs/states.md", statesPage()},
		{"docs/table.md", tablePage(meanings)},
		{"docs/table.svg", drawing()},
		{"transitions/event_gen.go", events},
	}, written...), nil
}

// report names the pages under root that are missing or stale.
func report(root string, pages []page, w io.Writer) int {
	code := 0
	for _, p := range pages {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.path)))
		switch {
		case errors.Is(err, os.ErrNotExist):
			_, _ = fmt.Fprintf(w, "%s is missing; go run ./cmd/stile-docs writes it\n", p.path)
		case err != nil:
			_, _ = fmt.Fprintln(w, err)
		case !bytes.Equal(got, p.text):
			_, _ = fmt.Fprintf(w, "%s is stale; go run ./cmd/stile-docs writes it anew\n", p.path)
		default:
			continue
		}
		code = 1
	}
	return code
}

// write puts the page under root, unless the same page is there already.
func (p page) write(root string) (changed bool, err error) {
	name := filepath.Join(root, filepath.FromSlash(p.path))
	if got, err := os.ReadFile(name); err == nil && bytes.Equal(got, p.text) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return false, err
	}
	return true, os.WriteFile(name, p.text, 0o644)
}

// moduleRoot is the nearest directory with a go.mod, from the working directory upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod here or above: run it inside the module")
		}
		dir = up
	}
}
