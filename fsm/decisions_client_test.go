package fsm_test

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

const (
	configured = "config client=my-client client-issuer=https://as.example client-secret=my-client-secret"
	known      = "peer clients=(my-client:my-client-secret)"
	badClient  = "respond status=401\n{\"error\":\"invalid_client\"}"
	stored     = "answer store found gen=7\n" + `{"version":1,"client":{"id":"client-of-old","method":"none","source":"dynamic","redirect_uris":["http://127.0.0.1:9/callback"]},"issuer":"https://as.example","at":"2026-07-01T00:00:00Z"}`
)

func TestT5Registration(t *testing.T) {
	decide(t, []decision{
		{"#t5-1", lines(configured, known, "reach Authorizing"), want{event: "ClientConfigured"}},
		{"#t5-1 aliased", lines("config client=my-client client-issuer=https://as.example waive=(issuer-alias|https://as.example|https://elsewhere.example)", "peer servers=(https://elsewhere.example)", "reach Discovering-ASM"), want{event: "PRMFound"}},
		{"#t5-1 wrong issuer", lines("config client=my-client client-issuer=https://old.example", "begin login", "run"), want{state: states.Failed, rule: rules.IssuerPreregMismatch}},
		{"#t5-1 invalid_client: #t7, then terminal", lines(configured, known, "reach Exchanging", badClient, badClient, "run"), want{state: states.Failed, event: "ClientRefused", kind: "TE"}},
		{"#t5-2", lines("config", "reach Finding-Client", stored, "answer host value=http://127.0.0.1:9/callback"), want{event: "ClientReady"}},
		{"#t5-2 another port", lines("config", "reach Finding-Client", stored, "answer host value=http://127.0.0.1:4711/callback"), want{event: "RegistrationWanted", note: rules.RegRedirectRegistered}},
		{"#t5-2 another port, no registration", lines("config registration=no", "reach Finding-Client", stored, "answer host value=http://127.0.0.1:4711/callback"), want{event: "ClientReady"}},
		{"#t5-3 before #t5-2", lines("peer cimd", "config cimd=https://app.example/client.json", "reach Finding-Client", stored, "answer host value=http://127.0.0.1:9/callback"), want{event: "ClientReady", note: rules.RegPriority}},
		{"#t5-2 invalid_client: drop, then register once", lines("config", "reach Exchanging", badClient, "run until=Authorizing"), want{event: "ClientUnknown"}},
		{"#t5-3", lines("config cimd=https://app.example/client.json", "peer cimd", "reach Authorizing"), want{event: "ClientReady"}},
		{"#t5-3 not advertised", lines("config cimd=https://app.example/client.json", "reach Registering"), want{event: "RegistrationWanted"}},
		{"#t5-3 refused: register once", lines("config cimd=https://app.example/client.json", "peer cimd", "reach Authorizing", "redirect code=code-of-the-story iss=https://as.example", "run until=Exchanging", badClient, "run until=Authorizing"), want{event: "DocumentRefused", note: rules.CIMDAdvertisedButRefused}},
		{"#t5-4", lines("config", "reach Filing"), want{event: "Registered"}},
		{"#t5-4 R1: default endpoint", lines("config", "peer legacy issuer=https://mcp.example", "reach Filing"), want{event: "Registered"}},
		{"#t5-4 invalid_redirect_uri", lines("config", "reach Registering", "respond status=400\n{\"error\":\"invalid_redirect_uri\"}"), want{state: states.Registering, event: "RegistrationAdjusted"}},
		{"#t5-4 invalid_client_metadata", lines("config", "reach Registering", "respond status=400\n{\"error\":\"invalid_client_metadata\"}"), want{state: states.Registering, event: "RegistrationTrimmed"}},
		{"#t5-4 401", lines("config asks=(client)", "reach Registering", "respond status=401"), want{state: states.NeedingClient, event: "ClientNeeded"}},
		{"#t5-4 403, nobody to ask", lines("config", "reach Registering", "respond status=403", "run"), want{state: states.Failed, kind: "TE", rule: rules.DCRInitialAccessToken}},
		{"#t5-4 429", lines("config", "reach Registering", "respond status=429 header=(Retry-After: 1)"), want{state: states.Registering, event: "RegistrationTrouble"}},
		{"#t5-4 5xx", lines("config", "peer faults=(register-500)", "begin login", "run"), want{state: states.Failed, kind: "TR"}},
		{"#t5-5", lines("config asks=(client)", "peer dcr=no", "reach Needing-Client", "answer host value=a-client-by-hand secret=a-secret-by-hand", "run"), want{state: states.Authorizing, event: "ClientGiven"}},
		{"#t5-5 nobody to ask", lines("config", "peer dcr=no", "begin login", "run"), want{state: states.Failed, rule: rules.RegAskUser, kind: "TE"}},
	})
	t.Run("#t5-2 no second loop", func(t *testing.T) {
		y := tell(t, "config", "reach Exchanging", badClient, "run until=Authorizing", "visit", "run until=Exchanging", badClient, "run")
		y.is(want{state: states.Failed, event: "ClientRefused"})
		if n := y.posts("https://as.example/register"); n != 2 {
			t.Errorf("%d registrations", n)
		}
	})
	t.Run("#t5-1 nothing of another issuer is sent", func(t *testing.T) {
		y := tell(t, "config client=my-client client-issuer=https://old.example client-secret=my-client-secret", "begin login", "run")
		for _, s := range y.sent {
			if strings.Contains(s.Request.URL, "as.example") {
				t.Errorf("%s was asked", s.Request.URL)
			}
		}
	})
}

