package proving

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// life drives the machine in a world, with a recorder beside it.
type life struct {
	t     *testing.T
	at    time.Time
	m     fsm.Machine
	e     *fsm.Engine
	rec   *trace.Recorder
	out   []byte
	w     peer.World
	kept  model.Store
	seeds int
	queue []states.Input
	grant states.Grant
	wake  time.Time
}

// live records a whole life of the machine in a world with these faults: a login,
// a call, a step-up, a refresh and a logout, as far as it gets.
func live(t *testing.T, faults ...string) *trace.Trace {
	t.Helper()
	w, err := World(faults...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fsm.New(states.Config{Server: target, Redirects: []string{"http://127.0.0.1:4711/callback"}, ClientName: "Life", Holder: "test"})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := trace.NewRecorder(m, trace.Options{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, at: start, m: m, e: fsm.NewEngine(), w: w, rec: rec, out: slices.Clone(rec.Header())}
	l.do(states.Begun{Seed: l.seed()})
	if l.m.State == states.Anonymous {
		l.call("get_time")
	}
	for _, next := range []func(){func() { l.call("get_time") }, func() { l.call(tool) }, func() { l.call(tool) }, func() { l.call(tool) }, func() { l.at = later(l.at, l.wake); l.do(states.Ticked{}) }} {
		if l.m.State == states.Authorized {
			next()
		}
	}
	if states.Resting(l.m.State) {
		l.do(states.LoggedOut{Seed: l.seed()})
	}
	tr, err := trace.Parse(l.out)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (l *life) seed() wire.Secret {
	l.seeds++
	sum := sha256.Sum256(fmt.Appendf(nil, "seed %d", l.seeds))
	return wire.Secret(sum[:])
}

func (l *life) do(in states.Input) {
	l.queue = append(l.queue, in)
	for range 400 {
		if len(l.queue) == 0 {
			if states.Resting(l.m.State) || l.wake.IsZero() {
				return
			}
			l.at = later(l.at, l.wake)
			l.queue = append(l.queue, states.Ticked{})
		}
		next := l.queue[0]
		l.queue = l.queue[1:]
		r, err := l.e.StepResult(l.m, l.at, next)
		if err != nil {
			l.t.Fatal(err)
		}
		l.m = r.Machine
		l.out = append(l.out, l.rec.Step(l.at, next, r)...)
		for _, e := range r.Effects {
			l.carryOut(e)
		}
		l.at = l.at.Add(7 * time.Millisecond)
	}
	l.t.Fatal("no end")
}

func (l *life) carryOut(e states.Effect) {
	answer := func(in states.Input) { l.queue = append(l.queue, in) }
	switch e := e.(type) {
	case states.Send:
		l.at = later(l.at, e.NotBefore)
		resp, found := l.w.Answer(l.at, e.Request)
		if !found {
			answer(states.Unreachable{Serial: e.Serial, Class: states.Unsent, Detail: "the name does not exist"})
			return
		}
		answer(states.Responded{Serial: e.Serial, Response: resp})
	case states.Visit:
		resp, _ := l.w.Answer(l.at, wire.Request{Method: "GET", URL: e.URL.Reveal()})
		to := resp.Header.Header("Location")
		if len(to) == 0 {
			answer(states.Cancelled{})
			return
		}
		answer(states.Redirected{Serial: e.Serial, URL: wire.Secret(to[0])})
	case states.Ask:
		if e.Question == states.AskRedirect {
			answer(states.Answered{Serial: e.Serial, Value: e.Options[0]})
			return
		}
		answer(states.Answered{Serial: e.Serial})
	case states.Save:
		l.at = later(l.at, e.NotBefore)
		answer(l.kept.Answer(l.at, e))
	case states.Load, states.Delete, states.Claim, states.Lease:
		answer(l.kept.Answer(l.at, e))
	case states.Grant:
		l.grant = e
	case states.Wake:
		l.wake = e.At
	default: // the others need no answer
	}
}

func (l *life) call(name string) {
	req := wire.Request{Method: "POST", URL: target, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `"}}`)}
	g := states.Generation(0)
	if l.m.State == states.Authorized {
		g = l.grant.Generation
		req.Header = append(req.Header, wire.Field{Name: "Authorization", Value: "Bearer " + l.grant.AccessToken.Reveal(), Secret: true})
	}
	resp, _ := l.w.Answer(l.at, req)
	switch {
	case resp.Status == 200 && g != 0:
		l.do(states.Accepted{Generation: g})
	case resp.Status == 401 || resp.Status == 403:
		l.do(states.Challenged{Generation: g, Response: resp})
	}
}

// For each fault, what explain says about a recorded run names the rule of the fault, if
// the run shows it.
func TestExplainNamesEveryFault(t *testing.T) {
	good, err := audit.Explain(live(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(good.Findings) > 0 || len(good.Refusals) > 0 {
		t.Errorf("a world without faults:\n%s", good)
	}
	for name := range unheard {
		if _, ok := peer.FaultNamed(name); !ok {
			t.Errorf("there is no fault %s", name)
		}
	}
	for _, f := range peer.Faults() {
		e, err := audit.Explain(live(t, f.Name))
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		text := e.String()
		names := strings.Contains(text, string(f.Rule)) && !strings.Contains(good.String(), string(f.Rule))
		why, silent := unheard[f.Name]
		if f.Lax() {
			why, silent = never, true
		}
		switch {
		case silent && names:
			t.Errorf("%s: %s is named, although %s", f.Name, f.Rule, why)
		case !silent && !names:
			t.Errorf("%-28s %-10s %-34s %s | refusals %d", f.Name, f.Endpoint, f.Rule, e.Outcome, len(e.Refusals))
			for _, x := range e.Findings {
				t.Logf("   %s %s %v", x.Check, x.Says, x.Rules)
			}
			for _, x := range e.Refusals {
				t.Logf("   refused %s %s %s", x.Rule, x.Detail, x.Event)
			}
		}
	}
}

// unheard maps the faults that a recorded run of the machine rightly does not show to
// the reason.
const (
	page     = "what a page says is told to the user and not to the client"
	inner    = "only the resource server asks this endpoint"
	device   = "the run does not use the device grant"
	identity = "the run has no identity provider"
	unseen   = "the machine is told of refusals with 401 and 403 alone, and of no answer to a request that it let go"
	never    = "the machine never does what would show it"
	masked   = "the recorder replaces texts and names by stand-ins, so the trace does not show it"
	long     = "the recorder keeps what the client refused as an unreadable body, not its length"
	first    = "the client reads the first document or server alone"
	scripts  = "it shows to scripts in browsers"
	few      = "the recorder keeps the fields that clients read"
	allowed  = "a rule allows it, and the client takes it as it is"
)

var unheard = map[string]string{
	"asm-documents-differ":           first,
	"asm-429-bare":                   first,
	"prm-documents-differ":           first,
	"prm-second-server-dead":         first,
	"asm-introspect-gone":            inner,
	"asm-no-cors":                    scripts,
	"prm-no-cors":                    scripts,
	"asm-cookie":                     few,
	"mcp-clock-unset":                few,
	"challenge-unstable":             few,
	"mcp-traceback":                  "no client reads the body",
	"asm-jag-no-grant":               identity,
	"register-https-id":              allowed,
	"challenge-catalogue":            allowed,
	"asm-no-registration":            "it is no mistake: clients may be registered by hand",
	"register-secret-expiry-missing": "the client asks for no secret",
	"register-forgets":               page,
	"authorize-500":                  page,
	"authorize-never":                page,
	"authorize-unknown-client":       page,
	"authorize-extra":                allowed,
	"token-type-lower":               allowed,
	"token-scope-absent":             allowed,
	"token-id-token":                 allowed,
	"token-no-refresh":               allowed,
	"redirect-unchecked":             never,
	"pkce-unchecked":                 never,
	"code-reuse-allowed":             never,
	"code-ends-early":                never,
	"refresh-reuse-revokes-family":   never,
	"refresh-reuse-allowed":          never,
	"refresh-reuse-500":              never,
	"refresh-demands-resource":       never,
	"audience-unchecked":             never,
	"expiry-unchecked":               never,
	"get-unprotected":                never,
	"invalid-token-as-403":           never,
	"rs-400-for-expired":             never,
	"assertion-aud-endpoint":         "the client signs no assertion",
	"refresh-echoes-token":           "it acts beside refresh-no-rotation only",
	"json-long-s":                    masked,
	"challenge-lower-case":           "the recorder writes challenges in one spelling",
	"prm-name-escapes":               masked,
	"token-error-escapes":            masked,
	"asm-oversized":                  long,
	"register-oversized":             long,
	"oversized-body":                 long,
	"prm-oversized":                  long,
	"challenge-redirect":             unseen,
	"rs-200-for-failure":             unseen,
	"rs-500":                         unseen,
	"rs-404":                         unseen,
	"challenge-body-lies":            "no client reads the body",
	"challenge-metadata-root":        "the document is at the root as well",
	"prm-server-moved":               "the new issuer is dead, and that is said; that it moved shows between two logins",
	"introspect-500":                 inner,
	"introspect-html":                inner,
	"introspect-active-string":       inner,
	"introspect-scope-array":         inner,
	"introspect-audience-wrong":      inner,
	"introspect-no-exp":              inner,
	"introspect-duplicate-key":       inner,
	"jwks-empty":                     inner,
	"jwks-500":                       inner,
	"dpop-ignored":                   "the client proves no key",
	"dpop-nonce-endless":             "the client proves no key",
	"dpop-clock-ahead":               "the client proves no key",
	"rs-dpop-htu":                    "the client proves no key",
	"rs-dpop-nonce-endless":          "the client proves no key",
	"rs-dpop-clock-ahead":            "the client proves no key",
	"rs-dpop-unchecked":              "the client proves no key",
	"device-no-code":                 device,
	"device-no-interval":             device,
	"device-interval-huge":           device,
	"device-expires-missing":         device,
	"device-uri-script":              device,
	"device-user-code-escapes":       device,
	"device-500":                     device,
	"device-slow-down":               device,
	"device-expired":                 device,
	"device-denied":                  device,
	"device-poll-504":                device,
	"id-token-expired":               identity,
	"id-token-aud-wrong":             identity,
	"exchange-refused":               identity,
	"exchange-type-wrong":            identity,
	"id-jag-typ-wrong":               identity,
	"id-jag-aud-wrong":               identity,
	"id-jag-expired":                 identity,
	"id-jag-client-wrong":            identity,
	"id-jag-resource-wrong":          identity,
	"id-jag-resource-missing":        identity,
	"id-jag-replayed":                identity,
}
