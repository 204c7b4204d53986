package trace

import (
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// refusalsOf is a trace in which one thing after another is refused, each for another reason.
func refusalsOf(t *testing.T, header func(string) string, at time.Time) oddity {
	file := header(`{"server":"https://mcp.example/mcp","revision":"2025-06-18"}`)
	file = strings.Replace(file, `"revision":"auto"`, `"revision":"2025-06-18","program":"a program"`, 1)
	body := `{"issuer":"https://as.example","error":"invalid_grant","token_endpoint":"https://other.example/token"}`
	n := 0
	step := func(from, to states.State, event string, in states.Input, effects ...states.Effect) {
		n++
		r := fsm.Result{Machine: fsm.Machine{State: to}, Event: transitions.Event(event), Effects: effects}
		file += string(appendStep(nil, n, from, at.Add(time.Duration(n)*1500*time.Millisecond), in, &r, false))
	}
	send := func(url string) states.Effect {
		return states.Send{Serial: 1, Request: wire.Request{Method: "POST", URL: url, Form: wire.Fields{{Name: "grant_type", Value: "authorization_code"}}}}
	}
	report := func(s states.State, party states.Party, p wire.Problem) states.Effect {
		return states.Report{Fault: states.Fault{Party: party, State: s, Event: "ASMRefused", Doing: "reading <it>", Problem: p, Peer: "https://as.example", Advice: "do this"}}
	}
	answer := func(status int, body string) states.Input {
		return states.Responded{Serial: 1, Response: wire.Response{Status: status, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)}}
	}
	note := states.Note{Finding: wire.Finding{Rule: "token-type-bearer", Detail: "it says <bearer>"}}
	step(states.Idle, states.DiscoveringPRM, "Begun", states.Begun{Seed: "s"}, note, send("https://mcp.example/.well-known/x?y=1"))
	step(states.DiscoveringPRM, states.DiscoveringASM, "PRMFound", answer(200, `{"resource":"https://mcp.example/mcp"}`), note, note, send("https://mcp.example/token"))
	step(states.DiscoveringASM, states.Failed, "ASMRefused", answer(400, body), report(states.DiscoveringASM, states.PartyPeer, wire.Problem{Rule: "asm-issuer-compare", Detail: `issuer is "https://as.example", not "https://other.example"`}))
	step(states.Failed, states.Exchanging, "Begun", states.Begun{Seed: "s", Login: true}, send("https://as.example/token?a=b"))
	step(states.Exchanging, states.Failed, "ASMRefused", answer(500, `no JSON at all, `+strings.Repeat("and long ", 60)), report(states.Exchanging, states.PartyPeer, wire.Problem{Rule: "no-such-rule", Detail: "no token in it"}),
		report(states.Exchanging, states.PartyPeer, wire.Problem{Detail: "a second report of one step"}))
	step(states.Failed, states.Failed, "ASMRefused", answer(400, `{"error":"invalid_grant","b":1}`), report(states.Failed, states.PartyUser, wire.Problem{Detail: "no access_token, though it should be", OAuth: &wire.OAuthError{Code: "invalid_grant", Raw: "invalid_grant"}}))
	step(states.Failed, states.Failed, "ASMRefused", answer(200, `{"b":1,"c":2}`), report(states.Failed, states.PartyNetwork, wire.Problem{Detail: "no access_token, though it should be"}))
	step(states.Failed, states.Saving, "Begun", states.Begun{Seed: "s"}, states.Visit{Serial: 9, URL: "https://as.example/authorize?a=b", Issuer: "i"}, states.Visit{Serial: 9, URL: "https://as.example/authorize?a=b", Issuer: "i"})
	step(states.Saving, states.Failed, "ASMRefused", states.Redirected{Serial: 9, URL: `http://127.0.0.1/callback?error=access%5Fdenied&iss=https%3A%2F%2Fx.example&x`}, report(states.Saving, states.PartyHost, wire.Problem{Detail: `iss is "https://x.example"`}))
	step(states.Failed, states.Failed, "ASMRefused", states.Redirected{Serial: 9, URL: `http://127.0.0.1/callback?iss=https%3A%2F%2Fx.example&x`}, report(states.Failed, states.PartyHost, wire.Problem{Detail: `the host is "x.example"`}))
	step(states.Failed, states.Failed, "ASMRefused", states.StoreFailed{Serial: 3, Detail: "the disk is full"}, report(states.Loading, states.PartyStore, wire.Problem{Detail: "it is full"}))
	// Where the fault that is reported came up, and which bytes show it, is found among other steps.
	step(states.Failed, states.DiscoveringASM, "ASMRefused", answer(400, `{"error":"another step"}`))
	step(states.DiscoveringASM, states.DiscoveringASM, "TimePassed", answer(200, `{"error":"no refusal","scope":"y"}`))
	step(states.DiscoveringASM, states.Refreshing, "LoginFailed", states.Ticked{}, report(states.DiscoveringASM, states.PartyPeer, wire.Problem{Detail: "it comes late"}))
	for _, p := range [][2]string{
		{"it makes no sense", `{"b":1}`}, {`it begins "scope`, `{"scope":1}`}, {`the letter "y"`, `{"y":1}`}, {"no scope that is known", `{"scope":""}`},
		{"it is short", ""}, {`neither "scope" nor "elsewhere"`, `{"elsewhere":1,"scope":2}`}, {"no scope: none", `{"b":1}`},
	} {
		step(states.Refreshing, states.Failed, "ASMRefused", answer(200, p[1]), report(states.Refreshing, states.PartyPeer, wire.Problem{Detail: p[0]}))
		step(states.Failed, states.Refreshing, "Begun", states.Challenged{Response: wire.Response{Status: 401, Header: wire.Fields{{Name: "Content-Type"}}}})
	}
	o, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return oddity{"refusals", o}
}

// endsOf is a trace that ends in a state and does not say why.
func endsOf(t *testing.T, header func(string) string, at time.Time, name string, s states.State) oddity {
	r := fsm.Result{Machine: fsm.Machine{State: s}, Event: "Begun", Effects: []states.Effect{states.Grant{AccessToken: "a"}, states.Wake{At: at}}}
	o, err := Parse(appendStep([]byte(header(`{"server":"https://mcp.example/mcp"}`)), 1, states.Idle, at, states.Begun{Seed: "s"}, &r, false))
	if err != nil {
		t.Fatal(err)
	}
	return oddity{"the end is " + name, o}
}
