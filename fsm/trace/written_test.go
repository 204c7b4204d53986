package trace

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/lines"
)

const (
	formatPage = "../../docs/trace-format.md"
	readerFile = "../../testdata/traces/read.py"
)

// TestGoldenPage comes after TestGolden, whose traces it shows: the lines that the page shows are those of recorded traces,
// and its reader is the one that is tested.
func TestGoldenPage(t *testing.T) {
	b, err := os.ReadFile(formatPage)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "<!-- line: ")
	if len(parts) < 5 {
		t.Fatalf("%d examples", len(parts)-1)
	}
	for i, part := range parts[1:] {
		where, rest, _ := strings.Cut(part, " -->\n```json\n")
		shown, rest, ok := strings.Cut(rest, "```\n")
		name, n := "", 0
		if _, err := fmt.Sscanf(where, "%s %d", &name, &n); err != nil || !ok {
			t.Fatalf("the example %q: %v", where, err)
		}
		_, file := goldenTrace(t, name)
		want := string(bytes.SplitAfter(file, []byte("\n"))[n-1])
		if shown != want && !rewriting() {
			t.Errorf("%s is stale (go test ./fsm/trace -run Golden -rewrite): line %d of %s is\n%s", formatPage, n, name, want)
		}
		parts[i+1] = where + " -->\n```json\n" + want + "```\n" + rest
	}
	page := strings.Join(parts, "<!-- line: ")
	source, err := os.ReadFile(readerFile)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(source), "# reader: begin\n")
	text, _, _ = strings.Cut(text, "# reader: end\n")
	before, rest, _ := strings.Cut(page, "```python\n")
	shown, after, ok := strings.Cut(rest, "```\n")
	if !ok || text == "" {
		t.Fatal("the page shows no reader")
	}
	if shown != text && !rewriting() {
		t.Errorf("%s does not show %s as it is (go test ./fsm/trace -run Golden -rewrite)", formatPage, readerFile)
	}
	if rewriting() {
		if err := os.WriteFile(formatPage, []byte(before+"```python\n"+text+"```\n"+after), 0o644); err != nil { //nolint:gosec // a page
			t.Fatal(err)
		}
	}
}

// TestReaderInPython: a program that knows the page alone reads every trace as
// this package does, and refuses what does not follow.
func TestReaderInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no python3: CI must have one")
		}
		t.Skip("SKIPPED: no python3 on this machine, the page's reader was not tried")
	}
	read := func(path string) (string, error) {
		c := exec.CommandContext(t.Context(), python, readerFile, path)
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
		out, err := c.Output()
		return string(out), err
	}
	files, err := filepath.Glob(goldenPath("*"))
	if err != nil || len(files) < len(golden) {
		t.Fatalf("%v %v", files, err)
	}
	for _, path := range files {
		tr, _ := goldenTrace(t, strings.TrimSuffix(filepath.Base(path), ".ndjson"))
		var want strings.Builder
		want.WriteString(serverOf(tr) + "\n")
		for _, s := range tr.Steps {
			w := lines.Writer{B: []byte{'{'}}
			w.Input(s.Input)
			kind := strings.Split(string(w.B), `"`)[1]
			fmt.Fprintln(&want, s.N, s.From, kind, s.Event, s.To)
		}
		if got, err := read(path); err != nil || got != want.String() {
			t.Errorf("%s: %v\n%s\nwant\n%s", path, err, got, want.String())
		}
	}
	_, good := goldenTrace(t, "cold-login")
	for name, bad := range map[string][]byte{
		"a step is missing": bytes.Replace(good, []byte(`{"n":3,`), []byte(`{"n":4,`), 1),
		"another state":     bytes.Replace(good, []byte(`"from":"Loading"`), []byte(`"from":"Saving"`), 1),
		"cut":               good[:len(good)-10],
		"another version":   bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2`), 1),
		"a stray answer":    bytes.Replace(good, []byte(`"Saved":{"serial":3`), []byte(`"Saved":{"serial":77`), 1),
	} {
		path := filepath.Join(t.TempDir(), "bad.ndjson")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := read(path); err == nil {
			t.Errorf("%s: read as\n%s", name, out)
		}
	}
}
