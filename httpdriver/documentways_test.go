package httpdriver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestLoginsOnDifferentWays: logins that come to the same document by a different number of
// requests share its answer, and where it does not come, its absence.
func TestLoginsOnDifferentWays(t *testing.T) {
	for name, absent := range map[string]bool{"it comes": false, "it is lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := make(chan struct{})
				l := &library{}
				l.answer = func(_ context.Context, s states.Send, nth int) states.Input {
					missing := states.Responded{Serial: s.Serial, Response: wire.Response{Status: http.StatusNotFound}}
					switch root, atRoot := strings.CutSuffix(s.Request.URL, "/.well-known/oauth-protected-resource"); {
					case s.Request.URL == "https://two.example/.well-known/oauth-protected-resource/mcp":
						return missing
					case atRoot:
						s.Request.URL = root + "/.well-known/oauth-protected-resource/mcp"
						return (&library{}).send(t.Context(), s)
					case s.Request.URL == issuersPage && nth == 1:
						<-open
						if absent {
							return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: "the connection was reset"}
						}
					case s.Request.URL != issuersPage && strings.HasPrefix(s.Request.URL, libraryIssuer):
						return missing
					}
					return nil
				}
				d := l.readers(t)
				one := reads(t, d, reader("one"))
				synctest.Wait()
				two := reads(t, d, reader("two"))
				synctest.Wait()
				if n := l.count(issuersPage); n != 1 {
					t.Errorf("%d requests", n)
				}
				close(open)
				for _, end := range []<-chan error{one, two} {
					if err := <-end; err != nil { // what was lost is asked for again
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestOneDocumentForTwoRevisions: a server of the first revision that is its own issuer is asked
// for its metadata with that revision, which may change the answer. Logins of a later revision ask
// for it once more, and share that answer.
//
// Rules: asm-protocol-version-header.
func TestOneDocumentForTwoRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &library{keep: "max-age=3600"}
		var with []string
		l.answer = func(_ context.Context, s states.Send, _ int) states.Input {
			if strings.HasPrefix(s.Request.URL, libraryIssuer+"/.well-known/oauth-protected-resource") {
				return states.Responded{Serial: s.Serial, Response: wire.Response{Status: http.StatusNotFound}}
			}
			if s.Request.URL == issuersPage {
				with = append(with, strings.Join(s.Request.Header.Header("MCP-Protocol-Version"), " "))
			}
			return nil
		}
		d := l.readers(t)
		old := reader("old")
		old.Server = libraryIssuer + "/mcp"
		for _, a := range []httpdriver.Account{old, reader("new"), reader("newer")} {
			if err := <-reads(t, d, a); err != nil {
				t.Error(err)
			}
		}
		if len(with) != 2 || with[0] != string(states.R1) || with[1] == with[0] {
			t.Errorf("asked with %q", with)
		}
	})
}
