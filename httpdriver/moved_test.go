package httpdriver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
)

// TestIssuerMoved: the resource names another issuer, a whole and working one.
// Nothing of the old one is sent there; the client registers anew, the user is
// asked anew, and what is stored is bound to the new one
// (issuer-as-change-reregister).
func TestIssuerMoved(t *testing.T) {
	for _, how := range []string{"the old token is refused", "the old token has expired", "the old issuer is gone"} {
		t.Run(how, func(t *testing.T) {
			play(t, func(s *scene) {
				s.call(s.t, s.c)
				old := s.kept()
				issuer, _ := s.move()
				switch how {
				case "the old token has expired":
					time.Sleep(2 * time.Hour)
				case "the old issuer is gone":
					s.swap("as", http.NotFoundHandler())
				}
				s.Tap.reset()
				out := s.meet(ping)
				if how == "the old issuer is gone" {
					// The refresh token may still be good: no user is asked before
					// the issuer has said so.
					if out == "200" || compare(old, s.kept()) != "kept" {
						s.t.Errorf("%s, %s", out, compare(old, s.kept()))
					}
				} else if k := s.kept(); out != "200" || k.Server.Issuer != issuer || k.Client.ID == old.Client.ID {
					s.t.Errorf("%s; stored for %s", out, k.Server.Issuer)
				}
				for _, r := range s.Tap.requests() {
					if r.To != "other" {
						continue
					}
					for kind, v := range map[string]string{
						"refresh token": old.RefreshToken.Reveal(), "access token": old.AccessToken.Reveal(), "client": old.Client.ID,
					} {
						if strings.Contains(r.text(), v) {
							s.t.Errorf("%v holds the old %s", r, kind)
						}
					}
					if r.form("grant_type") == "refresh_token" {
						s.t.Errorf("%v: a refresh", r)
					}
				}
			})
		})
	}
}

// move lets the resource name another issuer, which works; the old one goes on.
func (s *scene) move() (issuer string, rs http.Handler) {
	ready, issuer := s.listen("other")
	ac := devas.DefaultAS(issuer)
	ac.AutoConsent, ac.Scopes = true, []string{"user", "admin"}
	as, err := devas.NewAS(ac)
	if err != nil {
		s.t.Fatal(err)
	}
	rs, err = devas.NewRS(devas.RSConfig{
		Resource: s.Server, Issuers: []string{issuer}, Scopes: []string{"user"}, Verifier: as.Verifier(), MCP: http.HandlerFunc(echo),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ready(as)
	s.swap("rs", rs)
	return issuer, rs
}

// TestOldIssuerSilent: the old issuer takes a revocation and says nothing.
// Nobody waits for it: neither the request that needed the new token, nor the
// user, nor one whose new token is refused meanwhile; and Close waits no longer
// than one exchange may take. What could not be revoked stays superseded.
func TestOldIssuerSilent(t *testing.T) {
	for _, how := range []string{"it answers at last", "the driver is closed", "the new token is refused"} {
		t.Run(how, func(t *testing.T) {
			play(t, func(s *scene) {
				s.call(s.t, s.c)
				old := s.kept()
				issuer, rs := s.move()
				open, arrived := make(chan struct{}), make(chan struct{}, 8)
				as := *s.now["as"].Load()
				s.swap("as", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/revoke" {
						arrived <- struct{}{}
						select {
						case <-open:
						case <-r.Context().Done():
							return
						}
					}
					as.ServeHTTP(w, r)
				}))
				begun := time.Now()
				if out := s.meet(ping); out != "200" || s.kept().Server.Issuer != issuer {
					s.t.Fatalf("%s; stored for %s", out, s.kept().Server.Issuer)
				}
				<-arrived
				first := s.kept()
				switch how {
				case "it answers at last":
					close(open)
					synctest.Wait()
				case "the driver is closed":
					if err := s.d.Close(); err != nil {
						s.t.Error(err)
					}
				case "the new token is refused":
					refused := false
					s.swap("rs", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if !refused && r.Method == http.MethodPost {
							refused = true
							w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
							w.WriteHeader(http.StatusUnauthorized)
							return
						}
						rs.ServeHTTP(w, r)
					}))
					if out := s.meet(ping); out != "200" || compare(first, s.kept()) != "replaced" {
						s.t.Errorf("%s, %s", out, compare(first, s.kept()))
					}
				}
				if waited := time.Since(begun); waited > 20*time.Second || how == "the new token is refused" && waited > 5*time.Second {
					s.t.Errorf("it took %v", waited)
				}
				left := slices.ContainsFunc(s.record().Superseded, func(t states.Token) bool { return t.Server.Issuer == old.Server.Issuer })
				if left != (how != "it answers at last") {
					s.t.Errorf("the old grant is left: %v", left)
				}
				if how != "it answers at last" {
					close(open)
				}
			})
		})
	}
}

// TestConfiguredClientStays: a client that was registered by hand at one issuer
// is not shown to another that the resource names (issuer-prereg-mismatch).
func TestConfiguredClientStays(t *testing.T) {
	play(t, func(s *scene) {
		const secret = "canary-of-a-configured-client"
		ready, issuer := s.listen("other")
		ac := devas.DefaultAS(issuer)
		ac.AutoConsent = true
		as, err := devas.NewAS(ac)
		if err != nil {
			s.t.Fatal(err)
		}
		rs, err := devas.NewRS(devas.RSConfig{
			Resource: s.Server, Issuers: []string{issuer}, Scopes: []string{"user"}, Verifier: as.Verifier(), MCP: http.HandlerFunc(echo),
		})
		if err != nil {
			s.t.Fatal(err)
		}
		ready(as)
		s.swap("rs", rs)
		s.c = s.client(s.t, s.driver(s.t, func(o *httpdriver.Options) {
			o.Policy.Client = &states.Configured{Issuer: s.ASURL, ID: "mine", Secret: secret}
		}))
		if out := s.meet(ping); out != "this program: issuer-prereg-mismatch" {
			s.t.Error(out)
		}
		for _, r := range s.Tap.requests() {
			if strings.Contains(r.text(), secret) || r.To == "other" {
				s.t.Errorf("%v", r)
			}
		}
	})
}
