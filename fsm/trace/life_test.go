package trace

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

const (
	issuer   = "https://as.example"
	resource = "https://mcp.example/mcp"
	callback = "http://127.0.0.1:4711/callback"
)

var noon = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// life drives a machine among peers in memory, with a recorder beside it.
type life struct {
	t       testing.TB
	at      time.Time
	m       fsm.Machine
	e       *fsm.Engine
	rec     *Recorder
	out     []byte
	w       *peer.World
	kept    model.Store
	seeds   int
	queue   []states.Input
	grant   states.Grant
	wake    time.Time
	asked   states.Answered // the answer to AskClient
	events  []string
	secrets []string
	// mangle changes an answer before the machine sees it; real is the machine.
	mangle func(l *life, req wire.Request, resp *wire.Response)
	// callback changes the address that the user agent comes back with.
	callback func(string) string
	// store, when it answers, takes the place of the store.
	store func(l *life, q states.Effect) states.Input
	// send, when it answers, takes the place of the network.
	send func(l *life, s states.Send) states.Input
	// away: the user does not answer.
	away bool
	// heard is told every input.
	heard func(time.Time, states.Input)
}

// setting is what a life begins with.
type setting struct {
	config func(*states.Config)
	peers  func(*peer.ASConfig, *peer.RSConfig)
	seed   string
}

func newLife(t testing.TB, s setting) *life {
	t.Helper()
	c := states.Config{Server: resource, Redirects: []string{callback}, ClientName: "Life", Holder: "test"}
	if s.config != nil {
		s.config(&c)
	}
	ac := peer.ASConfig{
		Issuer: issuer, Scopes: []string{"user", "admin"}, Seed: []byte("world" + s.seed), DCR: true, Iss: true,
		RefreshRotation: true, AutoConsent: true, Users: []peer.User{{Name: "ann", Password: "open sesame"}},
	}
	rc := peer.RSConfig{
		Resource: resource, AuthorizationServers: []string{issuer}, Scopes: []string{"user"},
		Rules: []peer.ScopeRule{{Tool: "purge", Scopes: []string{"admin"}}},
	}
	if s.peers != nil {
		s.peers(&ac, &rc)
	}
	as, err := peer.NewAS(ac)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := peer.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fsm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, at: noon, m: m, e: fsm.NewEngine(), w: &peer.World{AS: []*peer.AS{as}, RS: []*peer.RS{rs}}}
	l.record()
	return l
}

// record begins a trace of the machine as it is.
func (l *life) record() {
	l.t.Helper()
	rec, err := NewRecorder(l.m, Options{Program: "test"})
	if err != nil {
		l.t.Fatal(err)
	}
	l.rec, l.out = rec, bytes.Clone(rec.Header())
}

func (l *life) seed() wire.Secret {
	l.seeds++
	sum := sha256.Sum256(fmt.Appendf(nil, "seed %d", l.seeds))
	l.mark(string(sum[:]))
	return wire.Secret(sum[:])
}

// mark remembers a secret.
func (l *life) mark(s string) {
	if s != "" && !slices.Contains(l.secrets, s) {
		l.secrets = append(l.secrets, s)
	}
}

// do gives one input and carries out what follows until nothing is open.
func (l *life) do(in states.Input) {
	l.t.Helper()
	l.queue = append(l.queue, in)
	for n := 0; ; n++ {
		if n > 400 {
			l.t.Fatalf("no end: %v", l.events)
		}
		if len(l.queue) == 0 {
			if states.Resting(l.m.State) || l.wake.IsZero() || l.away {
				return
			}
			if l.wake.After(l.at) {
				l.at = l.wake
			}
			l.queue = append(l.queue, states.Ticked{})
		}
		next := l.queue[0]
		l.queue = l.queue[1:]
		l.step(next)
	}
}

func (l *life) step(in states.Input) {
	l.t.Helper()
	r, err := l.e.StepResult(l.m, l.at, in)
	if err != nil {
		l.t.Fatalf("%v after %v", err, l.events)
	}
	if l.heard != nil {
		l.heard(l.at, in)
	}
	l.m = r.Machine
	l.events = append(l.events, string(r.Event))
	l.remember()
	if l.rec != nil {
		l.out = append(l.out, l.rec.Step(l.at, in, r)...)
	}
	for _, e := range r.Effects {
		l.carryOut(e)
	}
	l.at = l.at.Add(7 * time.Millisecond)
}

// remember marks every secret that the machine holds.
func (l *life) remember() {
	d := &l.m.Data
	mark := func(ss ...wire.Secret) {
		for _, s := range ss {
			l.mark(s.Reveal())
		}
	}
	token := func(t *states.Token) {
		if t != nil {
			mark(t.AccessToken, t.RefreshToken, t.Client.Secret, t.Client.RegistrationToken)
		}
	}
	mark(d.Seed, d.Spent, d.Config.InitialToken)
	if d.Config.Client != nil {
		mark(d.Config.Client.Secret)
	}
	if d.Record != nil {
		token(d.Record.Current)
		for i := range d.Record.Superseded {
			token(&d.Record.Superseded[i])
		}
	}
	token(d.Obtained)
	if f := d.Flow; f != nil {
		mark(f.State, f.Verifier, f.Client.Secret, f.Client.RegistrationToken)
		if cb, bad := wire.ParseCallback(f.Callback.Reveal()); bad == nil {
			mark(cb.Code)
		}
	}
}

