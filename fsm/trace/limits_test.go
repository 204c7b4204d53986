package trace

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

const bareHeader = `{"format":"stile-trace","version":1,"table":"x","revision":"auto","config":{"server":"https://mcp.example/mcp"}}` + "\n"

// ticks is a trace of so many steps in which time passes.
func ticks(n int) *Trace {
	t := &Trace{Header: Header{Format: Format, Version: Version, Table: TableHash(), Revision: "auto", Config: []byte(`{"server":"https://mcp.example/mcp"}`)}}
	for i := range n {
		t.Steps = append(t.Steps, Step{N: i + 1, Time: noon, From: states.Idle, Input: states.Ticked{}, Event: "TimePassed", To: states.Idle})
	}
	return t
}

// TestReaderLimits: a reader takes lines and traces as long as a recorder makes them, and no longer ones.
func TestReaderLimits(t *testing.T) {
	read := func(n, long int) error {
		var r Reader
		if err := r.Line([]byte(bareHeader[:len(bareHeader)-1])); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			line := fmt.Sprintf(`{"n":%d,"from":"Idle","input":{"Ticked":{}},"event":"TimePassed","to":"Idle"}`, i+1)
			if err := r.Line([]byte(line + strings.Repeat(" ", max(0, long-len(line))))); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range []struct {
		n, long int
		says    string
	}{
		{1, MaxLine, ""}, {1, MaxLine + 1, "line 2 has 4194305 bytes, at most 4194304 are read"},
		{MaxTrace/MaxLine - 1, MaxLine, ""}, {MaxTrace / MaxLine, MaxLine, "more than 67108864 bytes"},
		{MaxSteps, 0, ""}, {MaxSteps + 1, 0, "more than 100000 steps"},
	} {
		err := read(c.n, c.long)
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%d lines of %d bytes: %v", c.n, c.long, err)
		}
	}
}

// TestLongTracesAreCut: a page shows as much of a long trace, and of a long text, as a browser can
// show, and says that there is more.
func TestLongTracesAreCut(t *testing.T) {
	for _, n := range []int{maxPage, maxPage + 1} {
		tr := ticks(n)
		for i := range tr.Steps {
			tr.Steps[i].Input = states.Cancelled{}
		}
		page := content(tr, "", "")
		for _, what := range []string{fmt.Sprintf("The first %d of %d steps.", maxPage, n), fmt.Sprintf("The first %d of %d messages.", maxPage, n)} {
			if got := strings.Contains(page, what); got != (n > maxPage) {
				t.Errorf("%d steps: %q: %v", n, what, got)
			}
		}
		if !strings.Contains(page, fmt.Sprintf(`id="row-%d"`, maxPage)) || strings.Contains(page, fmt.Sprintf(`id="row-%d"`, maxPage+1)) ||
			strings.Count(page, "The user ends the login.") != maxPage {
			t.Errorf("%d steps: not the first %d are shown", n, maxPage)
		}
	}
	tr := ticks(1)
	tr.Steps[0].Input = states.Responded{Response: wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: strings.Repeat("y", maxShown-20)}}}}
	if !strings.Contains(content(tr, "", ""), strings.Repeat("y", maxShown-20)) {
		t.Error("of a header less is shown than may be")
	}
	for _, n := range []int{maxShown - 4, maxShown - 3} { // the status stands before it
		tr := ticks(1)
		tr.Steps[0].Input = states.Responded{Response: wire.Response{Status: 200, Body: bytes.Repeat([]byte("x"), n-1)}}
		if page := content(tr, "", ""); strings.Contains(page, "…</pre>") != (n+4 > maxShown) {
			t.Errorf("a text of %d bytes", n+4)
		} else if !strings.Contains(page, strings.Repeat("x", min(n-1, maxShown-5))) {
			t.Errorf("of a text of %d bytes less is shown than may be", n+4)
		}
	}
}

// TestDiffOfLongTraces: traces that differ for longer than a few thousand steps are compared up
// to the first difference, so that a comparison ends soon.
func TestDiffOfLongTraces(t *testing.T) {
	answered := func(n, status int, event string) *Trace {
		tr := ticks(n)
		tr.Steps[0].Event = "Begun"
		if event != "" {
			tr.Steps[0].From = states.Loading
		}
		tr.Steps[n-1].Input, tr.Steps[n-1].Event = states.Responded{Response: wire.Response{Status: status}}, "PRMFound"
		return tr
	}
	for _, c := range []struct {
		a, b    int
		aligned bool
	}{{20, 30, true}, {maxAligned, 3, true}, {3, maxAligned, true}, {maxAligned + 1, 3, false}, {3, maxAligned + 1, false}} {
		d := Diff(answered(c.a, 200, ""), answered(c.b, 404, "other"))
		if d.Event == nil || (d.Response != nil) != c.aligned {
			t.Errorf("%d and %d steps: %+v", c.a, c.b, d)
		}
	}
}

