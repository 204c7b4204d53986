package fsm_test

import (
	"fmt"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// Where a failure can meet the machine, the way there, and what came of it.
var columns = []struct {
	name string
	way  []string
}{
	{"PRM", lines("config asks=(client)", "reach Discovering-PRM")},
	{"ASM", lines("config asks=(client)", "reach Discovering-ASM")},
	{"Registering", lines("config asks=(client)", "reach Registering")},
	{"Exchanging", lines("config asks=(client)", "reach Exchanging")},
	{"Refreshing", lines("config", "reach Authorized", "wait 2h", "machine b", "begin", "run until=Refreshing")},
}

// TestT8aTransportAndHTTP goes through the matrix: each class of failure at
// each place. A cell names the events that it leads to at once, one for each
// repetition of the same failure, and at the end the state and the kind.
func TestT8aTransportAndHTTP(t *testing.T) {
	type cell struct {
		events []string // of the first answers
		state  states.State
		kind   string // TR, TE; "" when the login goes on
	}
	times := func(n int, event string) []string {
		var out []string
		for range n {
			out = append(out, event)
		}
		return out
	}
	add := func(a []string, b ...string) []string { return append(append([]string{}, a...), b...) }
	for _, r := range []struct {
		class string
		line  string
		cells [5]cell // PRM, ASM, Registering, Exchanging, Refreshing
	}{
		{"DNS, refused, no route", "unreachable unsent", [5]cell{
			{add(times(3, "PRMTrouble"), "PRMMissing"), states.Failed, "TR"},
			{add(times(3, "ASMTrouble"), "ASMMissing"), states.Failed, "TR"},
			{add(times(3, "RegistrationTrouble"), "RegistrationUnreachable"), states.Failed, "TR"},
			{add(times(2, "ExchangeTrouble"), "ExchangeLost"), states.Authorizing, ""},
			{add(times(3, "RefreshTrouble"), "RefreshUnreachable"), states.Failed, "TR"},
		}},
		{"reset or timeout after sending", "unreachable lost", [5]cell{
			{add(times(3, "PRMTrouble"), "PRMMissing"), states.Failed, "TR"},
			{add(times(3, "ASMTrouble"), "ASMMissing"), states.Failed, "TR"},
			{[]string{"RegistrationLost", "RegistrationUnreachable"}, states.Failed, "TR"},
			{[]string{"ExchangeLost"}, states.Authorizing, ""},
			{[]string{"AnswerLost"}, states.Failed, "TR"},
		}},
		{"TLS verify failure", "unreachable tls", [5]cell{
			{[]string{"PRMRefused"}, states.Failed, "TE"}, {[]string{"ASMRefused"}, states.Failed, "TE"},
			{[]string{"RegistrationRefused"}, states.Failed, "TE"}, {[]string{"ExchangeRefused"}, states.Failed, "TE"},
			{[]string{"RefreshRefused"}, states.Failed, "TE"},
		}},
		{"IP policy, URL rule", "unreachable blocked", [5]cell{
			{[]string{"PRMRefused"}, states.Failed, "TE"}, {[]string{"ASMRefused"}, states.Failed, "TE"},
			{[]string{"RegistrationRefused"}, states.Failed, "TE"}, {[]string{"ExchangeRefused"}, states.Failed, "TE"},
			{[]string{"RefreshRefused"}, states.Failed, "TE"},
		}},
		{"3xx", "respond status=302", [5]cell{
			{[]string{"PRMMissing", "PRMRefused"}, states.Failed, "TE"}, {[]string{"ASMMissing", "ASMRefused"}, states.Failed, "TE"},
			{[]string{"RegistrationRefused"}, states.Failed, "TE"}, {[]string{"ExchangeRefused"}, states.Failed, "TE"},
			{[]string{"RefreshRefused"}, states.Failed, "TE"},
		}},
		{"401/403, no OAuth body", "respond status=403 type=text/html\n" + html, [5]cell{
			{[]string{"PRMMissing", "LegacyServer"}, "", ""}, {[]string{"ASMMissing", "ASMAbsent"}, states.Failed, "TE"},
			{[]string{"ClientNeeded"}, states.NeedingClient, ""}, {[]string{"TokenRefused"}, states.Failed, "TE"},
			{[]string{"RefreshDenied"}, states.Anonymous, "TE"},
		}},
		{"401 with a Basic challenge", "respond status=401 type=text/plain header=(WWW-Authenticate: Basic realm=token)", [5]cell{
			{[]string{"PRMMissing", "LegacyServer"}, "", ""}, {[]string{"ASMMissing", "ASMAbsent"}, states.Failed, "TE"},
			{[]string{"ClientNeeded"}, states.NeedingClient, ""}, {[]string{"ClientUnknown"}, states.Authorizing, ""},
			{[]string{"ClientUnknown"}, states.Anonymous, "TE"},
		}},
		{"404, 405, 410", "respond status=404 type=text/plain", [5]cell{
			{[]string{"PRMMissing", "LegacyServer"}, "", ""}, {[]string{"ASMMissing", "ASMAbsent"}, states.Failed, "TE"},
			{[]string{"EndpointGone"}, states.NeedingClient, ""}, {[]string{"EndpointGone"}, states.Failed, "TE"},
			{[]string{"EndpointGone"}, states.Anonymous, "TE"},
		}},
		{"other 4xx without OAuth error", "respond status=418 type=text/html\n" + html, [5]cell{
			{[]string{"PRMMissing", "LegacyServer"}, "", ""}, {[]string{"ASMMissing", "ASMAbsent"}, states.Failed, "TE"},
			{[]string{"RegistrationTrimmed", "RegistrationTrimmed", "RegistrationRefused"}, states.Failed, "TE"}, {[]string{"TokenRefused"}, states.Failed, "TE"},
			{[]string{"RefreshDenied"}, states.Anonymous, "TE"},
		}},
		{"429", "respond status=429 header=(Retry-After: 1)", [5]cell{
			{add(times(3, "PRMTrouble"), "PRMMissing"), states.Failed, "TR"},
			{add(times(3, "ASMTrouble"), "ASMMissing"), states.Failed, "TR"},
			{add(times(2, "RegistrationTrouble"), "RegistrationUnreachable"), states.Failed, "TR"},
			{[]string{"ExchangeTrouble", "ExchangeLost"}, states.Authorizing, ""},
			{add(times(2, "RefreshTrouble"), "RefreshUnreachable"), states.Failed, "TR"},
		}},
		{"5xx, any body", "respond status=502 type=text/html\n" + html, [5]cell{
			{add(times(3, "PRMTrouble"), "PRMMissing"), states.Failed, "TR"},
			{add(times(3, "ASMTrouble"), "ASMMissing"), states.Failed, "TR"},
			{add(times(2, "RegistrationTrouble"), "RegistrationUnreachable"), states.Failed, "TR"},
			{[]string{"ExchangeLost"}, states.Authorizing, ""},
			{add(times(2, "RefreshTrouble"), "RefreshUnreachable"), states.Failed, "TR"},
		}},
		{"200 HTML", "respond type=text/html\n" + html, [5]cell{
			{[]string{"PRMMissing", "LegacyServer"}, "", ""}, {[]string{"ASMMissing", "ASMAbsent"}, states.Failed, "TE"},
			{[]string{"RegistrationRefused"}, states.Failed, "TE"}, {[]string{"TokenRefused"}, states.Failed, "TE"},
			{[]string{"AnswerLost"}, states.Failed, "TR"},
		}},
		{"malformed JSON in 200", "respond\n{\"issuer\":", [5]cell{
			{[]string{"PRMMissing", "PRMRefused"}, states.Failed, "TE"}, {[]string{"ASMMissing", "ASMRefused"}, states.Failed, "TE"},
			{[]string{"RegistrationRefused"}, states.Failed, "TE"}, {[]string{"TokenRefused"}, states.Failed, "TE"},
			{[]string{"AnswerLost"}, states.Failed, "TR"},
		}},
		{"oversized", "respond oversized\n{}", [5]cell{
			{[]string{"PRMMissing"}, states.Failed, "TE"}, {[]string{"ASMMissing"}, states.Failed, "TE"},
			{[]string{"RegistrationRefused"}, states.Failed, "TE"}, {[]string{"TokenRefused"}, states.Failed, "TE"},
			{[]string{"AnswerLost"}, states.Failed, "TR"},
		}},
		{"200 with error", "respond\n{\"error\":\"invalid_client\"}", [5]cell{
			{[]string{"PRMMissing"}, states.Failed, "TE"}, {[]string{"ASMMissing"}, states.Failed, "TE"},
			{[]string{"ClientNeeded"}, states.NeedingClient, ""}, {[]string{"ClientUnknown"}, states.Authorizing, ""},
			{[]string{"ClientUnknown"}, states.Anonymous, "TE"},
		}},
	} {
		for i, c := range columns {
			t.Run(fmt.Sprintf("#t8a %s, %s", r.class, c.name), func(t *testing.T) {
				y := tell(t, c.way...)
				before := y.s.Do("store", "")
				at := y.s.Machine().State
				way := len(y.events)
				for range 40 { // the same failure for as long as this place asks
					if y.s.Machine().State != at {
						break
					}
					y.go_(r.line)
				}
				for n, event := range r.cells[i].events {
					if way+n >= len(y.events) || y.events[way+n] != event {
						t.Fatalf("%v happened, not %v", y.events[way:], r.cells[i].events)
					}
				}
				if c.name == "Refreshing" && y.fired("AnswerLost") { // lost twice
					y.go_("run until=Refreshing", r.line)
				}
				if y.s.Machine().State == states.RereadingToRegister {
					y.go_("run until=Needing-Client")
				}
				if y.s.Machine().State != states.NeedingClient {
					y.go_("run")
				}
				y.is(want{state: r.cells[i].state, kind: r.cells[i].kind})
				if c.name == "Refreshing" {
					if after := y.s.Do("store", ""); tokens(after) != tokens(before) {
						t.Errorf("the credential changed from\n%s\nto\n%s", before, after)
					}
				}
			})
		}
	}
}

// TestT8aEndpointMoved: 404 where the same issuer says that the endpoint has
// moved.
func TestT8aEndpointMoved(t *testing.T) {
	moved := func(s states.State) want {
		return want{state: s, event: "EndpointMoved", note: rules.IssuerRefreshBound}
	}
	decide(t, []decision{
		{"Registering", lines("peer faults=(register-moves)", "config", "begin login", "run"), moved(states.Authorizing)},
		{"Exchanging", lines("peer faults=(token-moves)", "config", "reach Authorizing", "visit", "run"), moved(states.Authorizing)},
		{"Refreshing", lines("peer faults=(token-moves-later)", "config", "reach Authorized", "wait 2h", "machine b", "begin", "run"), moved(states.Authorized)},
	})
}

// tokens are the lines of a printed store that show a grant, without counts.
func tokens(text string) string { return grantLine(text) }

// TestT8bOAuthErrors goes through the codes: at the callback, at the exchange,
// at the refresh. A cell names the event, the state at the end, and the kind.
func TestT8bOAuthErrors(t *testing.T) {
	type cell struct {
		event string
		state states.State
		kind  string
	}
	none := cell{}
	again := cell{"InteractionNeeded", states.Authorizing, ""}
	denied := cell{"RefreshDenied", states.Anonymous, "TE"}
	end := func(event, kind string) cell { return cell{event, states.Failed, kind} }
	for _, r := range []struct {
		code                           string
		callback, exchange, refreshing cell
	}{
		{"invalid_request", end("AuthorizationRefused", "TE"), end("ExchangeRefused", "TE"), denied},
		{"invalid_client", cell{"ClientUnknown", states.Authorizing, ""}, cell{"ClientUnknown", states.Authorizing, ""}, cell{"ClientUnknown", states.Anonymous, "TE"}},
		{"invalid_grant", none, cell{"CodeRefused", states.Authorizing, ""}, cell{"GrantDead", states.Anonymous, "TE"}},
		{"unauthorized_client", cell{"ClientUnknown", states.Authorizing, ""}, cell{"ClientUnknown", states.Authorizing, ""}, cell{"ClientUnknown", states.Anonymous, "TE"}},
		{"unsupported_grant_type", none, end("ExchangeRefused", "TE"), denied},
		{"unsupported_response_type", end("AuthorizationRefused", "TE"), none, none},
		{"invalid_scope", cell{"ScopeRefused", states.Authorizing, ""}, end("ExchangeRefused", "TE"), denied},
		{"invalid_target", end("AuthorizationRefused", "TE"), end("ExchangeRefused", "TE"), denied},
		{"access_denied", end("AuthorizationDenied", "TE"), end("ExchangeRefused", "TE"), denied},
		{"server_error", end("AuthorizationRefused", "TR"), cell{"ExchangeLost", states.Authorizing, ""}, end("RefreshUnreachable", "TR")},
		{"temporarily_unavailable", end("AuthorizationRefused", "TR"), cell{"ExchangeLost", states.Authorizing, ""}, end("RefreshUnreachable", "TR")},
		{"interaction_required", again, again, denied},
		{"login_required", again, again, denied},
		{"consent_required", again, again, denied},
		{"account_selection_required", again, again, denied},
		{"out_of_cheese", end("AuthorizationRefused", "TE"), end("ExchangeRefused", "TE"), denied},
		// Aliases read as standard codes.
		{"bad_verification_code", none, cell{"CodeRefused", states.Authorizing, ""}, none},
		{"code_already_used", none, cell{"CodeRefused", states.Authorizing, ""}, none},
		{"bad_refresh_token", none, none, cell{"GrantDead", states.Anonymous, "TE"}},
		{"token_expired", none, none, cell{"GrantDead", states.Anonymous, "TE"}},
		{"incorrect_client_credentials", none, cell{"ClientUnknown", states.Authorizing, ""}, cell{"ClientUnknown", states.Anonymous, "TE"}},
		{"redirect_uri_mismatch", none, end("ExchangeRefused", "TE"), none},
		{"unverified_user_email", none, end("ExchangeRefused", "TE"), none},
		{"fatal_error", none, cell{"ExchangeLost", states.Authorizing, ""}, end("RefreshUnreachable", "TR")},
	} {
		for _, c := range []struct {
			name string
			cell cell
			way  []string
			line string
		}{
			{"callback", r.callback, lines("config", "reach Authorizing"), "redirect error=" + r.code + " iss=https://as.example"},
			{"Exchanging", r.exchange, lines("config", "reach Exchanging"), "respond status=400\n{\"error\":\"" + r.code + "\"}"},
			{"Refreshing", r.refreshing, columns[4].way, "respond status=400\n{\"error\":\"" + r.code + "\"}"},
		} {
			if c.cell == none {
				continue
			}
			t.Run("#t8b "+r.code+", "+c.name, func(t *testing.T) {
				y := tell(t, c.way...)
				before := y.s.Do("store", "")
				at := y.s.Machine().State
				for range 5 {
					if y.s.Machine().State == at {
						y.go_(c.line)
					}
				}
				y.go_("run")
				y.is(want{state: c.cell.state, event: c.cell.event, kind: c.cell.kind})
				if f := y.data().Fault; f != nil && (f.Problem.OAuth == nil || f.Advice == "") {
					t.Errorf("the fault shows no code or no advice: %v", f)
				}
				if c.name == "Refreshing" && c.cell.event != "GrantDead" {
					if after := y.s.Do("store", ""); tokens(after) != tokens(before) {
						t.Errorf("the credential changed from\n%s\nto\n%s", before, after)
					}
				}
			})
		}
	}
	t.Run("#t8b use_dpop_nonce", func(t *testing.T) { // DPoP is not part of this release: an unknown code
		tell(t, "config", "reach Exchanging", "respond status=400\n{\"error\":\"use_dpop_nonce\"}", "run").is(want{state: states.Failed, kind: "TE"})
	})
	t.Run("#t8b unsupported_token_type at revocation", func(t *testing.T) {
		tell(t, "config", "reach Authorized", "logout", "run until=Revoking", "respond status=400\n{\"error\":\"unsupported_token_type\"}").is(want{state: states.Revoking, event: "RevokedOne"})
	})
	for _, code := range []string{"invalid_software_statement", "unapproved_software_statement"} {
		t.Run("#t8b "+code, func(t *testing.T) {
			tell(t, "config", "reach Registering", "respond status=400\n{\"error\":\""+code+"\"}", "run").is(want{state: states.Failed, event: "RegistrationRefused", kind: "TE"})
		})
	}
	t.Run("#t8b a pre-registered client's refresh", func(t *testing.T) {
		tell(t, configured, known, "reach Authorized", "wait 2h", "machine b", "begin", "run until=Refreshing", badClient, badClient, "run").
			is(want{state: states.Failed, event: "ClientRefused", kind: "TE", rule: rules.TokenRespErrorVsTransient})
	})
}
