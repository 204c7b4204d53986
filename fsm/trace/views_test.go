package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestGoldenViews compares every way to look at a trace with what testdata/views keeps:
// the recorded traces, what differs between them, and traces that no run would give,
// with every input and effect. -rewrite writes the files anew.
func TestGoldenViews(t *testing.T) {
	recorded := map[string]*Trace{}
	for _, name := range golden {
		recorded[name], _ = goldenTrace(t, name)
	}
	var told, pages, changes strings.Builder
	for _, name := range golden {
		section(&told, name, Explain(recorded[name]).String(), TableText(recorded[name]), Sequence(recorded[name]))
	}
	for _, name := range []string{"issuer-mismatch"} {
		section(&pages, name, seen(recorded[name]))
	}
	for i, a := range golden {
		section(&changes, a+" and what comes after it", Diff(recorded[a], recorded[golden[(i+1)%len(golden)]]).String())
	}
	section(&changes, "step-up and cold-login", Diff(recorded["step-up"], recorded["cold-login"]).String())
	odd := oddities(t)
	for _, o := range odd {
		section(&told, o.name, Explain(o.trace).String(), TableText(o.trace), Sequence(o.trace))
		section(&pages, o.name, seen(o.trace))
		for _, p := range odd {
			if p.name != o.name {
				section(&changes, o.name+" and "+p.name, Diff(o.trace, p.trace).String())
			}
		}
	}
	heading, _, _ := strings.Cut(Content(recorded["denied"], false), "\n")
	section(&pages, "denied, at its end", heading)
	for _, o := range odd {
		heading, _, _ := strings.Cut(Content(o.trace, true), "\n")
		section(&pages, o.name+", under way", heading)
	}
	_, whole := goldenTrace(t, "cold-login")
	for i, change := range [][2]string{
		{`"to":"Discovering-PRM"`, `"to":"Discovering-PRM","held":true`}, {`characters-1"`, `characters-9"`}, {`{"n":2,"time":"2026-07-28T12:00:00`, `{"n":2,"time":"2026-07-28T12:00:09`},
		{`"input":{"Saved":{"serial":3`, `"input":{"Saved":{"serial":77`}, {`"CredentialMissing"`, `"CredentialGone"`},
	} {
		tr, err := Parse([]byte(strings.Replace(string(whole), change[0], change[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Replay(tr)
		if err != nil {
			t.Fatal(err)
		}
		d.Table = "" // not part of what is shown here
		section(&changes, fmt.Sprintf("replayed, %d", i+1), d.String())
	}
	for i, p := range alike(t) {
		section(&changes, fmt.Sprintf("two that are alike, %d", i+1), Diff(p[0], p[1]).String(), Diff(p[1], p[0]).String())
	}
	for file, text := range map[string]string{"told.txt": told.String(), "pages.html": pages.String(), "changes.txt": changes.String()} {
		path := filepath.Join("..", "..", "testdata", "views", file)
		if rewriting() {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		differs(t, file, string(kept), text)
	}
}

// differs names the first line of a file that is another one now.
func differs(t *testing.T, file, kept, now string) {
	t.Helper()
	a, b := strings.Split(kept, "\n"), strings.Split(now, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Errorf("%s differs at line %d (go test ./fsm/trace -run Golden -rewrite writes it anew)\nkept %q\nnow  %q",
				file, i+1, a[min(i, len(a)-1)], b[min(i, len(b)-1)])
			return
		}
	}
}

func section(b *strings.Builder, name string, texts ...string) {
	fmt.Fprintf(b, "==== %s\n", name)
	for _, s := range texts {
		b.WriteString(strings.TrimRight(s, "\n") + "\n\n")
	}
}

// seen is the content of a page without the drawing, which package draw tests, and the
// states of the path that is drawn.
func seen(t *Trace) string {
	var way []string
	for _, s := range path(t) {
		way = append(way, string(s))
	}
	return content(t, strings.Join(way, " ")+"\n", "")
}

type oddity struct {
	name  string
	trace *Trace
}

// oddities are traces that are written by hand.
func oddities(t *testing.T) []oddity {
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	header := func(config string) string {
		return `{"format":"stile-trace","version":1,"table":"` + TableHash() + `","revision":"auto","config":` + config + "}\n"
	}
	ins, effs := everyInput(), everyEffect(at)
	read := func(name, file string) oddity {
		tr, err := Parse([]byte(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return oddity{name, tr}
	}
	every := header(`{"server":"https://mcp.example/mcp"}`)
	for i, in := range ins {
		r := fsm.Result{Machine: fsm.Machine{State: states.Loading}, Event: "Begun", Held: i%7 == 3, Effects: effs[i%len(effs):][:1]}
		every += string(appendStep(nil, i+1, states.Loading, at.Add(time.Duration(i)*time.Second), in, &r, false))
	}
	// The same without its second half, with other times and another configuration.
	half := header(`{"server":"https://mcp.example/other","subject":"subject-1"}`)
	for i, in := range slices.Backward(ins) {
		if i < len(ins)/2 {
			n := strings.Count(half, "\n")
			r := fsm.Result{Machine: fsm.Machine{State: states.Loading}, Event: "Begun", Effects: effs[(2*i)%len(effs):]}
			half += string(appendStep(nil, n, states.Loading, at, in, &r, false))
		}
	}
	return []oddity{
		read("nothing", header(`{"server":"https://mcp.example/mcp"}`)),
		read("every input", every), read("half of it, backwards", half),
		read("no configuration", header(`{"server":7}`)),
		read("elsewhere", strings.Replace(every, `"sha256:`, `"sha256:00`, 1)+"{\"n\":"+fmt.Sprint(len(ins)+1)+`,"from":"Loading","ended":"diverged","detail":"Begun, the shadow: refused"}`+"\n"),
		refusalsOf(t, header, at), endsOf(t, header, at, "failed", states.Failed), endsOf(t, header, at, "held", states.Authorized),
		read("an unknown state", strings.ReplaceAll(strings.ReplaceAll(every, `"to":"Loading"`, `"to":"Nowhere"`), `"from":"Loading"`, `"from":"Nowhere"`)),
	}
}

// alike are pairs of traces that differ in one request or one answer.
func alike(t *testing.T) [][2]*Trace {
	base := wire.Request{Method: "POST", URL: "https://as.example/token", Header: wire.Fields{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}, Form: wire.Fields{{Name: "x", Value: "1"}}}
	answer := wire.Response{Status: 200, Header: wire.Fields{{Name: "A", Value: "1"}}, Body: []byte(`{"a":1,"b":2}`)}
	trace := func(q states.Effect, in states.Input, before ...states.Effect) *Trace {
		file := []byte(`{"format":"stile-trace","version":1,"table":"` + TableHash() + `","revision":"auto","config":{"server":"https://mcp.example/mcp"}}` + "\n")
		r := fsm.Result{Machine: fsm.Machine{State: states.Exchanging}, Event: "Begun", Effects: append(before, q)}
		file = appendStep(file, 1, states.Idle, noon, states.Begun{Seed: "s"}, &r, false)
		r = fsm.Result{Machine: fsm.Machine{State: states.Exchanging}, Event: "TimePassed"}
		file = appendStep(file, 2, states.Exchanging, noon.Add(time.Second), in, &r, false)
		tr, err := Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	plain := trace(states.Send{Request: base}, states.Responded{Response: answer})
	var out [][2]*Trace
	for _, change := range []func(*wire.Request){
		func(r *wire.Request) { r.Method = "GET" }, func(r *wire.Request) { r.URL += "/2" },
		func(r *wire.Request) { r.Header = r.Header[:1] }, func(r *wire.Request) { r.Header[1].Value = "3" },
		func(r *wire.Request) { r.Header[0].Name = "C" }, func(r *wire.Request) { r.Header[0], r.Header[1] = r.Header[1], r.Header[0] },
		func(r *wire.Request) { r.Form = nil }, func(r *wire.Request) { r.Form[0].Value = "2" },
		func(r *wire.Request) { r.Body = []byte(`{"a":1}`) }, func(r *wire.Request) { r.Body = []byte(`"` + strings.Repeat("long ", 60) + `"`) },
	} {
		r := base
		r.Header, r.Form = slices.Clone(base.Header), slices.Clone(base.Form)
		change(&r)
		out = append(out, [2]*Trace{plain, trace(states.Send{Request: r}, states.Responded{Response: answer})})
	}
	for _, change := range []func(*wire.Response){
		func(r *wire.Response) { r.Status = 400 }, func(r *wire.Response) { r.Header[0].Value = "2" }, func(r *wire.Response) { r.Body = []byte(`{"a":1,"b":3}`) },
		func(r *wire.Response) { r.Body = []byte(`{"a":1}`) }, func(r *wire.Response) { r.Body = []byte("text") }, func(r *wire.Response) { r.Body = nil },
	} {
		r := answer
		r.Header = slices.Clone(answer.Header)
		change(&r)
		out = append(out, [2]*Trace{plain, trace(states.Send{Request: base}, states.Responded{Response: r})})
	}
	come := func(url string) *Trace {
		return trace(states.Visit{Serial: 1, URL: "https://as.example/authorize?a=1&b=2"}, states.Redirected{Serial: 1, URL: wire.Secret(url)})
	}
	sent := func(url string) *Trace {
		return trace(states.Visit{Serial: 1, URL: wire.Secret(url)}, states.Redirected{Serial: 1, URL: "https://x.example/cb?state=1"})
	}
	later := func(url string) *Trace {
		return trace(states.Visit{Serial: 1, URL: wire.Secret(url)}, states.Ticked{}, states.Wake{})
	}
	return append(out, [2]*Trace{later("https://as.example/authorize?a=1"), later("https://as.example/authorize?a=2")}, [2]*Trace{plain, trace(states.Wake{}, states.Unreachable{Class: states.Lost, Detail: "it was lost"})}, [2]*Trace{plain, trace(states.Wake{}, states.Ticked{})},
		[2]*Trace{come("https://x.example/cb?state=1&code=2"), come("https://x.example/cb?state=1&code=3")},
		[2]*Trace{come("https://x.example/cb?state=1"), come("https://y.example/cb?state=1")},
		[2]*Trace{come("https://x.example/cb?%zz"), come("https://x.example/cb")},
		[2]*Trace{sent("https://as.example/authorize?a=1&b=2"), sent("https://as.example/authorize?a=1&b=3")},
		[2]*Trace{sent("https://as.example/authorize?a=1"), sent("https://other.example/authorize?a=1")},
		[2]*Trace{sent("https://as.example/authorize?a=1"), trace(states.Wake{}, states.Ticked{})})
}
