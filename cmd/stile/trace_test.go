package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// Both the command and the driver read STILE_TRACE, and a run is recorded once: the login,
// and that its token was accepted.
func TestTraceEnvironment(t *testing.T) {
	_, server := peers(t, nil, nil)
	dir := t.TempDir()
	t.Setenv("STILE_TRACE", dir)
	c := newCLI(t)
	c.env["STILE_TRACE"] = dir
	c.ok("login", server)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%q %v", files, err)
	}
	contains(t, c.ok("replay", files[0]).out, "same bytes")
}

// A file that is longer than any trace is refused by its size, before it is read.
func TestEnormousTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "enormous.ndjson")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil { // it has no blocks
		t.Skipf("a file of that size cannot be made here: %v", err)
	}
	c := newCLI(t)
	for _, command := range [][]string{{"trace", "show"}, {"replay"}, {"explain"}} {
		contains(t, c.exit(exitFailed, append(command, path)...).err, fmt.Sprint(int64(1)<<40, " bytes, at most"))
	}
}

func TestTraceCommands(t *testing.T) {
	_, server := peers(t, nil, nil)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.ndjson"), filepath.Join(dir, "bad.ndjson")
	c := newCLI(t)
	contains(t, c.ok("login", server, "--trace", good).err, "trace: "+good)
	none := filepath.Join(dir, "none.ndjson")
	contains(t, c.ok("tools", server, "--trace", none).err, "No trace was written")
	_, broken := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"asm-issuer-mismatch"} }, nil)
	c.exit(exitPeer, "login", broken, "--trace", bad)

	contains(t, c.ok("replay", good).out, "same bytes")
	if v := decode[struct{ Same bool }](t, c.ok("replay", bad, "--json").out); !v.Same {
		t.Error("the replay differs")
	}
	contains(t, c.ok("explain", bad).out, "asm-issuer-match", "the authorization server")
	contains(t, c.ok("explain", bad, "--json").out, "asm-issuer-match")
	contains(t, c.ok("trace", "show", good).out, "Registered", "Authorized")
	contains(t, c.ok("trace", "show", good, "--sequence").out, "sequenceDiagram")
	page := filepath.Join(dir, "page.html")
	c.ok("trace", "show", good, "--html", "-o", page)
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "<svg") {
		t.Errorf("the page: %v, %d bytes", err, len(b))
	}
	c.ok("trace", "diff", good, good)
	for _, out := range []string{
		c.ok("trace", "show", good, "--json").out, c.ok("explain", good, "--json").out, c.ok("explain", bad, "--json").out,
		c.ok("replay", good, "--json").out, c.ok("trace", "diff", good, good, "--json").out,
		c.exit(exitFailed, "trace", "diff", good, bad, "--json").out, c.ok("rules", "asm-issuer-match", "--json").out,
	} {
		snakeCase(t, decode[any](t, out), "")
	}
	shown := decode[struct {
		Rows []struct {
			Time    time.Time `json:"time"`
			Elapsed *float64  `json:"elapsed_seconds"`
			Notes   []string  `json:"notes"`
		} `json:"rows"`
	}](t, c.ok("trace", "show", good, "--json").out)
	if r := shown.Rows[3]; r.Elapsed == nil || *r.Elapsed > 60 || r.Time.IsZero() || r.Notes == nil {
		t.Errorf("%+v", r)
	}
	contains(t, c.exit(exitFailed, "trace", "diff", good, bad).out, "issuer")

	// Altered, truncated, foreign, missing: each is refused in one line.
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	altered := filepath.Join(dir, "altered.ndjson")
	if err := os.WriteFile(altered, []byte(strings.Replace(string(text), `"event":"PRMFound"`, `"event":"PRMMissing"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, c.exit(exitFailed, "replay", altered).err, "error:")
	for _, command := range [][]string{{"explain", altered}, {"trace", "show", altered}, {"trace", "diff", good, altered}} {
		r := c.exit(exitFailed, command...)
		if contains(t, r.err, "the trace was altered: step", "#trace-file"); strings.Count(sentence(r.err), "\n") != 1 || r.out != "" {
			t.Errorf("%s: %q %q", command, r.out, r.err)
		}
	}
	crlf := filepath.Join(dir, "crlf.ndjson")
	if err := os.WriteFile(crlf, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"replay", "explain"} {
		r := c.ok(command, crlf)
		if contains(t, r.err, "its line ends were changed to CRLF"); strings.Count(r.err, "\n") != 1 {
			t.Errorf("%q", r.err)
		}
	}
	for name, content := range map[string]string{"truncated": string(text[:len(text)-40]), "foreign": "<html>" + hostile, "empty": ""} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]string{{"replay"}, {"explain"}, {"trace", "show"}} {
			r := c.exit(exitFailed, append(command, path)...)
			if strings.Count(sentence(r.err), "\n") != 1 || r.out != "" || notClean(r.err) != "" {
				t.Errorf("%s %s: %q %q", command, name, r.out, r.err)
			}
		}
	}
	c.exit(exitFailed, "replay", filepath.Join(dir, "missing"))
}

// snakeCase holds names of members to one form, and lists to be lists.
func snakeCase(t *testing.T, v any, at string) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", at)
	case []any:
		for _, e := range v {
			snakeCase(t, e, at+"[]")
		}
	case map[string]any:
		for name, e := range v {
			if name != strings.ToLower(name) {
				t.Errorf("%s.%s", at, name)
			}
			snakeCase(t, e, at+"."+name)
		}
	}
}

// sentence is an error without the line that says where to read on.
func sentence(said string) string {
	before, after, _ := strings.Cut(said, "  see  ")
	_, rest, _ := strings.Cut(after, "\n")
	return before + rest
}
