package trace

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
)

// config is the configuration of a trace's header as it stands there.
func config(t testing.TB, file []byte) string {
	t.Helper()
	tr, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(tr.Header.Config)
}

// TestHeaderIsHeld: what the header says twice is compared.
func TestHeaderIsHeld(t *testing.T) {
	_, good := goldenTrace(t, "cold-login")
	c := config(t, good)
	for name, file := range map[string]string{
		"another revision": strings.Replace(string(good), `"revision":"auto"`, `"revision":"2025-03-26"`, 1),
		"no revision":      strings.Replace(string(good), `"revision":"auto",`, ``, 1),
		"another server in the machine": strings.Replace(string(good), `"config":`,
			`"machine":{"state":"Idle","data":{"config":`+strings.ReplaceAll(c, "mcp.example", "blamed.example")+`}},"config":`, 1),
	} {
		_, err := Parse([]byte(file))
		if !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "the header") {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr, err := Parse([]byte(strings.Replace(string(good), `"program":"test"`, `"program":"the honest one"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if page := HTML(tr); !strings.Contains(page, "the honest one&#34;, as the file says") {
		t.Error("the name of a program is passed on as a fact")
	}
	tr.Header.Revision = "2025-03-26"
	if s := Explain(tr).String() + TableText(tr); strings.Contains(s, "2025-03-26") {
		t.Error("the header's revision was believed")
	}
}

// TestEndIsHeld: the line that recording ended with takes only what a recorder
// says.
func TestEndIsHeld(t *testing.T) {
	_, good := goldenTrace(t, "cold-login")
	tr, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	last := tr.Steps[len(tr.Steps)-1]
	end := func(from states.State, members string) []byte {
		n := len(tr.Steps) + 1
		return slices.Concat(good, []byte(`{"n":`+gen(states.Generation(n))+`,"time":"2026-07-28T13:00:00Z","from":"`+string(from)+`",`+members+"}\n"))
	}
	for _, c := range []struct {
		name   string
		from   states.State
		rest   string
		reason string // empty: it is sound
	}{
		{"full", last.To, `"ended":"full","detail":"the bounds of a trace are reached"`, ""},
		{"withheld", last.To, `"ended":"withheld","detail":"a secret would have shown"`, ""},
		{"diverged", last.To, `"ended":"diverged","detail":"TokenIssued, the shadow: refused"`, ""},
		{"an end that does not exist", last.To, `"ended":"blamed","detail":"the server lies"`, "no recorder says"},
		{"another state", states.Failed, `"ended":"full","detail":"the bounds of a trace are reached"`, "the trace in"},
		{"words for full", last.To, `"ended":"full","detail":"the server lies"`, "words that no recorder says"},
		{"words for withheld", last.To, `"ended":"withheld"`, "words that no recorder says"},
		{"an event that does not exist", last.To, `"ended":"diverged","detail":"ServerLied, the shadow: refused"`, "words that no recorder says"},
		{"words for diverged", last.To, `"ended":"diverged","detail":"TokenIssued, the shadow: the server lies"`, "words that no recorder says"},
		{"one event for diverged", last.To, `"ended":"diverged","detail":"TokenIssued"`, "words that no recorder says"},
		{"a step as well", last.To, `"input":{"Ticked":{}},"ended":"full","detail":"the bounds of a trace are reached"`, "in one"},
		{"a detail and no end", last.To, `"input":{"Ticked":{}},"event":"Expiring","to":"Idle","detail":"the server lies"`, "not a record"},
	} {
		got, err := Parse(end(c.from, c.rest))
		switch {
		case c.reason == "" && (err != nil || got.Ended == ""):
			t.Errorf("%s: %v", c.name, err)
		case c.reason != "" && (!errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && !strings.Contains(Explain(got).String(), "recording ended here: ") {
			t.Errorf("%s: the end is not told", c.name)
		}
	}
	// Of another table the events are unknown: what they are called is not told.
	foreign := bytes.Replace(end(last.To, `"ended":"diverged","detail":"ServerLied, the shadow: refused"`), []byte(`"table":"sha256:`), []byte(`"table":"sha256:00`), 1)
	got, err := Parse(foreign)
	if err != nil || strings.Contains(Explain(got).String(), "ServerLied") {
		t.Errorf("%v", err)
	}
	header := good[:bytes.IndexByte(good, '\n')+1]
	if _, err := Parse(slices.Concat(header, []byte(`{"n":1,"from":"Authorized","ended":"full","detail":"the bounds of a trace are reached"}`+"\n"))); !errors.Is(err, ErrAltered) {
		t.Errorf("an end before the first step, elsewhere: %v", err)
	}
}

// TestConverted: what well-meaning programs do to a text file is undone, said,
// and nothing else.
func TestConverted(t *testing.T) {
	_, good := goldenTrace(t, "cold-login")
	crlf := bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))
	for _, c := range []struct {
		file []byte
		want []string
	}{
		{good, nil},
		{crlf, []string{convertedCRLF}},
		{slices.Concat([]byte("\ufeff"), good), []string{convertedBOM}},
		{slices.Concat([]byte("\ufeff"), crlf), []string{convertedCRLF, convertedBOM}},
	} {
		tr, err := Parse(c.file)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := Replay(tr); err != nil || !d.Same() || !slices.Equal(tr.Converted, c.want) {
			t.Errorf("%v: %v %v", tr.Converted, d, err)
		}
	}
	inside := bytes.Replace(good, []byte(`"event":"Begun"`), []byte(`"event":"Begun"`+"\r"), 1)
	tr, err := Parse(inside)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Replay(tr); err != nil || d.Same() {
		t.Errorf("a carriage return inside a line: %v %v", d, err)
	}
}

// TestEndsThatNoRecorderWrites: the line that recording ended with has one of three reasons. The events of another
// table are words of letters, and not long.
func TestEndsThatNoRecorderWrites(t *testing.T) {
	long := func(n int) string { return strings.Repeat("E", n) }
	for _, c := range []struct {
		ended, detail string
		good          bool
	}{
		{"diverged", "Begun, the shadow: refused", true}, {"crashed", "Begun, the shadow: refused", false},
		{"diverged", long(64) + ", the shadow: Begun", true}, {"diverged", long(65) + ", the shadow: Begun", false},
		{"diverged", "Begun, the shadow: " + long(64), true}, {"diverged", "Begun, the shadow: " + long(65), false},
		{"diverged", "Begun 1, the shadow: refused", false}, {"diverged", ", the shadow: refused", false}, {"diverged", "Begun, the shadow: ", false},
	} {
		_, err := Parse([]byte(bareHeader + `{"n":1,"from":"Idle","ended":"` + c.ended + `","detail":"` + c.detail + "\"}\n"))
		if c.good && err != nil || !c.good && !errors.Is(err, ErrAltered) {
			t.Errorf("%s, %.60q: %v", c.ended, c.detail, err)
		}
	}
	for _, more := range []string{`"event":"Begun"`, `"to":"Idle"`, `"held":true`, `"input":{"Ticked":{}}`} {
		_, err := Parse([]byte(bareHeader + `{"n":1,"from":"Idle",` + more + `,"ended":"withheld","detail":"a secret would have shown"}` + "\n"))
		if !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "in one") {
			t.Errorf("%s: %v", more, err)
		}
	}
	if _, err := Parse([]byte(strings.Replace(bareHeader, `"table"`, `"x":1,"table"`, 1))); !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "the header cannot be read") {
		t.Errorf("another member in the header: %v", err)
	}
	for ended, want := range map[string]string{
		"crashed": "recording ended here: the file does not say why", "diverged": "recording ended here: what the machine did could not be shown without its secrets",
	} {
		tr := ticks(1)
		tr.Ended, tr.EndedDetail = ended, "no event, the shadow: none"
		if got := Explain(tr).Ended; got != want {
			t.Errorf("%s: %q", ended, got)
		}
	}
}

// TestConfigurationThatCannotBeRead: a trace whose configuration this release cannot read is read, as far as it goes,
// and cannot be replayed.
func TestConfigurationThatCannotBeRead(t *testing.T) {
	header := strings.NewReplacer(`"https://mcp.example/mcp"`, "7", `"auto"`, `"2025-06-18"`).Replace(bareHeader)
	tr, err := Parse([]byte(header + `{"n":1,"from":"Idle","ended":"withheld","detail":"a secret would have shown"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Replay(tr); !errors.Is(err, ErrAltered) {
		t.Error(err)
	}
	if _, err := tr.Config(); !errors.Is(err, ErrAltered) {
		t.Error(err)
	}
}

// TestReaderKeepsItsOwn: a reader keeps nothing of the memory that it is given lines in, and gives no trace after an error.
func TestReaderKeepsItsOwn(t *testing.T) {
	want, good := goldenTrace(t, "cold-login")
	var r Reader
	buffer := make([]byte, len(good))
	for line := range bytes.Lines(good) {
		n := copy(buffer, bytes.TrimSuffix(line, []byte("\n")))
		if err := r.Line(buffer[:n]); err != nil {
			t.Fatal(err)
		}
		clear(buffer)
	}
	got, err := r.Trace()
	if err != nil || !slices.EqualFunc(got.Steps, want.Steps, func(a, b Step) bool { return bytes.Equal(a.Line, b.Line) }) {
		t.Fatalf("%v", err)
	}
	if d, err := Replay(got); err != nil || !d.Same() {
		t.Errorf("%v %v", d, err)
	}
	bad := r.Line([]byte("{"))
	if again := r.Line([]byte("{")); !errors.Is(again, bad) {
		t.Errorf("%v, then %v", bad, again)
	}
	if tr, err := r.Trace(); !errors.Is(bad, ErrAltered) || !errors.Is(err, bad) || tr != nil {
		t.Errorf("%v, then %v %v", bad, tr, err)
	}
}
