package explore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// A mutant is the law with one thing wrong: other rows, or a wrapper around
// Classify. It names the invariant that must notice, and is walked with that
// invariant alone.
type mutant struct {
	name   string
	breaks *Invariant
	world  string
	rows   func([]transitions.Row) []transitions.Row
	wrap   func(transitions.Event, states.State, states.Data, states.Data, states.Input) (transitions.Event, states.Data) // after Classify: event, state, before, after
	input  func(states.State, states.Data, states.Input) states.Input                                                     // before Classify
	much   int
	begin  string   // the one beginning of the walk
	also   []string // further invariants
}

type rows = []transitions.Row

// to changes where a row leads.
func to(from states.State, on transitions.Event, where states.State) func(rows) rows {
	return func(t rows) rows {
		for i := range t {
			if t[i].From == from && t[i].On == on {
				t[i].To, t[i].Hold = where, false
			}
		}
		return t
	}
}

func gone(from states.State, on transitions.Event) func(rows) rows {
	return func(t rows) rows {
		return slices.DeleteFunc(t, func(r transitions.Row) bool { return r.From == from && r.On == on })
	}
}

func holds(from states.State, on transitions.Event) func(rows) rows {
	return func(t rows) rows {
		for i := range t {
			if t[i].From == from && t[i].On == on {
				t[i].To, t[i].Hold = from, true
			}
		}
		return t
	}
}

type after = func(transitions.Event, states.State, states.Data, states.Data, states.Input) (transitions.Event, states.Data)

// on changes the facts after one event.
func on(event transitions.Event, change func(d *states.Data)) after {
	return func(e transitions.Event, _ states.State, _, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == event {
			change(&d)
		}
		return e, d
	}
}

// login changes the facts of the login after one event, on a copy.
func login(event transitions.Event, change func(f *states.Flow, d *states.Data)) after {
	return on(event, func(d *states.Data) {
		if d.Flow != nil {
			f := *d.Flow
			change(&f, d)
			d.Flow = &f
		}
	})
}

// obtained changes the token that was just obtained.
func obtained(change func(t *states.Token)) after {
	return func(e transitions.Event, _ states.State, _, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if d.Obtained != nil && (e == transitions.TokenIssued || e == transitions.TokenRefreshed) {
			t := *d.Obtained
			change(&t)
			d.Obtained = &t
		}
		return e, d
	}
}

// own gives a machine its own record where it reads the stored one.
func own(s states.State, d states.Data, in states.Input, keepIntent bool) states.Input {
	l, ok := in.(states.Loaded)
	if !ok || d.Record == nil || s != states.Reloading && s != states.Looking {
		return in
	}
	r := *d.Record
	if !keepIntent {
		r.Intent = nil
	}
	l.Value, _ = states.Encode(r)
	return l
}

// noIntent takes the intent out of what is read under the lease.
func noIntent(s states.State, in states.Input) states.Input {
	l, ok := in.(states.Loaded)
	if !ok || s != states.Reloading {
		return in
	}
	if c, err := states.DecodeCredential(l.Value); err == nil {
		c.Intent = nil
		l.Value, _ = states.Encode(*c)
	}
	return l
}

