package fsm_test

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// kept reads a printed store: the access and refresh token of the current
// grant, the registration's client, and whether a login is parked.
type kept struct {
	access, refresh, client string
	superseded, parked      bool
}

func (y *story) kept() kept {
	var k kept
	text := y.s.Do("store", "")
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "  T"):
			for i, w := range words {
				if w == "access" {
					k.access = words[i+1]
				}
				if w == "refresh" {
					k.refresh = words[i+1]
				}
			}
		case strings.HasPrefix(line, "    superseded"):
			k.superseded = true
		case strings.Contains(line, " method ") && strings.HasPrefix(line, "  "):
			k.client = words[0]
		case strings.HasPrefix(line, "login of"):
			k.parked = true
		}
	}
	return k
}

// TestT9WhatHappensToStoredCredentials: a row is an event and what is stored
// after it.
func TestT9WhatHappensToStoredCredentials(t *testing.T) {
	invalid := "challenge\nWWW-Authenticate: Bearer error=\"invalid_token\""
	held := kept{access: "‹access-1›", refresh: "‹refresh-1›", client: "‹client-1›"}
	rows := []struct {
		id    string
		lines []string
		kept  kept
		want  want
	}{
		{"#t9 transient, refreshing", lines("config", "reach Authorized", "wake", "run until=Refreshing", "respond status=503", "respond status=503", "respond status=503", "run"), held, want{state: states.Authorized, kind: "TR"}},
		{"#t9 transient, login under way stays", lines("config", "reach Authorized", "begin login", "run until=Authorizing", "wake", "answer store failed", "answer store failed"),
			kept{held.access, held.refresh, held.client, false, true}, want{state: states.Authorizing}},
		{"#t9 REFUSE in discovery", lines("config", "reach Authorized", "peer faults=(prm-cross-origin)", "begin login", "run"), held, want{state: states.Authorized, event: "DeniedWhileHolding"}},
		{"#t9 401, generation current", lines("config", "reach Authorized", invalid, "run until=Refreshing"), held, want{event: "TokenRejected"}},
		{"#t9 401, newer generation in the store", lines("config", "reach Authorized", "put credential newer", invalid, "run"),
			kept{"‹access-2›", "‹refresh-2›", held.client, false, false}, want{state: states.Authorized, event: "Adopted"}},
		{"#t9 invalid_grant, same generation", lines("config", "reach Authorized", "wake", "run until=Refreshing", "respond status=400\n{\"error\":\"invalid_grant\"}", "run"),
			kept{held.access, "", held.client, false, false}, want{state: states.Authorized, event: "DisownedWhileHolding"}},
		{"#t9 invalid_client, DCR, until the login", lines("config", "reach Authorized", invalid, "run until=Refreshing", badClient, "run until=Registering"), held, want{}},
		{"#t9 invalid_client, DCR, registered once", lines("config", "reach Authorized", invalid, "run until=Refreshing", badClient, "run"),
			kept{held.access, held.refresh, "‹client-2›", false, true}, want{state: states.Authorizing}},
		{"#t9 invalid_client, pre-registered", lines(configured, known, "reach Authorized", "wake", "run until=Refreshing", badClient, badClient, "run"),
			kept{held.access, held.refresh, "", false, false}, want{state: states.Authorized, event: "ClientRefused"}},
		{"#t9 row without issuer", lines("config", "reach Authorized", "put credential issuer=", "machine b", "begin", "run"),
			kept{client: held.client}, want{state: states.Failed, rule: rules.IssuerUnboundQuarantine}},
		{"#t9 decrypt failure", lines("config", "reach Authorized", "machine b", "begin", "answer store failed entry"), held, want{state: states.Failed, rule: rules.StoreAAD, kind: "TE"}},
		{"#t9 access_denied", lines("config", "reach Authorized", "begin login", "run until=Authorizing", "redirect error=access_denied iss=https://as.example", "run"), held, want{event: "DeniedWhileHolding"}},
		{"#t9 user timeout", lines("config", "reach Authorized", "drop registration", "begin login", "run until=Authorizing", "tick +5m", "run"),
			kept{held.access, held.refresh, "‹client-2›", false, false}, want{event: "LoginExpired"}},
		{"#t9 user timeout, client of an earlier login (docs/decisions.md)", lines("config", "reach Authorized", "begin login", "run until=Authorizing", "tick +5m", "run"),
			kept{held.access, held.refresh, "", false, false}, want{event: "RegistrationDoubted"}},
		{"#t9 iss failure", lines("config", "reach Authorized", "begin login", "run until=Authorizing", "redirect code=code-of-the-story", "run"), held, want{rule: rules.IssuerResponseRequired}},
		{"#t9 state failure: the login stays", lines("config", "reach Authorized", "begin login", "run until=Authorizing", "redirect code=code-of-mallory state=guessed"),
			kept{held.access, held.refresh, held.client, false, true}, want{state: states.Authorizing}},
		{"#t9 step-up success", lines("config", "reach Authorized", "call purge", "run until=Authorizing", "visit", "run"),
			kept{"‹access-2›", "‹refresh-2›", held.client, true, false}, want{state: states.Authorized}},
		{"#t9 step-up success, no refresh token", lines("config", "reach Authorized", "call purge", "run until=Authorizing", "visit", "run until=Exchanging", "respond\n{\"access_token\":\"a-wider-access-token\",\"token_type\":\"Bearer\",\"expires_in\":60}", "run"),
			kept{"‹access-2›", held.refresh, held.client, false, false}, want{state: states.Authorized}},
		{"#t9 logout", lines("config", "reach Authorized", "logout", "run"), kept{client: held.client}, want{state: states.Anonymous}},
	}
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) {
			y := tell(t, r.lines...)
			y.is(r.want)
			if got := y.kept(); got != r.kept {
				t.Errorf("kept is %+v, not %+v", got, r.kept)
			}
		})
	}
	t.Run("#t9 401 marks the token", func(t *testing.T) {
		y := tell(t, "config", "reach Authorized", invalid)
		d := y.data()
		if d.Rejected != d.Token().Generation || d.Usable(y.s.At()) {
			t.Error("the refused token counts as usable")
		}
	})
	t.Run("#t9 scope narrowed", func(t *testing.T) {
		y := tell(t, "config", "peer listed=(user, admin) faults=(scope-narrowed)", "reach Authorized")
		y.is(want{note: rules.TokenRespScopeNarrowed})
		if got := wire.JoinScope(y.data().Record.Current.Granted); got != "user" {
			t.Errorf("granted is %q", got)
		}
	})
	t.Run("#t9 logout revokes, the refresh token first", func(t *testing.T) {
		y := tell(t, "config", "reach Authorized", "logout", "run")
		var hints []string
		for _, s := range y.sent {
			if v, ok := s.Request.Form.Get("token_type_hint"); ok {
				hints = append(hints, v)
			}
		}
		if strings.Join(hints, " ") != "refresh_token access_token" {
			t.Errorf("revoked %v", hints)
		}
	})
	t.Run("#t9 PRM names a new issuer", func(t *testing.T) { newIssuer(t) })
}

