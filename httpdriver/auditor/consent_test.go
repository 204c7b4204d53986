package auditor_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/loopback"
)

// consenting audits with a user, and a second one, who are there for every visit.
func consenting(t *testing.T, resource string) (audit.Evidence, audit.Report, []audit.Check) {
	t.Helper()
	return logIn(t, resource, func(a *audit.Account) { a.Consent, a.Another = true, true }, "lg", "az.silent-redirect", "aud.session-cross")
}

// twoUsers gives the development server a second user.
func twoUsers(as *devas.ASConfig, _ *devas.RSConfig) {
	as.Users = []peer.User{{Name: devas.DemoUser, Password: devas.DemoPassword}, {Name: second.Name, Password: second.Password}}
}

var second = auditor.Person{Name: "second_user", Password: "second_password"}

// The development server asks every time, tells the client of a denial, and keeps the
// sessions of two users apart.
func TestConsent(t *testing.T) {
	e, r, checks := consenting(t, changed(t, twoUsers, nil))
	want := func() map[string]audit.Outcome {
		return map[string]audit.Outcome{"az.silent-redirect": audit.Pass, "lg.reconsent": audit.Pass, "lg.denied": audit.Pass, "aud.session-cross": audit.Pass}
	}
	outcomes(t, r, want())
	if len(r.Findings()) > 0 || len(r.Leftovers) > 0 {
		t.Errorf("%+v, left %+v", r.Findings(), r.Leftovers)
	}
	audit.Redact(&e, []byte("key"))
	outcomes(t, audit.Judge(&e, checks), want())
}

// An issuer that asks nobody, one whose page names nobody, and one that sends another
// state with a denial are found; and so is a server that goes by the session alone.
func TestConsentMissing(t *testing.T) {
	_, r, _ := consenting(t, changed(t, func(as *devas.ASConfig, rs *devas.RSConfig) {
		twoUsers(as, rs)
		as.AutoConsent = true
	}, nil))
	outcomes(t, r, map[string]audit.Outcome{"az.silent-redirect": audit.Fail, "lg.reconsent": audit.Fail, "lg.denied": audit.CouldNotRun})

	_, r, _ = consenting(t, changed(t, func(as *devas.ASConfig, rs *devas.RSConfig) {
		twoUsers(as, rs)
		as.Faults = []string{"state-altered"}
		as.Render = func(p peer.Page) []byte {
			p.ClientName, p.RedirectHost, p.RedirectURI = "an application", "its address", ""
			return devas.Render(p)
		}
	}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Mcp-Session-Id") != "" && r.Header.Get("Authorization") != "" {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}`))
				return
			}
			h.ServeHTTP(w, r)
		})
	}))
	outcomes(t, r, map[string]audit.Outcome{"az.silent-redirect": audit.Fail, "lg.reconsent": audit.Pass, "lg.denied": audit.Fail, "aud.session-cross": audit.Fail})
}

// Nobody is asked for what was not allowed, and the checks say which flag is missing.
func TestConsentNotAsked(t *testing.T) {
	_, r, _ := logIn(t, development(t), nil, "lg", "az.silent-redirect", "aud.session-cross")
	for _, id := range []string{"az.silent-redirect", "lg.reconsent", "lg.denied", "aud.session-cross"} {
		for _, v := range r.Verdicts {
			if v.Check == id && (v.Outcome != audit.CouldNotRun || !strings.Contains(v.Why, "(--")) {
				t.Errorf("%s: %s %s", id, v.Outcome, v.Why)
			}
		}
	}
}

// A page that nobody touches is left open. What comes back from it later is not taken for
// the answer to the next visit.
func TestReceive(t *testing.T) {
	r, err := loopback.Listen(loopback.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	late := ""
	answer := func(state string) {
		resp, err := http.Get(r.RedirectURI() + "?code=c&state=" + url.QueryEscape(state))
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	browser := auditor.Receive(r, 50*time.Millisecond, func(_ context.Context, v auditor.Visit) error {
		if v.Manner == audit.Idle {
			return nil
		}
		go func() {
			if late != "" {
				answer(late)
			}
			answer("two")
		}()
		return nil
	})
	a, err := browser(t.Context(), auditor.Visit{URL: "https://as.example/authorize?state=one", Manner: audit.Idle})
	if err != nil || !a.Waits || a.Callback != "" {
		t.Fatalf("%+v, %v", a, err)
	}
	late = "one"
	a, err = browser(t.Context(), auditor.Visit{URL: "https://as.example/authorize?state=two"})
	if err != nil || a.Waits || !strings.Contains(a.Callback, "state=two") {
		t.Errorf("%+v, %v", a, err)
	}
}
