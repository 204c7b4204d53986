//go:build unix

package httpdriver_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/auditor/trap"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/transitions"
)

// The environment variable that makes this test program a client with a mutant.
const mutantVariable = "STILE_WIRE_MUTANT"

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(mutantVariable); ok {
		os.Exit(mutantClient(name, os.Args[len(os.Args)-1]))
	}
	os.Exit(m.Run())
}

// classify stands for transitions.Classify.
type classify = func(states.State, states.Data, time.Time, states.Input) (transitions.Event, states.Data)

// wireMutant is one of the exploration's mutants (fsm/explore) that shows on the wire, with
// the trap of a client's audit that must name it, and the rule.
type wireMutant struct {
	name string
	trap string
	rule rules.ID
	rows func([]transitions.Row) []transitions.Row
	wrap func(classify) classify
}

// leads changes where a row leads.
func leads(from states.State, on transitions.Event, where states.State) func([]transitions.Row) []transitions.Row {
	return func(rows []transitions.Row) []transitions.Row {
		for i := range rows {
			if rows[i].From == from && rows[i].On == on {
				rows[i].To, rows[i].Hold = where, false
			}
		}
		return rows
	}
}

// flawed changes what a step knows, after one of the events.
func flawed(change func(was states.Data, d *states.Data), events ...transitions.Event) func(classify) classify {
	return func(next classify) classify {
		return func(s states.State, was states.Data, at time.Time, in states.Input) (transitions.Event, states.Data) {
			e, d := next(s, was, at, in)
			if slices.Contains(events, e) {
				change(was, &d)
			}
			return e, d
		}
	}
}

// inLogin changes the facts of the login, on a copy.
func inLogin(change func(f *states.Flow, d *states.Data), events ...transitions.Event) func(classify) classify {
	return flawed(func(_ states.Data, d *states.Data) {
		if d.Flow != nil {
			f := *d.Flow
			change(&f, d)
			d.Flow = &f
		}
	}, events...)
}

// inToken changes the token that was just obtained.
func inToken(change func(t *states.Token)) func(classify) classify {
	return flawed(func(_ states.Data, d *states.Data) {
		if d.Obtained != nil {
			t := *d.Obtained
			change(&t)
			d.Obtained = &t
		}
	}, transitions.TokenIssued, transitions.TokenRefreshed)
}

// hears changes an input before it is named.
func hears(change func(states.State, states.Data, states.Input) states.Input) func(classify) classify {
	return func(next classify) classify {
		return func(s states.State, d states.Data, at time.Time, in states.Input) (transitions.Event, states.Data) {
			return next(s, d, at, change(s, d, in))
		}
	}
}

func dropsRefreshToken(_ states.Data, d *states.Data) {
	if d.Record != nil && d.Record.Current != nil {
		r, t := *d.Record, *d.Record.Current
		t.RefreshToken, r.Current, d.Record = "", &t, &r
	}
}

var wireMutants = []wireMutant{
	{name: "iss is not compared", trap: "cl.iss-wrong", rule: rules.IssuerResponseCompare, rows: leads(states.Claiming, transitions.IssuerMismatch, states.Exchanging)},
	{name: "state is not compared", trap: "cl.state-wrong", rule: rules.AuthzRespStateMatch, wrap: func(next classify) classify {
		return func(s states.State, was states.Data, at time.Time, in states.Input) (transitions.Event, states.Data) {
			e, d := next(s, was, at, in)
			if back, ok := in.(states.Redirected); ok && e == transitions.StateMismatch {
				f := *d.Flow
				f.Callback, d.Flow = back.URL, &f
				return transitions.CallbackReceived, d
			}
			return e, d
		}
	}},
	{name: "the verifier travels with the browser", trap: "cl.pkce", rule: rules.AuthzReqNoSecret, wrap: inLogin(func(f *states.Flow, _ *states.Data) {
		f.Server.AuthorizationEndpoint += "?hint=" + f.Verifier.Reveal()
	}, transitions.LoginParked)},
	{name: "no resource in the login", trap: "cl.resource-sent", rule: rules.AuthzReqResourceAlways, wrap: inLogin(func(f *states.Flow, _ *states.Data) { f.Resource = "" }, transitions.ASMFound)},
	{name: "no resource in the refresh", trap: "cl.refresh-happens", rule: rules.RefreshResource, wrap: inToken(func(t *states.Token) { t.Resource = "" })},
	{name: "another resource", trap: "cl.resource-sent", rule: rules.AuthzReqResourceAlways, wrap: inLogin(func(f *states.Flow, _ *states.Data) { f.Resource = "https://other.example/mcp" }, transitions.ASMFound)},
	{name: "the verifier is drawn anew", trap: "cl.pkce", rule: rules.TokenReqCodeVerifier, wrap: inLogin(func(f *states.Flow, d *states.Data) { f.Verifier = d.Draw("verifier") }, transitions.CodeReceived)},
	{name: "a second request with the first one's state", trap: "cl.code-refused", rule: rules.AuthzReqStateRandom, wrap: flawed(func(was states.Data, d *states.Data) {
		if was.Flow != nil && d.Flow != nil {
			f := *d.Flow
			f.State, f.Verifier, d.Flow = was.Flow.State, was.Flow.Verifier, &f
		}
	}, transitions.ExchangeLost, transitions.CodeRefused)},
	{name: "a code is sent again", trap: "cl.code-lost", rule: rules.TokenReqCodeOnce, wrap: func(next classify) classify {
		return func(s states.State, was states.Data, at time.Time, in states.Input) (transitions.Event, states.Data) {
			e, d := next(s, was, at, in)
			if e == transitions.ExchangeLost {
				was.At = at
				return transitions.ExchangeTrouble, was
			}
			return e, d
		}
	}},
	{name: "trouble drops the refresh token", trap: "cl.refresh-away", rule: rules.RefreshTransientKeeps, wrap: flawed(dropsRefreshToken, transitions.RefreshUnreachable)},
	{name: "an expired token is found good", trap: "cl.expired-use", rule: rules.BearerNoExpired, rows: leads(states.Loading, transitions.CredentialExpiring, states.Authorized)},
	{name: "neither lease nor intent", trap: "cl.refresh-race", rule: rules.RefreshTransaction, wrap: hears(func(s states.State, _ states.Data, in states.Input) states.Input {
		if h, ok := in.(states.Held); ok {
			return states.Leased{Serial: h.Serial, Fence: 77, TTL: time.Minute}
		}
		if l, ok := in.(states.Loaded); ok && s == states.Reloading {
			if c, err := states.DecodeCredential(l.Value); err == nil {
				c.Intent = nil
				l.Value, _ = states.Encode(*c)
			}
			return l
		}
		return in
	})},
	{name: "the ladder of refusals is forgotten", trap: "cl.loop-fresh", rule: rules.ChallengeFreshTokenLoop, wrap: inToken(func(t *states.Token) { t.Climbed, t.RefreshToken = states.Ladder{}, "" })},
}