// TestRecordingsEndInTime: a recording ends before a line, or the trace, is longer than a reader
// takes; what was recorded can be read and replayed.
func TestRecordingsEndInTime(t *testing.T) {
	for _, c := range []struct{ size, least, most int }{{MaxLine, 0, 0}, {MaxLine / 2, 20, 31}} {
		m, err := fsm.New(states.Config{Server: resource})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := NewRecorder(m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		e, file := fsm.NewEngine(), bytes.Clone(rec.Header())
		for n := 0; rec.Ended() == "" && n < 100; n++ {
			in := states.Challenged{Response: wire.Response{Status: 401, Header: wire.Fields{{Name: "WWW-Authenticate", Value: `Bearer scope="` + strings.Repeat("x", c.size) + `"`}}}}
			r, err := e.StepResult(m, noon, in)
			if err != nil {
				t.Fatal(err)
			}
			file, m = append(file, rec.Step(noon, in, r)...), r.Machine
		}
		tr, err := Parse(file)
		if err != nil || tr.Ended != "full" || len(tr.Steps) < c.least || len(tr.Steps) > c.most || len(file) > MaxTrace {
			t.Fatalf("%d bytes each: %d in all, %q, %v", c.size, len(file), rec.Ended(), err)
		}
		if d, err := Replay(tr); err != nil || !d.Same() {
			t.Errorf("%v %v", d, err)
		}
	}
}

// TestWhatIsWrongIsSaid: a user who has a damaged trace is told what is wrong with it, and where.
func TestWhatIsWrongIsSaid(t *testing.T) {
	_, good := goldenTrace(t, "cold-login")
	lines := bytes.SplitAfter(good, []byte("\n"))
	for _, c := range []struct {
		file []byte
		want error
		says string
	}{
		{good[:len(good)-20], ErrTruncated, fmt.Sprintf("line %d has no end", len(lines)-1)},
		{slices.Concat(lines[0], lines[1][:20]), ErrTruncated, "line 2 has no end"},
		{slices.Concat(lines[0], []byte("{}\n"), lines[1][:20]), ErrAltered, "line 2: step 0 where step 1 should be"},
		{slices.Concat(lines[0], []byte("{\n")), ErrAltered, "line 2: not a record of this format"},
		{slices.Concat(lines[0], []byte(`{"n":1,"from":"Idle","ended":"full","detail":"the bounds of a trace are reached"}`+"\n"), bytes.Replace(lines[1], []byte(`{"n":1`), []byte(`{"n":2`), 1)), ErrAltered, "line 3 comes after the mark"},
		{slices.Concat(lines[0], bytes.Replace(lines[1], []byte(`{"n"`), []byte(`{"x":1,"n"`), 1)), ErrAltered, "not a record of this format"},
		{bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2`), 1), ErrVersion, "version 2, this release reads 1"},
		{bytes.Replace(good, []byte(`"effects":[{"Load":`), []byte(`"effects":[{"Lead":`), 1), ErrAltered, "line 2: "},
		{slices.Concat(lines[0], []byte(`{"n":1,"from":"Idle","held":true,"ended":"full","detail":"the bounds of a trace are reached"}`+"\n")), ErrAltered, "in one"},
	} {
		if _, err := Parse(c.file); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.says, err)
		}
	}
	tr, err := Parse([]byte(strings.Replace(bareHeader, `"https://mcp.example/mcp"`, "7", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Begin(); !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "the configuration of the header cannot be read") {
		t.Errorf("%v", err)
	}
	end := `{"n":1,"from":"Idle","ended":"diverged","detail":"TokenIssued, the shadow: refused"}` + "\n"
	tr, err = Parse([]byte(strings.Replace(bareHeader, `"x"`, `"`+TableHash()+`"`, 1) + end))
	if err != nil || !strings.Contains(Explain(tr).Ended, "(TokenIssued, the shadow: refused)") {
		t.Errorf("%v %q", err, Explain(tr).Ended)
	}
}
