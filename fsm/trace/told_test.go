package trace

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// steps is a trace of the steps given, numbered from one.
func steps(all ...Step) *Trace {
	t := ticks(0)
	for i, s := range all {
		s.N, s.Time = i+1, noon
		t.Steps = append(t.Steps, s)
	}
	return t
}

// step is a step from one state to another. The effects may be left out.
func step(from states.State, event transitions.Event, to states.State, in states.Input, effects ...states.Effect) Step {
	return Step{From: from, Event: event, To: to, Input: in, Effects: effects}
}

func answer(status int, body string) states.Input {
	return states.Responded{Response: wire.Response{Status: status, Body: []byte(body)}}
}

// TestRefusedAtItsFirstStep: when a recording begins right before something is refused, explain names the first step
// and shows its answer.
func TestRefusedAtItsFirstStep(t *testing.T) {
	fault := states.Fault{Party: states.PartyPeer, State: states.Exchanging, Event: "TokenRefused", Problem: wire.Problem{Detail: `token_type is "mac"`}}
	for _, before := range []int{0, 1} {
		tr := steps(
			step(states.Exchanging, "TokenRefused", states.Withdrawing, answer(200, `{"token_type":"mac"}`)),
			step(states.Withdrawing, "LoginFailed", states.Failed, states.Deleted{}, states.Report{Fault: fault}))
		if before > 0 {
			tr = steps(slices.Concat(ticks(1).Steps, tr.Steps)...)
		}
		e := Explain(tr)
		if len(e.Refusals) != 1 || e.Refusals[0].Step != 1+before || len(e.Refusals[0].Bytes) != 2 || !strings.Contains(e.Refusals[0].Bytes[1], "mac") {
			t.Errorf("behind %d steps: %+v", before, e.Refusals)
		}
		if page := HTML(tr); !strings.Contains(page, "<dt>bytes</dt>") || strings.Contains(page, ", at </dd>") {
			t.Error("the page names a peer, and there is none")
		}
	}
}

// TestEvidenceInAHeader: where a header says what was refused, its bytes are shown.
func TestEvidenceInAHeader(t *testing.T) {
	fault := states.Fault{Party: states.PartyPeer, State: states.Authorized, Event: "ScopeUnusable", Problem: wire.Problem{Detail: `the scope "an odd one"`}}
	challenge := states.Challenged{Response: wire.Response{Status: 403, Header: wire.Fields{{Name: "WWW-Authenticate", Value: `Bearer scope="an odd one"`}}}}
	e := Explain(steps(step(states.Authorized, "ScopeUnusable", states.Failed, challenge, states.Report{Fault: fault})))
	if len(e.Refusals) != 1 || !slices.Contains(e.Refusals[0].Bytes, `WWW-Authenticate, byte 14: Bearer scope="an odd one"`) {
		t.Errorf("%+v", e.Refusals)
	}
	fault.Problem.Detail = `token_type is "yz"`
	e = Explain(steps(step(states.Authorized, "ScopeUnusable", states.Failed, answer(200, `{"token_type":"yz"}`), states.Report{Fault: fault})))
	if len(e.Refusals) != 1 || !slices.Contains(e.Refusals[0].Bytes, `body, byte 15: {"token_type":"yz"}`) {
		t.Errorf("a quotation of two letters: %+v", e.Refusals)
	}
	// Another parameter that cannot be decoded does not hide the one that is quoted.
	fault.Problem.Detail = `iss is "https://x.example"`
	back := states.Redirected{URL: "http://127.0.0.1/callback?iss=https%3A%2F%2Fx.example&y=%zz"}
	e = Explain(steps(step(states.Authorized, "ScopeUnusable", states.Failed, back, states.Report{Fault: fault})))
	if len(e.Refusals) != 1 || !slices.Contains(e.Refusals[0].Bytes, "parameter iss, byte 0: https://x.example") {
		t.Errorf("beside an escape that is none: %+v", e.Refusals)
	}
}

// TestHeldSinceItsFirstStep: explain reports a token that the first step of a trace grants, as it does for any
// other step.
func TestHeldSinceItsFirstStep(t *testing.T) {
	tr := steps(step(states.Loading, "CredentialFound", states.Authorized, states.Loaded{}, states.Grant{AccessToken: "a", Scopes: []string{"user"}}))
	if got := Explain(tr).Outcome; got != "A token is held (user)." {
		t.Error(got)
	}
	page := HTML(tr)
	if strings.Contains(page, "<pre></pre>") {
		t.Error("the page shows an empty record")
	}
	for _, want := range []string{"<!doctype html>\n<html lang=\"en\">", `<meta charset="utf-8">`, `content="default-src 'none';`, "form-action 'none'\">", `name="viewport"`, "<title>Trace of https://mcp.example/mcp</title>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if live := Live("a run"); !strings.Contains(live, "form-action 'none'; connect-src 'self'\">") {
		t.Error("the page of a run that is under way may not ask for its steps")
	}
}