var mutants = []mutant{
	{name: "a row is missing", breaks: total, world: "open", rows: gone(states.Leasing, transitions.LeaseHeld)},
	{name: "a login that fails has nowhere to go", breaks: total, world: "closed", rows: gone(states.Withdrawing, transitions.LoginFailed)},
	{name: "a record is changed in place", breaks: pure, world: "closed", wrap: on(transitions.TokenAccepted, func(d *states.Data) {
		if t := d.Token(); t != nil {
			t.Rotates = !t.Rotates
		}
	})},
	{name: "a refused input leaves a trace", breaks: refusedKeeps, world: "open", wrap: on(transitions.Illegal, func(d *states.Data) {
		if t := d.Token(); t != nil {
			t.Rotates = !t.Rotates
		}
	})},
	{name: "an answer does not close its question", breaks: staleRefused, world: "closed", rows: holds(states.Filing, transitions.RegistrationFiled)},
	{name: "what a machine knows cannot be written", breaks: snapshotSame, world: "closed", wrap: on(transitions.LoginParked, func(d *states.Data) { d.RefusedClient = "\xff" })},
	{name: "a visit has a serial of its own", breaks: questionLast, world: "closed", wrap: login(transitions.LoginParked, func(f *states.Flow, _ *states.Data) { f.Visit = 1 })},
	{name: "held counts as leased", breaks: stateHolds, world: "pair", much: -1, rows: to(states.Leasing, transitions.LeaseHeld, states.Reloading)},
	{name: "a process that waits does not look", breaks: ends, world: "pair", much: -1, rows: holds(states.Waiting, transitions.LookAgain)},
	{name: "another token endpoint", breaks: secretHome, world: "closed", wrap: login(transitions.ASMFound, func(f *states.Flow, _ *states.Data) { f.Server.TokenEndpoint = "https://evil.example/token" })},
	{name: "another token endpoint at the refresh", breaks: secretHome, world: "closed", wrap: obtained(func(t *states.Token) { t.Server.TokenEndpoint = "https://evil.example/token" })},
	{name: "iss is not compared", breaks: secretHome, world: "adversary", rows: to(states.Claiming, transitions.IssuerMismatch, states.Exchanging)},
	{name: "a configured client is used anywhere", breaks: secretHome, world: "adversary", wrap: on(transitions.Begun, func(d *states.Data) {
		if d.Config.Client != nil {
			c, k := *d.Config, *d.Config.Client
			k.Issuer = ""
			c.Client, d.Config = &k, &c
		}
	})},
	{name: "the initial access token goes to anybody who demands it", breaks: secretHome, world: "adversary", wrap: on(transitions.ASMFound, func(d *states.Data) {
		c := *d.Config
		c.Issuer, d.Config = d.Flow.Server.Issuer, &c
	})},
	{name: "the initial access token goes undemanded", breaks: secretHome, world: "open", wrap: login(transitions.ASMFound, func(f *states.Flow, _ *states.Data) { f.Demanded = true })},
	{name: "state is not compared", breaks: foreignCode, world: "closed", wrap: func(e transitions.Event, _ states.State, _, d states.Data, in states.Input) (transitions.Event, states.Data) {
		if back, ok := in.(states.Redirected); ok && e == transitions.StateMismatch {
			f := *d.Flow
			f.Callback, d.Flow = back.URL, &f
			return transitions.CallbackReceived, d
		}
		return e, d
	}},
	{name: "the verifier travels with the browser", breaks: noSecretInURL, world: "closed", wrap: login(transitions.LoginParked, func(f *states.Flow, _ *states.Data) {
		f.Server.AuthorizationEndpoint += "?hint=" + f.Verifier.Reveal()
	})},
	{name: "a token endpoint over http", breaks: urlsSafe, world: "closed", wrap: login(transitions.ASMFound, func(f *states.Flow, _ *states.Data) {
		f.Server.TokenEndpoint = strings.Replace(f.Server.TokenEndpoint, "https", "http", 1)
	})},
	{name: "no resource in the login", breaks: resourceAlways, world: "closed", wrap: login(transitions.ASMFound, func(f *states.Flow, _ *states.Data) { f.Resource = "" })},
	{name: "no resource in the refresh", breaks: resourceAlways, world: "closed", wrap: obtained(func(t *states.Token) { t.Resource = "" })},
	{name: "another resource", breaks: grantHome, world: "closed", wrap: login(transitions.ASMFound, func(f *states.Flow, _ *states.Data) { f.Resource = "https://other.example/mcp" })},
	{name: "the verifier is drawn anew", breaks: pkceOnce, world: "closed", wrap: login(transitions.CodeReceived, func(f *states.Flow, d *states.Data) { f.Verifier = d.Draw("verifier") })},
	{name: "a second request with the first one's state", breaks: pkceOnce, world: "closed", begin: "nothing stored", wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.ExchangeLost || e == transitions.CodeRefused {
			f := *d.Flow
			f.State, f.Verifier, d.Flow = was.Flow.State, was.Flow.Verifier, &f
		}
		return e, d
	}},
	{name: "an assertion is sent again", breaks: assertionOnce, world: "machines", begin: "in its own name, with a key", rows: to(states.Requesting, transitions.RequestTroubleToSign, states.Requesting), wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.RequestTroubleToSign {
			d.Assertion = was.Assertion
		}
		return e, d
	}},
	{name: "an assertion is drawn once for all", breaks: assertionOnce, world: "machines", begin: "a user's login, with a key, a minute before the end", wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.RevokedOneToSign {
			d.Assertion = &states.Assertion{ID: "always the same one", At: was.At.Truncate(time.Hour)}
		}
		if e == transitions.LogoutReadyToSign {
			d.Assertion = &states.Assertion{ID: "always the same one", At: was.At.Truncate(time.Hour)}
		}
		return e, d
	}},
	{name: "a proof is sent again", breaks: proofOnce, world: "machines", begin: "a user's login, bound to a key", rows: to(states.Exchanging, transitions.NonceDemanded, states.Exchanging), wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.NonceDemanded {
			d.Proof = was.Proof
		}
		return e, d
	}},
	{name: "a proof is sent again with another assertion", breaks: proofOnce, world: "machines", begin: "a workload, bound to a key", wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.NonceDemanded || e == transitions.AssertionGivenToSign && was.Proof != nil {
			d.Proof = was.Proof
		}
		return e, d
	}},
	{name: "a proof goes to another address", breaks: proofOnce, world: "machines", begin: "in its own name, bound to a key", wrap: login(transitions.ProofSigned, func(f *states.Flow, _ *states.Data) { f.Server.TokenEndpoint = issuer + "/elsewhere" })},
	{name: "a bound token is handed out as a bearer token", breaks: boundAsBound, world: "machines", begin: "a user's login, bound to a key", wrap: obtained(func(t *states.Token) { t.Type = "Bearer" })},
	{name: "a bearer token where binding is required", breaks: boundAsBound, world: "machines", begin: "in its own name, bound to a key", wrap: obtained(func(t *states.Token) { t.Type, t.Thumbprint = "Bearer", "" })},
	{name: "nonces are asked for without end", breaks: proofRetried, world: "machines", begin: "a nonce without end", wrap: on(transitions.NonceDemanded, func(d *states.Data) {
		p := *d.Proof
		p.Nonced, d.Proof = false, &p
	})},
	{name: "a workload is asked for nonces without end", breaks: proofRetried, world: "machines", begin: "a nonce without end for a workload", wrap: on(transitions.NonceDemanded, func(d *states.Data) {
		p := *d.Proof
		p.Nonced, d.Proof = false, &p
	})},
	{name: "what was tried for a proof is forgotten over an ID-JAG", breaks: proofRetried, world: "machines", begin: "a nonce without end for a company", wrap: on(transitions.IdentityGiven, func(d *states.Data) { d.Proof = nil })},
	{name: "an ID-JAG is sent again", breaks: grantOnce, world: "machines", begin: "a user of a company", rows: to(states.Redeeming, transitions.RequestTroubleToIdentify, states.Redeeming), wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.RequestTroubleToIdentify {
			d.Assertion = was.Assertion
		}
		return e, d
	}},
	{name: "the ID token is presented", breaks: identityHome, world: "machines", begin: "a user of a company", wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.JAGGiven {
			d.Assertion = was.Assertion
		}
		return e, d
	}},
	{name: "an ID-JAG of another issuer is presented", breaks: identityHome, world: "open", wrap: func(e transitions.Event, _ states.State, was, d states.Data, in states.Input) (transitions.Event, states.Data) {
		if r, ok := in.(states.Responded); ok && e == transitions.JAGUnusable && was.Flow != nil {
			d.Assertion = &states.Assertion{Text: wire.Secret(field(r.Response, "access_token"))}
			return transitions.JAGGiven, d
		}
		return e, d
	}},
	{name: "a machine goes to a browser", breaks: noBrowser, world: "machines", begin: "in its own name, with a secret", rows: to(states.DiscoveringASM, transitions.OwnTokenWanted, states.Binding)},
	{name: "a code is sent again", breaks: codeOnce, world: "faults", begin: "token-500", wrap: func(e transitions.Event, _ states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.ExchangeLost {
			return transitions.ExchangeTrouble, was
		}
		return e, d
	}},
	{name: "a code follows its endpoint", breaks: codeOnce, world: "faults", begin: "token-moves", rows: to(states.RereadingToExchange, transitions.EndpointMoved, states.Exchanging), wrap: func(e transitions.Event, s states.State, was, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.EndpointMoved && s == states.RereadingToExchange {
			f := *was.Flow
			f.Server, f.MetadataReadAgain, d.Flow = d.Flow.Server, true, &f
		}
		return e, d
	}},
	{name: "a token endpoint moves to another's", breaks: secretHome, world: "faults", begin: "token-moves-later", wrap: on(transitions.EndpointMoved, func(d *states.Data) {
		if d.Flow == nil {
			r, t := *d.Record, *d.Record.Current
			t.Server.TokenEndpoint, r.Current = "https://evil.example/token", &t
			d.Record = &r
		}
	})},
	{name: "the lease is believed to last longer", breaks: onceMarked, world: "pair", much: -1, input: func(_ states.State, _ states.Data, in states.Input) states.Input {
		if l, ok := in.(states.Leased); ok {
			l.TTL *= 3
			return l
		}
		return in
	}},
	{name: "the grant in use is revoked", breaks: inUseKept, world: "moved", much: -1, wrap: on(transitions.GrantsLeft, func(d *states.Data) { d.Retiring = []states.Token{*d.Token()} })},
	{name: "an expired token is found good", breaks: grantFresh, world: "open", rows: to(states.Loading, transitions.CredentialExpiring, states.Authorized)},
	{name: "neither lease nor intent", breaks: noOverlap, world: "pair", much: -1, input: func(s states.State, _ states.Data, in states.Input) states.Input {
		if h, ok := in.(states.Held); ok {
			return states.Leased{Serial: h.Serial, Fence: 77, TTL: time.Minute}
		}
		return noIntent(s, in)
	}},
	{name: "a newer generation is not adopted", breaks: notAfterSuccess, world: "pair", much: -1, input: func(s states.State, d states.Data, in states.Input) states.Input { return own(s, d, in, false) }},
	{name: "the loser writes over the winner", breaks: winnerKept, world: "pair", much: -1, input: func(s states.State, d states.Data, in states.Input) states.Input { return own(s, d, in, true) }},
	{name: "reuse is risked", breaks: familyAlive, world: "pair", much: -1, input: func(s states.State, d states.Data, in states.Input) states.Input { return own(s, d, in, false) }},
	{name: "doubt has no end", breaks: doubtBounded, world: "doubt", begin: "in doubt for two hours", input: func(s states.State, _ states.Data, in states.Input) states.Input {
		if l, ok := in.(states.Loaded); ok && s == states.Reloading {
			if c, err := states.DecodeCredential(l.Value); err == nil && c.Intent != nil {
				i := *c.Intent
				i.Since, c.Intent = time.Time{}, &i
				l.Value, _ = states.Encode(*c)
			}
			return l
		}
		return in
	}},
	{name: "a lost answer is asked for again at once", breaks: doubtBounded, world: "faults", begin: "refresh-html", rows: to(states.Refreshing, transitions.AnswerLost, states.Refreshing)},
	{name: "what was probably taken is sent again", breaks: doubtBounded, world: "doubt", rows: to(states.Refreshing, transitions.RefreshGivenUp, states.Unmarking), wrap: on(transitions.RefreshGivenUp, func(d *states.Data) {
		if d.Record.Intent != nil {
			r := *d.Record
			r.Intent, d.Record, d.NoRenew = nil, &r, false
		}
	})},
	{name: "one lost answer drops the refresh token", breaks: refreshTokenKept, world: "doubt", wrap: on(transitions.AnswerLostAgain, func(d *states.Data) {
		r, t := *d.Record, *d.Record.Current
		t.RefreshToken, r.Current, d.Record = "", &t, &r
	})},
	{name: "no intent is marked", breaks: intentFirst, world: "closed", rows: to(states.Reloading, transitions.RefreshDue, states.Refreshing)},
	{name: "trouble drops the refresh token", breaks: refreshTokenKept, world: "closed", wrap: on(transitions.RefreshUnreachable, func(d *states.Data) {
		r, t := *d.Record, *d.Record.Current
		t.RefreshToken, r.Current, d.Record = "", &t, &r
	})},
	{name: "a removed credential comes back", breaks: notResurrected, world: "closed", wrap: func(e transitions.Event, s states.State, was, d states.Data, in states.Input) (transitions.Event, states.Data) {
		if _, missing := in.(states.NotFound); missing && s == states.Reconciling {
			was.Entry = 0
			return transitions.PutOver, was
		}
		return e, d
	}},
	{name: "the lease is kept", breaks: leaseReturned, world: "closed", wrap: on(transitions.Rotated, func(d *states.Data) { d.Lease = states.Leasehold{} })},
	{name: "a store in trouble costs the token", breaks: tokenKept, world: "closed", rows: to(states.Leasing, transitions.StoreLostWhileHolding, states.Failed)},
	{name: "a refused step-up costs the token", breaks: tokenKept, world: "closed", rows: to(states.Withdrawing, transitions.DeniedWhileHolding, states.Failed)},
	{name: "a refresh in trouble forgets the record", breaks: tokenKept, world: "faults", begin: "refresh-500", rows: to(states.Refreshing, transitions.RefreshUnreachable, states.Failed),
		wrap: on(transitions.RefreshUnreachable, func(d *states.Data) { d.Record = nil })},
	{name: "a refresh in trouble begins from nothing", breaks: tokenKept, world: "faults", begin: "refresh-500", rows: to(states.Refreshing, transitions.RefreshUnreachable, states.Anonymous),
		wrap: on(transitions.RefreshUnreachable, func(d *states.Data) { d.Record = nil })},
	{name: "a login in place of what is stored", breaks: loginNeeded, world: "closed", wrap: func(e transitions.Event, s states.State, _, d states.Data, _ states.Input) (transitions.Event, states.Data) {
		if e == transitions.CredentialFound {
			d.Flow = &states.Flow{Why: "challenge", Deadline: d.At.Add(time.Hour)}
			return transitions.LoginNeeded, d
		}
		return e, d
	}},
	{name: "nobody looks again after the mark", breaks: loginNeeded, world: "pair", begin: "one looked before the other logged in", much: -1, input: func(s states.State, _ states.Data, in states.Input) states.Input {
		if l, ok := in.(states.Loaded); ok && s == states.Confirming {
			return states.NotFound{Serial: l.Serial}
		}
		return in
	}},
	{name: "what is found after the mark is not believed", breaks: loginNeeded, world: "pair", begin: "one looked before the other logged in", much: -1, rows: func(t rows) rows {
		return to(states.Confirming, transitions.LoginAdopted, states.DiscoveringPRM)(t)
	}, wrap: login(transitions.LoginAdopted, func(f *states.Flow, d *states.Data) {
		if d.Adopted != nil {
			f.Candidates, d.Adopted = []string{"https://mcp.example/.well-known/oauth-protected-resource/mcp"}, nil
		}
	})},
	{name: "the ladder of refusals is forgotten", breaks: loginsBounded, world: "faults", begin: "audience-wrong", wrap: obtained(func(t *states.Token) { t.Climbed, t.RefreshToken = states.Ladder{}, "" })},
	{name: "retries are not counted", breaks: retriesBounded, world: "faults", begin: "prm-500", wrap: on(transitions.PRMTrouble, func(d *states.Data) { d.Tries = 0 })},
	{name: "step-ups are not counted", breaks: stepUpsBounded, world: "faults", begin: "asm-iss-flag-string", wrap: login(transitions.StepUpAllowed, func(f *states.Flow, d *states.Data) {
		f.Ledger.Attempts, d.StepUps = nil, 0
	})},
	{name: "a step-up passes for a login that a user asked for", breaks: stepUpsBounded, world: "faults", begin: "asm-iss-flag-string", wrap: obtained(func(t *states.Token) { t.Decided = t.Received.Add(time.Second) })},
	{name: "any challenge is about this token", breaks: staleIdle, world: "closed", input: func(_ states.State, d states.Data, in states.Input) states.Input {
		if c, ok := in.(states.Challenged); ok && d.Token() != nil {
			c.Generation = d.Token().Generation
			return c
		}
		return in
	}},
	{name: "a plain 403 starts a refresh", breaks: plainIdle, world: "faults", begin: "plain-403", rows: to(states.Authorized, transitions.Forbidden, states.Leasing)},
	{name: "cancelling drops a refresh under way", breaks: cancelWaits, world: "closed", rows: to(states.Refreshing, transitions.CancelNoted, states.Authorized)},
	{name: "the mark stays", breaks: markWithdrawn, world: "closed", rows: to(states.Saving, transitions.CredentialSaved, states.Authorized)},
	{name: "the parked login stays", breaks: loginWithdrawn, world: "closed", rows: to(states.Authorizing, transitions.LoginExpired, states.Withdrawing)},
	{name: "a failure without a word", breaks: failureSaid, world: "closed", wrap: on(transitions.LoginFailed, func(d *states.Data) { d.Fault = nil })},
}