// newIssuer: the resource moves to another issuer while a credential is held.
// Nothing of the old one is sent to the new one, and what is stored stays until
// the new login is.
func newIssuer(t *testing.T) {
	const asm = `{"issuer":"https://new.example","authorization_endpoint":"https://new.example/authorize","token_endpoint":"https://new.example/token","registration_endpoint":"https://new.example/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}`
	y := tell(t, "config", "reach Authorized", "peer servers=(https://new.example)", "begin login", "run until=Discovering-ASM")
	old := secretsOf(y.s.Machine())
	y.go_("respond\n" + asm).is(want{note: rules.IssuerASChangeReregister})
	if key := y.s.Do("pending", ""); !strings.Contains(key, "registration of https://new.example") {
		t.Errorf("the client of the new issuer is not looked for: %s", key)
	}
	y.go_("run until=Registering", "respond status=201\n{\"client_id\":\"client-of-the-new-issuer\"}", "run until=Authorizing")
	if got := y.kept(); got.access != "‹access-1›" || got.refresh != "‹refresh-1›" {
		t.Errorf("before the new login is stored: %+v", got)
	}
	y.go_("redirect code=code-of-the-new-issuer", "run until=Exchanging")
	for _, s := range y.sent {
		text := s.Request.URL + string(s.Request.Body)
		for _, f := range s.Request.Form {
			text += "\n" + f.Value
		}
		for _, secret := range old {
			if wire.Origin(s.Request.URL) == "https://new.example" && strings.Contains(text, secret) {
				t.Errorf("a secret of the old issuer went to %s", s.Request.URL)
			}
		}
		if wire.Origin(s.Request.URL) == "https://new.example" && strings.Contains(text, "client_id=‹client-1›") {
			t.Error("the old issuer's client is used at the new one")
		}
	}
	y.go_("respond\n{\"access_token\":\"access-of-the-new-issuer\",\"token_type\":\"Bearer\",\"refresh_token\":\"refresh-of-the-new-issuer\",\"expires_in\":3600}", "run until=Withdrawing")
	if got := y.kept(); !got.superseded {
		t.Errorf("right after the new login was stored: %+v", got)
	}
	if n := y.posts("https://as.example/revoke"); n != 0 {
		t.Errorf("%d revocations before the new token is handed out", n)
	}
	y.go_("run")
	if n := y.posts("https://as.example/revoke"); n != 2 {
		t.Errorf("%d tokens of the old issuer were revoked", n)
	}
	if got := y.kept(); got.superseded || got.access == "‹access-1›" || y.s.Machine().State != states.Authorized {
		t.Errorf("after the new login: %+v in %s", got, y.s.Machine().State)
	}
	if text := y.s.Do("store", ""); !strings.Contains(text, "registration of https://as.example") {
		t.Errorf("the old issuer's registration is gone:\n%s", text)
	}
}

