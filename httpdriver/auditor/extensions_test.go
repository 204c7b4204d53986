package auditor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/keys"
)

// outcomes compares what checks came to with what is wanted.
func outcomes(t *testing.T, r audit.Report, want map[string]audit.Outcome) {
	t.Helper()
	for _, v := range r.Verdicts {
		if w, ok := want[v.Check]; ok && v.Outcome != w {
			t.Errorf("%s: %s %s %+v, not %s", v.Check, v.Outcome, v.Why, v.Findings, w)
		}
		delete(want, v.Check)
	}
	for id := range want {
		t.Errorf("%s was not selected", id)
	}
}

// The development servers with tokens that are bound to keys, with nonces and without,
// give no finding, and every check about proofs can be run.
func TestProofs(t *testing.T) {
	for _, nonces := range []bool{false, true} {
		resource := changed(t, func(as *devas.ASConfig, rs *devas.RSConfig) {
			as.DPoP, rs.DPoP = peer.DPoPOffered, peer.DPoPOffered
			as.DPoPNonces, rs.DPoPNonces = nonces, nonces
		}, nil)
		e, r, checks := logIn(t, resource, nil, "ext")
		if len(r.Findings()) > 0 || len(r.Leftovers) > 0 {
			var out strings.Builder
			_ = report.Text(&out, r, report.Style{})
			t.Errorf("the report on well-behaved servers, nonces %v:\n%s", nonces, out.String())
		}
		want := map[string]audit.Outcome{"ext.dpop-token": audit.Pass, "ext.dpop-rs": audit.Pass, "ext.dpop-down": audit.Pass, "ext.dpop-rt": audit.Pass}
		outcomes(t, r, want)
		audit.Redact(&e, []byte("key"))
		proofs := 0
		for _, x := range e.Exchanges {
			for _, v := range x.Request.Header.Header("DPoP") {
				if proofs++; !strings.HasPrefix(v, "redacted-") {
					t.Error("a proof is in the evidence that is kept")
				}
			}
		}
		if proofs < 18 {
			t.Errorf("%d proofs were sent", proofs)
		}
		again := audit.Judge(&e, checks)
		outcomes(t, again, map[string]audit.Outcome{"ext.dpop-token": audit.Pass, "ext.dpop-rs": audit.Pass, "ext.dpop-down": audit.Pass, "ext.dpop-rt": audit.Pass})
	}
}

// A server that looks at the first proof of a token only is found, and so is one that
// takes bound tokens as bearer tokens.
func TestProofsUnchecked(t *testing.T) {
	bound := func(as *devas.ASConfig, rs *devas.RSConfig) { as.DPoP, rs.DPoP = peer.DPoPOffered, peer.DPoPOffered }
	var mu sync.Mutex
	seen := map[string]bool{}
	resource := changed(t, bound, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token := r.Header.Get("Authorization")
			mu.Lock()
			known := seen[token]
			mu.Unlock()
			if known && len(r.Header.Values("DPoP")) > 0 {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if rec.Code == http.StatusOK && strings.HasPrefix(token, "DPoP ") {
				mu.Lock()
				seen[token] = true
				mu.Unlock()
			}
			for name, values := range rec.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
	})
	_, r, _ := logIn(t, resource, nil, "ext")
	outcomes(t, r, map[string]audit.Outcome{"ext.dpop-token": audit.Pass, "ext.dpop-rs": audit.Fail, "ext.dpop-down": audit.Pass})
	if n := len(r.Findings()); n < 14 {
		t.Errorf("%d defects of proofs are found", n)
	}
	resource = changed(t, func(as *devas.ASConfig, rs *devas.RSConfig) {
		bound(as, rs)
		rs.Faults = []string{"rs-dpop-unchecked"}
	}, nil)
	_, r, _ = logIn(t, resource, nil, "ext")
	outcomes(t, r, map[string]audit.Outcome{"ext.dpop-rs": audit.Pass, "ext.dpop-down": audit.Fail})
}