func (l *life) answer(in states.Input) { l.queue = append(l.queue, in) }

func (l *life) carryOut(e states.Effect) {
	l.t.Helper()
	if l.store != nil {
		if in := l.store(l, e); in != nil {
			l.answer(in)
			return
		}
	}
	switch e := e.(type) {
	case states.Send:
		if len(e.Request.Body) > 0 && !jsontext.Value(e.Request.Body).IsValid() {
			l.t.Fatalf("a request is written into a line as it is, and is no JSON: %s", e.Request.Body)
		}
		if e.NotBefore.After(l.at) {
			l.at = e.NotBefore
		}
		if l.send != nil {
			if in := l.send(l, e); in != nil {
				l.answer(in)
				return
			}
		}
		resp, found := l.w.Answer(l.at, e.Request)
		if !found {
			l.answer(states.Unreachable{Serial: e.Serial, Class: states.Unsent, Detail: "the name elsewhere.example does not exist"})
			return
		}
		if l.mangle != nil {
			l.mangle(l, e.Request, &resp)
		}
		l.answer(states.Responded{Serial: e.Serial, Response: resp})
	case states.Visit:
		if l.away {
			return
		}
		resp, _ := l.w.Answer(l.at, wire.Request{Method: "GET", URL: e.URL.Reveal()})
		to := resp.Header.Header("Location")
		if len(to) == 0 {
			l.answer(states.Cancelled{})
			return
		}
		if l.callback != nil {
			to[0] = l.callback(to[0])
		}
		l.answer(states.Redirected{Serial: e.Serial, URL: wire.Secret(to[0])})
	case states.Ask:
		switch e.Question {
		case states.AskRedirect:
			l.answer(states.Answered{Serial: e.Serial, Value: e.Options[0]})
		case states.AskClient:
			a := l.asked
			a.Serial = e.Serial
			l.answer(a)
		default:
			l.answer(states.Answered{Serial: e.Serial})
		}
	case states.Save:
		if e.NotBefore.After(l.at) {
			l.at = e.NotBefore
		}
		l.answer(l.kept.Answer(l.at, e))
	case states.Load, states.Delete, states.Claim, states.Lease:
		l.answer(l.kept.Answer(l.at, e))
	case states.Grant:
		l.grant = e
	case states.Wake:
		l.wake = e.At
	}
}

// begin begins and, when that rests without a token, meets the server.
func (l *life) begin() {
	l.t.Helper()
	l.do(states.Begun{Seed: l.seed()})
	if l.m.State == states.Anonymous {
		l.call("get_time")
	}
}

// call sends an MCP request with the token that is held, and hands a refusal
// to the machine.
func (l *life) call(tool string) int {
	l.t.Helper()
	req := wire.Request{Method: "POST", URL: resource, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `"}}`)}
	g := states.Generation(0)
	if l.m.State == states.Authorized {
		g = l.grant.Generation
		req.Header = append(req.Header, wire.Field{Name: "Authorization", Value: "Bearer " + l.grant.AccessToken.Reveal(), Secret: true})
	}
	resp, ok := l.w.Answer(l.at, req)
	if !ok {
		l.t.Fatal("nobody serves the resource")
	}
	if l.mangle != nil {
		l.mangle(l, req, &resp)
	}
	switch {
	case resp.Status == 200 && g != 0:
		l.do(states.Accepted{Generation: g})
	case resp.Status == 401 || resp.Status == 403:
		l.do(states.Challenged{Generation: g, Response: resp})
	}
	return resp.Status
}

// expire lets time pass until the token is to be renewed.
func (l *life) expire() {
	l.t.Helper()
	if l.wake.After(l.at) {
		l.at = l.wake
	}
	l.do(states.Ticked{})
}

// restart begins anew from the store, as another process would.
func (l *life) restart() {
	l.t.Helper()
	m, err := fsm.New(*l.m.Data.Config)
	if err != nil {
		l.t.Fatal(err)
	}
	l.m, l.grant, l.wake = m, states.Grant{}, time.Time{}
	l.record()
}

// trace reads what was recorded.
func (l *life) trace() *Trace {
	l.t.Helper()
	t, err := Parse(l.out)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, l.out)
	}
	return t
}

// sound checks that the trace is whole and replays to the same bytes.
func (l *life) sound() *Trace {
	l.t.Helper()
	t := l.trace()
	if t.Ended != "" {
		l.t.Fatalf("recording ended: %s (%s)\nevents %v", t.Ended, t.EndedDetail, l.events)
	}
	d, err := Replay(t)
	if err != nil || !d.Same() || d.Table != "" {
		l.t.Fatalf("replay: %v\n%s", err, d)
	}
	return t
}

// want fails unless the life came through the events named, in this order.
func (l *life) want(events ...string) {
	l.t.Helper()
	rest := l.events
	for _, e := range events {
		i := slices.Index(rest, e)
		if i < 0 {
			l.t.Fatalf("no %s in %s", e, strings.Join(l.events, " "))
		}
		rest = rest[i+1:]
	}
}