// kill walks with a mutant's law and its invariant, until it is noticed.
func (m mutant) kill(bound int) (*Explorer, error) {
	o := Options{World: m.world, Situations: bound, Trouble: m.much, Stop: 1, begin: m.begin, Only: append([]string{m.breaks.Name}, m.also...), Table: slices.Clone(transitions.Table)}
	if m.rows != nil {
		o.Table = m.rows(o.Table)
	}
	o.Classify = func(s states.State, d states.Data, at time.Time, in states.Input) (transitions.Event, states.Data) {
		if m.input != nil {
			in = m.input(s, d, in)
		}
		e, after := transitions.Classify(s, d, at, in)
		if m.wrap != nil {
			after.At = at
			e, after = m.wrap(e, s, d, after, in)
		}
		return e, after
	}
	x, err := New(o)
	if err != nil {
		return nil, err
	}
	for x.Run(256) {
	}
	return x, nil
}

func TestMutantsDie(t *testing.T) {
	t.Parallel()
	killAll(t, shrink)
}

// killAll walks with every mutant. With a shorter bound, those that need more
// are left to the whole walk, but most must die here too.
func killAll(t *testing.T, shorter int) {
	t.Helper()
	hit, dead := map[string]int{}, 0
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			begin := time.Now()
			x, err := m.kill((map[string]int{"adversary": 80000, "faults": 80000}[m.world] + 24000) / shorter)
			if err != nil {
				t.Fatal(err)
			}
			found := x.Violations()
			s := x.Summary()
			switch {
			case len(found) > 0:
				dead++
			case shorter > 1:
				t.Log("not within the shorter bound")
				return
			default:
				t.Fatalf("it survives %d situations of the %s world: %s does not notice", s.Situations, m.world, m.breaks.Name)
			}
			hit[m.breaks.Name]++
			t.Logf("%s after %d situations, %d steps, %s, from %s: %s", m.breaks.Name, s.Situations, s.Steps, time.Since(begin).Round(time.Millisecond), s.Walks[len(s.Walks)-1].Name, found[0].Detail)
			if len(found[0].Steps) == 0 && !strings.Contains(found[0].Script, "----") {
				t.Error("the violation does not say how it is reached")
			}
		})
	}
	if dead < 25 && shorter == 1 || dead < 10 {
		t.Errorf("only %d of %d mutants die", dead, len(mutants))
	}
	for _, inv := range Invariants() {
		if hit[inv.Name] == 0 && shorter == 1 {
			t.Errorf("no mutant shows what %s is good for", inv.Name)
		}
		if _, ok := rules.Lookup(inv.Rule); !ok {
			t.Errorf("%s cites %s, which is no rule", inv.Name, inv.Rule)
		}
	}
	t.Logf("%d of %d mutants die", dead, len(mutants))
}
