package audit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states/rules"
)

var t0 = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// world is a well-behaved pair of servers, or one with faults.
func world(t *testing.T, faults ...string) (peer.World, string) {
	t.Helper()
	as, rs, err := peer.Side(faults)
	if err != nil {
		t.Fatal(err)
	}
	a, err := peer.NewAS(peer.ASConfig{Issuer: "https://as.example", Resources: []string{"https://mcp.example/mcp"}, Scopes: []string{"user", "admin"},
		DCR: true, CIMD: true, Iss: true, Device: true, AutoConsent: true, RefreshRotation: true, Faults: as,
		JWKS: []byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig","alg":"ES256","x":"AA","y":"AA"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := peer.NewRS(peer.RSConfig{Resource: "https://mcp.example/mcp", AuthorizationServers: []string{"https://as.example"}, Scopes: []string{"user"}, Faults: rs})
	if err != nil {
		t.Fatal(err)
	}
	return peer.World{AS: []*peer.AS{a}, RS: []*peer.RS{r}}, "https://mcp.example/mcp"
}

// collect runs the probes of the checks against a world.
func collect(t *testing.T, w peer.World, target string, checks []Check) Evidence {
	t.Helper()
	e := Evidence{Target: target, Source: LiveServer}
	for n := range 200 {
		p, more := Next(&e, checks)
		if !more {
			return e
		}
		at := t0.Add(time.Duration(n) * time.Second)
		x := Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, At: at.Sub(t0), Request: p.Request, Clock: at,
			TLS: &TLS{Version: "1.3", NotAfter: t0.AddDate(1, 0, 0)}}
		if strings.HasPrefix(p.Request.URL, "http:") {
			x.Failure, x.TLS = "unsent: refused", nil
		} else {
			resp, _ := w.Answer(at, p.Request)
			x.Response = &resp
		}
		e.Add(x)
	}
	t.Fatal("the plan does not end")
	return e
}

// unseen are the faults that a client without a token cannot see, and why.
var unseen = map[string]string{
	"asm-introspect-gone":     "it takes an active request",
	"asm-cc-no-method":        "this issuer has no clients of their own",
	"asm-jag-no-grant":        "this issuer trusts no provider",
	"challenge-catalogue":     "it needs a token",
	"tool-403":                "it needs a token",
	"asm-dpop-symmetric":      "it acts where tokens are bound to keys",
	"rs-dpop-htu":             "it acts where tokens are bound to keys",
	"rs-dpop-nonce-endless":   "it acts where tokens are bound to keys",
	"rs-dpop-clock-ahead":     "it acts where tokens are bound to keys",
	"rs-dpop-unchecked":       "it acts where tokens are bound to keys",
	"asm-no-registration":     "client ID metadata documents are a way in nevertheless",
	"prm-server-moved":        "it shows between two logins",
	"challenge-body-lies":     "no client reads the body; the challenge is right",
	"challenge-metadata-root": "the document is at the root as well",
	"rs-400-for-expired":      "it needs a token",
	"endless-401":             "it needs a token",
	"endless-403":             "it needs a token",
	"plain-403":               "it needs a token",
	"scope-403-no-error":      "it needs a token",
	"scope-403-no-scope":      "it needs a token",
	"scope-403-as-401":        "it needs a token",
	"invalid-token-as-403":    "it needs a token",
	"audience-unchecked":      "it needs a token",
	"expiry-unchecked":        "it needs a token",
}

// Every fault of the peer that a client without a token can see is found by a check
// that names its rule.
func TestFaultsAreFound(t *testing.T) {
	for _, f := range peer.Faults() {
		if f.Lax() || !slices.Contains([]string{"metadata", "prm", "mcp", "jwks"}, f.Endpoint) {
			continue // it takes wrong requests to see what is lax
		}
		t.Run(f.Name, func(t *testing.T) {
			w, target := world(t, f.Name)
			checks := Select(Options{})
			e := collect(t, w, target, checks)
			r := Judge(&e, checks)
			named := names(r, f.Rule)
			if why, ok := unseen[f.Name]; ok {
				if named {
					t.Errorf("%s is found, although %s", f.Rule, why)
				}
				return
			}
			if !named {
				t.Errorf("%s is not named; found %v", f.Rule, r.Findings())
			}
		})
	}
}

// names reports whether a finding, or a fact of a check, names the rule.
func names(r Report, rule rules.ID) bool {
	for _, v := range r.Verdicts {
		c, _ := Lookup(v.Check)
		if v.Outcome == Fact && slices.Contains(c.Rules, rule) {
			return true
		}
		for _, f := range v.Findings {
			if slices.Contains(f.Rules, rule) {
				return true
			}
		}
	}
	return false
}

// Every check cites rules that exist, says in sentences what it does, and gives no
// finding when it judges empty evidence.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Table() {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		if len(c.Rules) == 0 {
			t.Errorf("%s cites no rule", c.ID)
		}
		for _, id := range c.Rules {
			if _, ok := rules.Lookup(id); !ok {
				t.Errorf("%s cites %q, which is no rule", c.ID, id)
			}
		}
		for _, s := range []string{c.Does, c.Passes, c.Why, c.Fix} {
			if s == "" || !strings.HasSuffix(s, ".") {
				t.Errorf("%s: %q is no sentence", c.ID, s)
			}
		}
		if !slices.ContainsFunc(Families, func(f struct{ Name, Title string }) bool { return f.Name == c.Family() }) {
			t.Errorf("%s: there is no family %s", c.ID, c.Family())
		}
		e := Evidence{Source: LiveServer, Target: "https://mcp.example/mcp"}
		if v := Judge(&e, []Check{c}).Verdicts[0]; v.Outcome == Fail || v.Outcome == Pass && c.Safety == Passive {
			t.Errorf("%s judges nothing at all as %s", c.ID, v.Outcome)
		}
	}
}

// Evidence that is kept and read again gives the same report, and the same
// evidence the same bytes.
func TestKeptEvidence(t *testing.T) {
	w, target := world(t, "asm-issuer-slash", "challenge-error-unauthenticated")
	checks := Select(Options{})
	e := collect(t, w, target, checks)
	a, err := MarshalEvidence(e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseEvidence(a)
	if err != nil {
		t.Fatal(err)
	}
	b, err := MarshalEvidence(again)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Error("evidence changes when it is read and written")
	}
	one, two := Judge(&e, checks), Judge(&again, checks)
	if len(one.Findings()) == 0 || len(one.Findings()) != len(two.Findings()) {
		t.Fatalf("%d findings, then %d", len(one.Findings()), len(two.Findings()))
	}
	for i, f := range one.Findings() {
		if g := two.Findings()[i]; f.Fingerprint != g.Fingerprint || f.Says != g.Says || f.Exchange != g.Exchange {
			t.Errorf("finding %d: %+v, then %+v", i, f, g)
		}
	}
	for _, bad := range []string{"", "{}", `{"format":"stile-evidence","version":9}`, `{"format":"other"}`} {
		if _, err := ParseEvidence([]byte(bad)); err == nil {
			t.Errorf("%q is taken for evidence", bad)
		}
	}
}