func TestT6Scope(t *testing.T) {
	challenged := "challenge\nWWW-Authenticate: Bearer scope=\"user admin\""
	for _, r := range []struct {
		id    string
		scope string // "" is omitted
		lines []string
	}{
		{"#t6 challenge", "user admin", lines("config", "begin", "run", challenged, "run until=Authorizing")},
		{"#t6 scopes_supported", "user admin", lines("config", "peer listed=(user, admin)", "reach Authorizing")},
		{"#t6 neither", "", lines("config", "peer listed=()", "reach Authorizing")},
		{"#t6 neither, R1, configured", "user", lines("config scopes=(user)", "peer legacy issuer=https://mcp.example", "reach Authorizing")},
		{"#t6 offline_access offered", "user offline_access", lines("config", "peer offline", "reach Authorizing")},
		{"#t6 offline_access not wanted", "user", lines("config refresh=no", "peer offline", "reach Authorizing")},
		{"#t6 offline_access not offered", "user", lines("config", "peer listed=(user, offline_access)", "reach Authorizing")},
		{"#t6 offline_access never alone", "", lines("config", "peer offline listed=()", "reach Authorizing")},
		{"#t6 QUIRK(offline-alone)", "offline_access", lines("config waive=(offline-alone)", "peer offline listed=()", "reach Authorizing")},
		{"#t6 step-up by 403", "user admin", lines("config", "reach Authorized", "challenge status=403\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"admin\"", "run until=Authorizing")},
		{"#t6 step-up by 401", "user admin", lines("config", "reach Authorized", "challenge status=401\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"admin\"", "run until=Authorizing")},
		{"#t6 step-up adds what was requested before", "user admin audit", lines("config", "peer listed=(user, admin) faults=(scope-narrowed)", "reach Authorized", "challenge status=403\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"audit\"", "run until=Authorizing")},
		{"#t6 login again: granted and challenged", "user audit", lines("config", "peer listed=(user, admin) refresh=no faults=(scope-narrowed)", "reach Authorized", "wait 2h", "machine b", "begin", "run", "challenge gen=none\nWWW-Authenticate: Bearer scope=\"audit\"", "run until=Authorizing")},
		{"#t6 host filter", "user", lines("config asks=(scopes)", "peer listed=(user, admin)", "reach Choosing-Scopes", "answer host values=(user)", "run until=Authorizing")},
		{"#t6 host filter before offline_access", "user offline_access", lines("config scopes=(user) only-scopes", "peer listed=(user, admin) offline", "reach Authorizing")},
	} {
		t.Run(r.id, func(t *testing.T) {
			if got, has := tell(t, r.lines...).param("scope"); got != r.scope || has != (r.scope != "") {
				t.Errorf("scope=%q is asked for, not %q", got, r.scope)
			}
		})
	}
	t.Run("#t6 refresh sends none", func(t *testing.T) {
		y := tell(t, "config", "reach Authorized", "wake", "run until=Refreshing")
		if got, has := y.sent[len(y.sent)-1].Request.Form.Get("scope"); has {
			t.Errorf("scope=%s is sent", got)
		}
	})
	t.Run("#t6 never removes challenged scopes silently", func(t *testing.T) {
		tell(t, "config scopes=(user) only-scopes", "begin", "run", challenged, "run until=Authorizing").is(want{note: rules.AuthzReqScopeChallenge})
	})
}