// TestWordsForWhatIsNotThere: an empty field of an input is left out of its description.
func TestWordsForWhatIsNotThere(t *testing.T) {
	tr := steps(
		step(states.DiscoveringPRM, "PRMTrouble", states.Failed, states.Unreachable{Class: states.Lost}),
		step(states.Failed, "", states.Failed, states.Answered{}),
		step(states.Failed, "", states.Failed, states.Answered{Value: "an answer"}))
	tr.Steps[1].Time = noon.Add(2600 * time.Microsecond)
	if text := TableText(tr); !strings.Contains(text, " +3ms ") {
		t.Errorf("times are not in whole milliseconds:\n%s", text)
	}
	if page := HTML(tr); !strings.Contains(page, " · +3ms</p>") {
		t.Error("times on the page are not in whole milliseconds")
	}
	var said []string
	for _, r := range Table(tr) {
		said = append(said, r.Input)
	}
	if want := []string{"no answer (lost)", "the host took the default", "the host answered an answer"}; !slices.Equal(said, want) {
		t.Errorf("%q, not %q", said, want)
	}
	if story := Explain(tr).Story; story[1].Text != "the host took the default" {
		t.Errorf("%q", story[1].Text)
	}
	if all := conversation(tr, nil); all[0].answer != "no answer: lost" {
		t.Errorf("%q", all[0].answer)
	}
}

// TestSequenceOfStrangers: a state that this release does not know belongs to no part of the machine, and a
// request to another server than the one that is called goes to another lane. What only passes time is left out.
func TestSequenceOfStrangers(t *testing.T) {
	ask := func(url string) states.Effect { return states.Send{Request: wire.Request{Method: "GET", URL: url}} }
	text := Sequence(steps(
		step(states.DiscoveringPRM, "Begun", "Nowhere", answer(200, "")),
		step("Nowhere", "Begun", states.DiscoveringPRM, states.Begun{}, ask("https://other.example/metadata")),
		step(states.DiscoveringPRM, "PRMTrouble", states.DiscoveringPRM, answer(500, ""), ask("https://mcp.example/metadata"))))
	if idle := Sequence(ticks(3)); strings.Contains(idle, "->>") {
		t.Errorf("what only passes time is drawn:\n%s", idle)
	}
	if strings.Contains(text, "Note over H,S: \n") {
		t.Errorf("a part without a name:\n%s", text)
	}
	for _, want := range []string{"M->>A: GET https://other.example/metadata", "A-->>M: 500", "M->>R: GET https://mcp.example/metadata"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestDiffBehindAnotherBeginning: two traces that begin differently are compared from the first step that they
// share.
func TestDiffBehindAnotherBeginning(t *testing.T) {
	rest := func(status int) []Step {
		return []Step{step(states.DiscoveringPRM, "PRMFound", states.DiscoveringASM, answer(status, "")), step(states.DiscoveringASM, "ASMFound", states.Registering, answer(200, ""))}
	}
	a, b := steps(rest(200)...), steps(slices.Concat(ticks(1).Steps, rest(404))...)
	for _, d := range []Changes{Diff(a, b), Diff(b, a)} {
		if d.Event == nil || d.Response == nil || d.Response.StepA+d.Response.StepB != 3 {
			t.Errorf("%+v", d)
		}
	}
}

// TestDiffOfManyMembers: only the first few hundred members are compared when documents differ everywhere.
func TestDiffOfManyMembers(t *testing.T) {
	document := func(n int, value string) *Trace {
		tr := ticks(0)
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"m%d":%s`, i, value))
		}
		tr.Header.Config = []byte("{" + strings.Join(all, ",") + "}")
		return tr
	}
	for n, want := range map[int]int{256: 256, 257: 256, 600: 256} {
		if d := Diff(document(n, "1"), document(n, "2")); len(d.Config) != want {
			t.Errorf("%d of %d members", len(d.Config), n)
		}
	}
}

// TestDifferenceWithinALine: both lines are shown from where they differ, also when one is the beginning of the other.
func TestDifferenceWithinALine(t *testing.T) {
	short, long := []byte(`{"n":1`), []byte(`{"n":1,"held":true}`)
	for _, d := range []Difference{{Step: 1, Recorded: short, Replayed: long}, {Step: 1, Recorded: long, Replayed: short}} {
		if s := d.String(); !strings.Contains(s, "step 1 differs at byte 6\n") || strings.Count(s, "(ends here)") != 1 {
			t.Error(s)
		}
	}
	other := ticks(0)
	for _, table := range []string{strings.Replace(TableHash(), "sha256:", "sha257:", 1), strings.Repeat("x", 200)} {
		other.Header.Table = table
		d, err := Replay(other)
		if err != nil {
			t.Fatal(err)
		}
		if s := d.String(); strings.Contains(s, table) != (len(table) < 80) || strings.Contains(s, strings.Repeat("x", 81)) {
			t.Errorf("a table of %d characters: %s", len(table), s)
		}
	}
}
