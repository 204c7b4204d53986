package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mostLines is what no file of Go reaches, so that each can be read as a whole.
const mostLines = 300

// longer are the files that are longer, each with its own bound and the reason.
var longer = map[string]struct {
	most int
	why  string
}{
	"transitions/event.go": {400, "the names of all events, each with its meaning"},
	"transitions/table.go": {900, "the whole protocol is in one table"},
}

// TestFilesAreShort counts the lines of every file of Go that is neither a test nor
// generated.
func TestFilesAreShort(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	seen, met := 0, map[string]bool{}
	for _, name := range tracked(t, root) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(text, []byte("// Code generated ")) {
			continue
		}
		seen++
		lines, most := bytes.Count(text, []byte("\n")), mostLines
		if l, ok := longer[name]; ok && lines >= mostLines {
			met[name], most = true, l.most
		}
		if lines >= most {
			t.Errorf("%s has %d lines: divide it, so that it has fewer than %d", name, lines, most)
		}
	}
	for name := range longer {
		if !met[name] {
			t.Errorf("%s is said to be longer than others, and is not", name)
		}
	}
	if seen < 300 {
		t.Errorf("only %d files were found", seen)
	}
}