func TestT7ClientAuthentication(t *testing.T) {
	registered := func(members string) string {
		return "respond status=201\n{\"client_id\":\"registered-client\",\"redirect_uris\":[\"http://127.0.0.1:4711/callback\"]" + members + "}"
	}
	asm := func(methods string) string {
		m := ""
		if methods != "nil" {
			m = `,"token_endpoint_auth_methods_supported":[` + methods + `]`
		}
		return "respond\n" + `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"client_id_metadata_document_supported":true` + m + `}`
	}
	exchange := lines("run until=Authorizing", "redirect code=code-of-the-story", "run until=Exchanging")
	secret := "config client=my-client client-issuer=https://as.example client-secret=my-client-secret"
	odd := "config client=my:client client-issuer=https://as.example client-secret=secret+with/odd"
	const basic, post, none = `"client_secret_basic"`, `"client_secret_post"`, `"none"`
	for _, r := range []struct {
		id     string
		setup  []string // up to the answer of the issuer's metadata
		listed string
		more   []string
		method string // basic, post, none; "" is refused
		rule   rules.ID
		note   rules.ID
	}{
		{"#t7-1", lines(secret + " client-method=client_secret_post"), basic, nil, "post", "", rules.ClientauthMethodSupported},
		{"#t7-1 none", lines("config client=my-client client-issuer=https://as.example client-method=none"), basic, nil, "none", "", rules.ClientauthMethodSupported},
		{"#t7-2 basic", lines("config"), basic, lines("run until=Registering", registered(`,"client_secret":"the-secret-of-one","client_secret_expires_at":0,"token_endpoint_auth_method":"client_secret_basic"`)), "basic", "", ""},
		{"#t7-2 post", lines("config"), basic, lines("run until=Registering", registered(`,"client_secret":"the-secret-of-one","client_secret_expires_at":0,"token_endpoint_auth_method":"client_secret_post"`)), "post", "", ""},
		{"#t7-2 without secret, none listed", lines("config"), none, lines("run until=Registering", registered(`,"token_endpoint_auth_method":"client_secret_basic"`)), "none", "", rules.DCRMethodSecretConsistent},
		{"#t7-2 without secret", lines("config"), basic, lines("run until=Registering", registered(`,"token_endpoint_auth_method":"client_secret_basic"`), "run"), "", rules.DCRMethodSecretConsistent, ""},
		{"#t7-3", lines("config cimd=https://app.example/client.json"), basic, nil, "none", "", ""},
		{"#t7-5", lines(secret), "nil", nil, "basic", "", ""},
		{"#t7-6 basic", lines(secret), basic + "," + `"tls_client_auth"`, nil, "basic", "", ""},
		{"#t7-6 post", lines(secret), post, nil, "post", "", ""},
		{"#t7-7 plain", lines(secret), post + "," + basic, nil, "basic", "", ""},
		{"#t7-7 odd", lines(odd), post + "," + basic, nil, "post", "", ""},
		{"#t7-8", lines(secret), none, nil, "none", "", rules.ClientauthMethodSupported},
		{"#t7-9", lines(secret), `"tls_client_auth","private_key_jwt"`, lines("run"), "", rules.ClientauthMTLSUnsupported, ""},
		{"#t7-10", lines("config client=my-client client-issuer=https://as.example"), "nil", nil, "none", "", ""},
		{"#t7-10 none not listed", lines("config client=my-client client-issuer=https://as.example"), basic, nil, "none", "", rules.ClientauthMethodSupported},
		{"#t7-11 basic, then post", lines(secret), "nil", append(append([]string{}, exchange...), badClient), "post", "", ""},
		{"#t7-11 post, then basic", lines(odd), post + "," + basic, append(append([]string{}, exchange...), badClient), "basic", "", ""},
		{"#t7-11 not of a configured method", lines(secret + " client-method=client_secret_basic"), post + "," + basic, append(append([]string{}, exchange...), badClient, "run"), "", rules.PreregNeverReplaced, ""},
		{"#t7-11 not when nothing else fits", lines(secret), basic, append(append([]string{}, exchange...), badClient, "run"), "", rules.PreregNeverReplaced, ""},
	} {
		t.Run(r.id, func(t *testing.T) {
			y := tell(t, append(r.setup, "reach Discovering-ASM", asm(r.listed))...)
			y.go_(r.more...)
			if r.method == "" {
				y.is(want{state: states.Failed, rule: r.rule, note: r.note})
				return
			}
			if y.s.Machine().State != states.Exchanging {
				y.go_(exchange...)
			}
			y.is(want{note: r.note})
			if got := method(y.sent[len(y.sent)-1]); got != r.method {
				t.Errorf("the client authenticates by %s, not %s", got, r.method)
			}
		})
	}
	t.Run("#t7-11 is remembered", func(t *testing.T) {
		y := tell(t, secret, known, "reach Exchanging", badClient, "run", "wake", "run until=Refreshing")
		if got := method(y.sent[len(y.sent)-1]); got != "post" {
			t.Errorf("the refresh authenticates by %s", got)
		}
	})
}

// method reads how a token request authenticates the client.
func method(s states.Send) string {
	_, secret := s.Request.Form.Get("client_secret")
	_, id := s.Request.Form.Get("client_id")
	switch basic := len(s.Request.Header.Header("Authorization")) > 0; {
	case basic && !secret && !id:
		return "basic"
	case secret && id && !basic:
		return "post"
	case id && !basic:
		return "none"
	}
	return "nothing that is allowed"
}
