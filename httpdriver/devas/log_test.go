package devas_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// logged collects what a server logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take gives what was logged since the last call.
func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// TestLogNamesTheRule: a refusal is logged with the rule that the request broke,
// with and without faults, and a fault with the rule that the server broke.
func TestLogNamesTheRule(t *testing.T) {
	for _, faults := range [][]string{nil, {"challenge-several"}} {
		var log logged
		s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
			a.Logger = slog.New(slog.NewTextHandler(&log, nil))
			r.Logger, r.Faults = a.Logger, faults
			if faults != nil {
				a.Faults = []string{"token-cacheable"}
			}
		})
		_, access, _ := s.login()
		if got := log.take(); strings.Contains(got, "fault=token-cacheable rule=token-resp-no-store") != (faults != nil) {
			t.Errorf("faults %v: a login logs %s", faults, got)
		}
		for name, try := range map[string]struct {
			act  func() answer
			want string
		}{
			"no token":         {func() answer { return s.call("get_time") }, "rule=challenge-401-unauthenticated"},
			"an unknown token": {func() answer { return s.call("get_time", "Authorization", "Bearer x") }, "rule=rs-unknown-token-401"},
			"a scope short":    {func() answer { return s.call("whoami", "Authorization", "Bearer "+access) }, "rule=rs-scope-check"},
			"no code":          {func() answer { return s.form("/token", "grant_type", "authorization_code") }, "rule=as-token-client-auth"},
			"no such client":   {func() answer { return s.do("GET", s.authorizeURL("x"), "") }, "rule=as-authorize-no-bad-redirect"},
			"plain PKCE": {func() answer {
				return s.do("GET", s.authorizeURL(s.register("x"), "code_challenge_method", "plain"), "")
			}, "rule=as-authorize-plain-refused"},
		} {
			try.act()
			got := log.take()
			if !strings.Contains(got, "msg=refused") || !strings.Contains(got, try.want) || strings.Contains(got, access) {
				t.Errorf("faults %v, %s: %s", faults, name, got)
			}
			if challenged := strings.Contains(got, "fault=challenge-several rule=challenge-multiple"); challenged != (faults != nil && strings.Contains(got, "path=/mcp")) {
				t.Errorf("faults %v, %s: %s", faults, name, got)
			}
		}
	}
}

// TestLogBlamesTheRightParty: whether this server's policy, the document's server
// or the document itself stood in the way.
func TestLogBlamesTheRightParty(t *testing.T) {
	documents := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"client_id":"https://other.example/app.json"}`))
	}))
	defer documents.Close()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	g, err := guard.New(guard.Options{Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id       string
		loopback bool
		want     string
	}{
		{documents.URL + "/app.json", false, "the policy of this server does not allow the address"},
		{"https://10.0.0.1/app.json", true, "the policy of this server does not allow the address"},
		{dead.URL + "/app.json", true, "the server of the document did not answer"},
		{documents.URL + "/app.json", true, "what the client published is wrong"},
	} {
		var log logged
		s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
			a.CIMD, a.Fetch, a.Logger = true, devas.Fetch(g, c.loopback), slog.New(slog.NewTextHandler(&log, nil))
		})
		s.do("GET", s.authorizeURL(c.id), "")
		if got := log.take(); !strings.Contains(got, c.want) {
			t.Errorf("%s, loopback %v: %s", c.id, c.loopback, got)
		}
	}
}