// A client that acts for itself is tried with its secret and with its key. The
// development server gives no finding, and tells which audiences it takes.
func TestClientCredentials(t *testing.T) {
	key, public := newKey(t)
	clients := func(as *devas.ASConfig, _ *devas.RSConfig) {
		as.ClientCredentials = true
		as.Clients = append(as.Clients, peer.PreClient{ID: "robot", Secret: "a secret of the robot", Method: "client_secret_basic", GrantTypes: []string{"client_credentials"}},
			peer.PreClient{ID: "signer", JWKS: public, Method: "private_key_jwt", GrantTypes: []string{"client_credentials"}})
	}
	resource := changed(t, clients, nil)
	asked := func(resource, client string) audit.Report {
		_, r, _ := logInWith(t, resource, auditor.Options{CCKey: key}, func(a *audit.Account) {
			if a.CCClient = client; client == "robot" {
				a.CCSecret = "a secret of the robot"
			}
		}, "ext")
		return r
	}
	outcomes(t, asked(resource, "signer"), map[string]audit.Outcome{"ext.cc-wrong": audit.Pass, "ext.cc-aud": audit.Fact, "ext.cc-no-rt": audit.Pass})
	key = nil
	outcomes(t, asked(resource, "robot"), map[string]audit.Outcome{"ext.cc-wrong": audit.Pass, "ext.cc-aud": audit.CouldNotRun, "ext.cc-no-rt": audit.Pass})
	outcomes(t, asked(resource, ""), map[string]audit.Outcome{"ext.cc-wrong": audit.CouldNotRun, "ext.cc-aud": audit.CouldNotRun, "ext.cc-no-rt": audit.CouldNotRun})
}

// An issuer that believes assertions no matter who signed them is found.
func TestClientCredentialsUnchecked(t *testing.T) {
	key, public := newKey(t)
	resource := changed(t, func(as *devas.ASConfig, _ *devas.RSConfig) {
		as.ClientCredentials = true
		as.Verify = unverified
		as.Clients = append(as.Clients, peer.PreClient{ID: "signer", JWKS: public, Method: "private_key_jwt", GrantTypes: []string{"client_credentials"}})
	}, nil)
	_, r, _ := logInWith(t, resource, auditor.Options{CCKey: key}, func(a *audit.Account) { a.CCClient = "signer" }, "ext")
	outcomes(t, r, map[string]audit.Outcome{"ext.cc-wrong": audit.Fail, "ext.cc-no-rt": audit.Pass})
}

// unverified believes what a JWS says.
func unverified(jws string, _ []byte) (header, claims []byte, ok bool) {
	parts := strings.Split(jws, ".")
	header, _ = base64.RawURLEncoding.DecodeString(parts[0])
	claims, _ = base64.RawURLEncoding.DecodeString(parts[1])
	return header, claims, true
}

// newKey draws a key of an operator.
func newKey(t *testing.T) (k audit.Key, public []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := keys.New(private, keys.Options{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return auditor.SignWith(signer), []byte(signer.About().Keys)
}

// Servers that take bound tokens alone are audited with bound tokens: nothing is found
// that is not so, and each check that can be run elsewhere can be run there.
func TestProofsDemanded(t *testing.T) {
	for _, nonces := range []bool{false, true} {
		resource := changed(t, func(as *devas.ASConfig, rs *devas.RSConfig) {
			as.DPoP, rs.DPoP = peer.DPoPRequired, peer.DPoPRequired
			as.DPoPNonces, rs.DPoPNonces = nonces, nonces
		}, nil)
		_, r, _ := logIn(t, resource, nil)
		var out strings.Builder
		_ = report.Text(&out, r, report.Style{})
		for _, f := range r.Findings() {
			if f.Check != "ref.concurrent" { // as without proofs: no grace, and that is true
				t.Errorf("nonces %v, %s: %s (expected %q, found %q)", nonces, f.Check, f.Says, f.Want, f.Got)
			}
		}
		for _, v := range r.Verdicts {
			given := !strings.Contains(v.Why, "(--") && v.Check != "az.answers-there" && v.Check != "ref.after-days"
			if c, _ := audit.Lookup(v.Check); given && v.Outcome == audit.CouldNotRun && (c.Safety == audit.Residue || c.Safety == audit.Login || c.Safety == audit.Destructive) {
				t.Errorf("nonces %v, %s could not be run: %s", nonces, v.Check, v.Why)
			}
		}
	}
}

// An issuer that demands proofs, at a server that does not say so, is not blamed for its
// first refusals either, and the login is made with proofs.
func TestProofsDemandedSilently(t *testing.T) {
	resource := changed(t, func(as *devas.ASConfig, rs *devas.RSConfig) {
		as.DPoP, rs.DPoP = peer.DPoPRequired, peer.DPoPOffered
	}, nil)
	_, r, _ := logIn(t, resource, nil)
	for _, f := range r.Findings() {
		if f.Check != "ref.concurrent" {
			t.Errorf("%s: %s (expected %q, found %q)", f.Check, f.Says, f.Want, f.Got)
		}
	}
	outcomes(t, r, map[string]audit.Outcome{"lg.flow": audit.Pass, "ref.works": audit.Pass, "rev.at": audit.Pass, "tok.no-store": audit.Pass})
}