// TestEveryFaultOfThePeer lets a whole life pass with each fault that package
// peer knows: it comes to rest, in bounds, and no secret goes astray.
func TestEveryFaultOfThePeer(t *testing.T) {
	for _, f := range peer.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			y := tell(t, "config", "peer faults=("+f.Name+")", "begin", "run")
			for range 6 { // calls, logins, refreshes, as a driver would
				y.s.Do("call", "")
				y.s.Do("run", "")
				if y.s.Machine().State == states.Authorizing {
					y.s.Do("visit", "")
					y.s.Do("run", "")
				}
				if y.s.Machine().State == states.Authorized {
					y.s.Do("call purge", "")
					y.s.Do("run", "")
				}
			}
			y.s.Do("wait +61m", "")
			y.s.Do("wake", "")
			y.s.Do("run", "")
			m := y.s.Machine()
			if !states.Resting(m.State) && m.State != states.Authorizing {
				t.Errorf("it does not come to rest: %s", m.State)
			}
			if n := len(y.sent); n > 120 {
				t.Errorf("%d requests", n)
			}
			if n := len(y.visits); n > 40 {
				t.Errorf("%d visits", n)
			}
			if f := m.Data.Fault; f != nil {
				if _, ok := rules.Lookup(f.Problem.Rule); !ok {
					t.Errorf("%q is no rule", f.Problem.Rule)
				}
			}
			for _, s := range y.sent {
				to := wire.Origin(s.Request.URL)
				foreign := f.Name == "asm-foreign-token-endpoint" || f.Name == "asm-private-endpoint" // the issuer's own wish; the guard has its say
				if to != "https://as.example" && to != "https://mcp.example" && !foreign && s.Request.Method == "POST" {
					t.Errorf("a form went to %s", s.Request.URL)
				}
			}
		})
	}
}
