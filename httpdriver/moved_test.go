package httpdriver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
)

// TestIssuerMoved: the resource names another issuer, a whole and working one.
// Nothing of the old one is sent there; the client registers anew, the human is
// asked anew, and what is stored is bound to the new one
// (issuer-as-change-reregister).
func TestIssuerMoved(t *testing.T) {
	for _, how := range []string{"the old token is refused", "the old token has expired", "the old issuer is gone"} {
		t.Run(how, func(t *testing.T) {
			play(t, func(s *scene) {
				s.call(s.t, s.c)
				old := s.kept()
				ready, issuer := s.listen("other")
				ac := devas.DefaultAS(issuer)
				ac.AutoConsent, ac.Scopes = true, []string{"user", "admin"}
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
				switch how {
				case "the old token has expired":
					time.Sleep(2 * time.Hour)
				case "the old issuer is gone":
					s.swap("as", http.NotFoundHandler())
				}
				s.Tap.reset()
				out := s.meet(ping)
				if how == "the old issuer is gone" {
					// The refresh token may still be good: no human is asked before
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
			o.Config.Client = &states.Configured{Issuer: s.ASURL, ID: "mine", Secret: secret}
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
