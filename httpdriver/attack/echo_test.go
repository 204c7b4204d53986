package attack_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// spellings are how a server may write a secret that it quotes.
var spellings = []struct {
	name  string
	write func(string) string
}{
	{"plain", func(s string) string { return s }},
	{"in a sentence", func(s string) string { return "Sorry, invalid token: '" + s + "'" }},
	{"percent", func(s string) string { return percent(s) }},
	{"form", url.QueryEscape},
	{"percent twice", func(s string) string { return percent(percent(s)) }},
	{"JSON escapes", func(s string) string { return backslashes(s) }},
	{"JSON in percent", func(s string) string { return percent(backslashes(s)) }},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64url", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"Basic", func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("client:"+s)) }},
	{"in longer base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + s + "!")) }},
	{"base64 in percent", func(s string) string { return percent(base64.StdEncoding.EncodeToString([]byte("xy" + s))) }},
	{"capitals", strings.ToUpper},
	{"hexadecimal", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"hexadecimal in capitals, in percent", func(s string) string { return percent(strings.ToUpper(hex.EncodeToString([]byte(s)))) }},
	{"HTML", func(s string) string { return entities(s, "&#%d;") }},
	{"HTML in JSON escapes", func(s string) string { return backslashes(entities(s, "&#x%x;")) }},
	{"twice", func(s string) string { return s + s }},
	{"inside a name", func(s string) string { return "mcp:" + s + "/read" }},
	{"behind much else", func(s string) string { return strings.Repeat("so sorry ", 18) + s }},
}

func percent(s string) string {
	var b strings.Builder
	for _, c := range hex.EncodeToString([]byte(s)) {
		if b.Len()%3 == 0 {
			b.WriteByte('%')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func backslashes(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return b.String()
}

func entities(s, how string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, how, r)
	}
	return b.String()
}

// loginAgain is a login while a token is held, so that everything is asked for anew.
var loginAgain = meeting{"log in again", func(s *scene, turn func()) error {
	s.must(ping)
	turn()
	return s.driver.Login(s.t.Context(), s.account())
}}

// quoted are the places where a server may quote what it was sent, or once gave. An
// address that is requested afterwards is not among them: it is requested as it stands.
var quoted = []struct {
	name         string
	server, path string
	meet         meeting
	answer       func(w http.ResponseWriter, echo string)
}{
	{"token, error", "as", "/token", expired, object(400, "error", "%s")},
	{"token, error_description", "as", "/token", expired, object(400, "error", "invalid_grant", "error_description", "%s")},
	{"token, error_description of another error", "as", "/token", expired, object(400, "error", "invalid_request", "error_description", "%s")},
	{"token, error_uri", "as", "/token", expired, object(400, "error", "invalid_grant", "error_uri", "https://h/%s")},
	{"token, a page", "as", "/token", expired, text(500, "text/html", "<p>%s</p>")},
	{"token, media type", "as", "/token", expired, text(200, "text/%s", "hello")},
	{"token, scope", "as", "/token", expired, object(200, "access_token", "at-new-0123456789abcdef", "token_type", "Bearer", "scope", "%s")},
	{"token, type", "as", "/token", expired, object(200, "access_token", "at-new-0123456789abcdef", "token_type", "%s")},
	{"token, redirect", "as", "/token", expired, header(307, "Location", "https://h.example/?t=%s")},
	{"token, Retry-After", "as", "/token", expired, header(503, "Retry-After", "%s")},
	{"token, challenge", "as", "/token", expired, header(401, "WWW-Authenticate", `Basic realm="%s"`)},
	{"code, error_description", "as", "/token", firstLogin, object(400, "error", "invalid_grant", "error_description", "%s")},
	{"code, a page", "as", "/token", firstLogin, text(502, "text/plain", "%s")},
	{"more scope, error_description", "as", "/token", moreScope, object(400, "error", "invalid_scope", "error_description", "%s")},
	{"revocation, error_description", "as", "/revoke", logOut, object(400, "error", "unsupported_token_type", "error_description", "%s")},
	{"revocation, a page", "as", "/revoke", logOut, text(500, "text/plain", "%s")},
	{"issuer's metadata, issuer", "as", "/.well-known/", loginAgain, object(200, "issuer", "http://127.0.0.1:7001/%s")},
	{"issuer's metadata, endpoint", "as", "/.well-known/", loginAgain, object(200, "issuer", "http://127.0.0.1:7001", "authorization_endpoint", "ftp://h/%s", "token_endpoint", "http://127.0.0.1:7001/%s")},
	{"issuer's metadata, redirect", "as", "/.well-known/", loginAgain, header(302, "Location", "https://h.example/%s")},
	{"registration, error_description", "as", "/register", loginAgain, object(400, "error", "invalid_client_metadata", "error_description", "%s")},
	{"resource metadata, resource", "rs", "/.well-known/", loginAgain, object(200, "resource", "https://h/%s")},
	{"resource metadata, a page", "rs", "/.well-known/", loginAgain, text(404, "text/plain", "%s")},
	{"challenge, error_description", "rs", "/mcp", moreScope, header(401, "WWW-Authenticate", `Bearer error="invalid_token", error_description="%s"`)},
	{"challenge, scope", "rs", "/mcp", moreScope, header(403, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="a %s"`)},
	{"challenge, address", "rs", "/mcp", moreScope, header(401, "WWW-Authenticate", `Bearer resource_metadata="http://h.example/%s"`)},
	{"server, redirect", "rs", "/mcp", moreScope, header(307, "Location", "http://127.0.0.1:7001/%s")},
}

func object(status int, pairs ...string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, echo string) {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			v := strings.ReplaceAll(pairs[i+1], "%s", echo)
			m[pairs[i]] = v
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(m)
	}
}

func text(status int, kind, body string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, echo string) {
		w.Header().Set("Content-Type", strings.ReplaceAll(kind, "%s", echo))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "%s", echo))
	}
}

func header(status int, name, value string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, echo string) {
		w.Header().Set(name, strings.ReplaceAll(value, "%s", echo))
		w.WriteHeader(status)
	}
}

// sent gives the secret of a request, or else one that the server gave before.
func (s *scene) sent(r *http.Request) string {
	_ = r.ParseForm()
	for _, name := range []string{"refresh_token", "token", "code"} {
		if v := r.PostForm.Get(name); v != "" {
			return v
		}
	}
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return s.record().Current.RefreshToken.Reveal()
}

// TestEchoes: a secret that a server quotes, wherever and however it writes it, is
// in no log, no error, no trace and in nothing that an observer prints.
func TestEchoes(t *testing.T) {
	n := 0
	for _, p := range quoted {
		for _, spelling := range spellings {
			if n++; !long && n%7 != 0 {
				continue
			}
			t.Run(p.name+"/"+spelling.name, func(t *testing.T) {
				var echoes []string
				visit(t, world{
					meet: p.meet,
					turn: func(s *scene) {
						if p.path == "/register" {
							s.forget()
						}
						s.at(p.server, p.path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							secret := s.sent(r)
							echoes = append(echoes, spelling.write(secret))
							p.answer(w, spelling.write(secret))
						}))
					},
					want: want{passes: p.path == "/mcp", leaves: p.meet.name == logOut.name, also: func(s *scene, err error) {
						if len(echoes) == 0 {
							t.Error("nothing was quoted")
						}
						if p.path == "/mcp" && strings.Contains(p.name, "redirect") {
							err = nil // net/http names the address that a server redirects to
						}
						s.replayed()
						for _, e := range echoes {
							s.absent(e, err)
						}
					}},
				})
			})
		}
	}
}

// replayed asserts that the trace is whole, and replays: the shadow decided as the
// machine did.
func (s *scene) replayed() {
	s.t.Helper()
	if text := s.trace.String(); strings.Contains(text, `"ended":`) {
		s.t.Errorf("the trace ended early: …%s", text[strings.LastIndex(text[:len(text)-1], "\n"):])
		return
	}
	for i, one := range strings.Split(s.trace.String(), `{"format":`) { // each run has its trace
		if i == 0 {
			continue
		}
		tr, err := trace.Parse([]byte(`{"format":` + one))
		if err != nil {
			s.t.Fatal(err)
		}
		if d, err := trace.Replay(tr); err != nil || !d.Same() {
			s.t.Errorf("the trace does not replay: %+v, %v", d, err)
		}
	}
}

// absent asserts that a text is in nothing that people are shown.
func (s *scene) absent(what string, err error) {
	s.t.Helper()
	what = strings.ToLower(strings.Trim(what, "='"))
	if i := strings.LastIndex(what, " "); i >= 0 {
		what = strings.TrimLeft(what[i+1:], "'") // the word that holds it, which comes last
	}
	if len(what) < 12 {
		return
	}
	told := map[string]string{
		"the log": s.log.String(), "what an observer prints": s.seen.String(), "the error": fmt.Sprintf("%v %+v", err, err), "the trace": s.trace.String(),
		"the address that the user is sent to": s.net.addresses(), "the record": s.scopes(),
	}
	for where, text := range told {
		low := strings.ToLower(text)
		if i := strings.Index(low, what); i >= 0 {
			s.t.Errorf("%s: …%s…", where, text[max(0, i-200):min(len(text), i+len(what)+20)])
		}
	}
}

// addresses are those that the user visited, as they stand and unescaped.
func (n *network) addresses() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for _, r := range n.seen {
		if r.user {
			plain, _ := url.QueryUnescape(r.text)
			b.WriteString(r.text + plain + "\n")
		}
	}
	return b.String()
}

// scopes are those of the record, which go into requests and pages.
func (s *scene) scopes() string {
	c := s.record()
	if c == nil {
		return ""
	}
	return fmt.Sprint(c.Current.Granted, c.Current.Requested)
}

// forget removes the stored registrations, so that the client is registered anew.
func (s *scene) forget() {
	s.t.Helper()
	keys, err := s.store.(storage.Lister).List(s.t.Context(), "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range keys {
		if k.Kind != states.KindRegistration {
			continue
		}
		e, err := s.store.Get(s.t.Context(), k)
		if err == nil {
			err = s.store.Delete(s.t.Context(), k, e.Generation)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}