// law is the table and its Classify with the mutant's flaw.
func (m wireMutant) law() *fsm.Engine {
	rows, c := slices.Clone(transitions.Table), transitions.Classify
	if m.rows != nil {
		rows = m.rows(rows)
	}
	if m.wrap != nil {
		c = m.wrap(c)
	}
	return fsm.NewEngineOver(rows, func(s states.State, d states.Data, at time.Time, in states.Input) (transitions.Event, states.Data) {
		e, after := c(s, d, at, in)
		after.At = at
		return e, after
	})
}

// mutantClient is main of a client that is built on the driver; without a name it has no flaw. It calls the
// server, and once more if that went well.
func mutantClient(name, server string) int {
	fail := func(err error) int { fmt.Println("client:", err); return 1 }
	store, err := filestore.Open(filepath.Join(os.Getenv("HOME"), "store"))
	if err != nil {
		return fail(err)
	}
	d, err := httpdriver.New(httpdriver.Options{Store: store})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = d.Close() }()
	for _, m := range wireMutants {
		if m.name == name {
			d.Over(m.law)
		}
	}
	client, err := d.Client(httpdriver.Account{Server: server})
	if err != nil {
		return fail(err)
	}
	for range 2 {
		req, err := http.NewRequest(http.MethodPost, server, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`))
		if err != nil {
			return fail(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		resp, err := client.Do(req)
		if err != nil {
			return fail(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if _ = resp.Body.Close(); resp.StatusCode >= 300 {
			return fail(fmt.Errorf("the server answers %d", resp.StatusCode))
		}
	}
	return 0
}

func auditMutant(t *testing.T, name string, only ...string) audit.Report {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all, err := trap.Run(t.Context(), audit.SelectTraps(only), trap.Options{Command: []string{self, "{url}"}, Env: []string{mutantVariable + "=" + name}, Timeout: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return audit.JudgeClient(all)
}

// A client that is built on the driver is named when one of its rules is switched off, by
// the trap of that rule, and is not without. Every fourth mutant is tried here, all are
// with make soak (TestEveryWireMutant).
func TestWireMutants(t *testing.T) { killOnTheWire(t, 4) }

func killOnTheWire(t *testing.T, nth int) {
	t.Parallel()
	var only []string
	for i, m := range wireMutants {
		if i%nth != 0 {
			continue
		}
		only = append(only, m.trap)
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			r := auditMutant(t, m.name, m.trap)
			if !slices.ContainsFunc(r.Findings(), func(f audit.Finding) bool { return f.Check == m.trap && slices.Contains(f.Rules, m.rule) }) {
				t.Errorf("%s does not name %s: %+v", m.trap, m.rule, r.Verdicts)
			}
		})
	}
	t.Run("no mutant", func(t *testing.T) {
		t.Parallel()
		r := auditMutant(t, "", only...)
		for _, f := range r.Findings() {
			t.Errorf("%s: %s (expected %q, found %q, %s)", f.Check, f.Says, f.Want, f.Got, f.Shown)
		}
		for _, v := range r.Verdicts {
			if v.Outcome == audit.CouldNotRun {
				t.Errorf("%s could not be run: %s", v.Check, wire.Clean(v.Why, 300))
			}
		}
	})
}
