package trap

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// twist changes an answer of the stage's servers, if the trap says so.
func (s *stage) twist(origin string, r *http.Request, b *buffered) {
	if s.roles[origin] == audit.RoleIssuer && isMetadata(r) {
		s.rooted(r, b)
	}
	if s.roles[origin] == audit.RoleIssuer && isMetadata(r) && b.status == http.StatusOK {
		b.body = *bytes.NewBuffer(s.published(r, b.body.Bytes()))
	}
	if s.trap.Interval > 0 && strings.HasSuffix(r.URL.Path, "/device_authorization") {
		b.body = *bytes.NewBuffer(s.hastened(b.body.Bytes()))
	}
	if r.URL.Query().Has("response_type") {
		s.mu.Lock()
		s.swapped = true
		s.mu.Unlock()
	}
	if s.roles[origin] == audit.RoleResource && strings.Contains(r.URL.Path, "protected-resource") && b.status == http.StatusOK {
		b.body = *bytes.NewBuffer(s.described(b.body.Bytes()))
	}
	if to := b.header.Get("Location"); len(s.trap.Answer) > 0 && to != "" && r.URL.Query().Has("response_type") {
		b.header.Set("Location", s.answered(to))
	}
}

func isMetadata(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/.well-known/o") && !strings.Contains(r.URL.Path, "protected-resource")
}

// named puts the origins into a value.
func (s *stage) named(v string) string {
	at := wire.Origin(s.resource)
	return strings.NewReplacer("{resource-part}", strings.TrimSuffix(s.resource, "p"), "{RESOURCE}", at+strings.ToUpper(strings.TrimPrefix(s.resource, at)), "{resource}", s.resource,
		"{origin}", wire.Origin(s.issuer), "{ISSUER}", "HTTP"+strings.TrimPrefix(s.issuer, "http"), "{issuer}", s.issuer, "{other}", s.other, "{canary}", s.canary, "{tls}", s.tls,
		"{zero}", "http://0.0.0.0:"+s.canary[strings.LastIndexByte(s.canary, ':')+1:]).Replace(v)
}

// published replaces members of the metadata.
func (s *stage) published(r *http.Request, body []byte) []byte {
	s.mu.Lock()
	swaps := s.trap.Swaps && s.swapped
	s.mu.Unlock()
	misleads := s.trap.OIDCDecoy && strings.Contains(r.URL.Path, "openid-configuration")
	var m map[string]any
	if len(s.trap.Metadata) == 0 && !swaps && !misleads && !s.documents || json.Unmarshal(body, &m) != nil {
		return body
	}
	for name, v := range s.trap.Metadata {
		m[name] = s.named(v)
	}
	if swaps {
		m["token_endpoint"] = s.canary + "/token"
	}
	if misleads {
		for name, path := range map[string]string{"authorization_endpoint": "/authorize", "token_endpoint": "/token", "registration_endpoint": "/register"} {
			m[name] = s.other + path
		}
	}
	if s.documents {
		m["client_id_metadata_document_supported"] = true
	}
	out, _ := json.Marshal(m)
	return out
}

// answered replaces parameters of the authorization response.
func (s *stage) answered(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	q := u.Query()
	for name, v := range s.trap.Answer {
		q.Set(name, s.named(v))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// endless writes a document that is longer than a careful client reads. It reports
// whether the client read all of it.
func endless(w http.ResponseWriter) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for sent := 0; sent < audit.EndlessBody; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return false
		}
	}
	_, err := io.WriteString(w, "{}")
	return err == nil
}

// redirected answers an MCP request that carries a token with a redirect to the canary,
// if the trap says so.
func (s *stage) redirected(h http.Handler) http.Handler {
	if !s.trap.Redirects {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" || strings.HasPrefix(r.URL.Path, "/.well-known/") {
			h.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, s.canary+r.URL.Path, http.StatusTemporaryRedirect)
	})
}

// sharing lets a second MCP server answer at another path of the same origin.
func sharing(first, second http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, besidePath) {
			second.ServeHTTP(w, r)
			return
		}
		first.ServeHTTP(w, r)
	})
}

const besidePath = "/beside"

// used lets the token expire once it has been accepted, if the trap says so. It expires
// before the client has the answer, because the client's next request may come at once.
func (s *stage) used(origin string, r *http.Request, status int) {
	if s.trap.ExpireInRun == 0 || s.roles[origin] != audit.RoleResource || r.Header.Get("Authorization") == "" || status < 200 || status > 299 {
		return
	}
	token := r.Header.Get("Authorization")
	s.mu.Lock()
	first := !s.expired[token] && len(s.expired) < s.trap.ExpireInRun
	if first {
		s.expired[token] = true
	}
	s.mu.Unlock()
	if first {
		s.advance(s.trap.TokenLife + time.Minute)
	}
}

// awaitExpiry waits until what was registered or issued has expired.
func (s *stage) awaitExpiry() {
	if s.trap.Waits {
		time.Sleep(s.trap.TokenLife + 500*time.Millisecond)
	}
	if s.trap.SecretLife > 0 {
		time.Sleep(s.trap.SecretLife + 1500*time.Millisecond)
	}
}

// failing takes the next of the trap's answers that replace the issuer's answer to a
// token request.
func (s *stage) failing(body []byte) string {
	form, _ := wire.DecodeForm(string(body))
	grant, _ := form.Get("grant_type")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trap.Away && s.run == 2 && grant == "refresh_token" {
		return "away"
	}
	left := map[string]*[]string{"refresh_token": &s.fails, "authorization_code": &s.failsCode, deviceGrant: &s.failsPoll}[grant]
	if left == nil || len(*left) == 0 {
		return ""
	}
	how := (*left)[0]
	*left = (*left)[1:]
	return how
}

// gatherTime is how long the first request of clients that were started together waits
// for a second one. A machine that is busy starts them one after the other.
const gatherTime = 2 * time.Second

// gather holds the first refresh, or the first registration, of clients that were started
// together until another one comes or its time is over: a client that does not lock reads
// the old token meanwhile, or finds the store empty.
func (s *stage) gather(ctx context.Context, body []byte) {
	form, _ := wire.DecodeForm(string(body))
	grant, _ := form.Get("grant_type")
	refreshes := (s.trap.AtOnce > 1 || s.trap.ID == "cl.refresh-in-run") && grant == "refresh_token"
	registers := s.trap.FirstAtOnce > 1 && bytes.Contains(body, []byte(`"redirect_uris"`))
	if !refreshes && !registers {
		return
	}
	s.mu.Lock()
	first := s.gathered == nil
	if first {
		s.gathered = make(chan struct{})
	} else if !s.met {
		s.met = true
		close(s.gathered)
	}
	second := s.gathered
	s.mu.Unlock()
	if !first {
		return
	}
	select {
	case <-second:
	case <-time.After(gatherTime):
	case <-ctx.Done():
	}
}

func (s *stage) fail(w http.ResponseWriter, how string) {
	switch how {
	case "html":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html><body>Bad gateway</body></html>")
	case "429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case "503":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case "away":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "authorization_pending", "slow_down":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"`+how+`"}`)
	case "302":
		w.Header().Set("Location", s.canary+"/token")
		w.WriteHeader(http.StatusFound)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// lose lets a server handle a request and closes the connection instead of sending the
// answer.
func (s *stage) lose(at int, h http.Handler, r *http.Request) {
	h.ServeHTTP(&buffered{header: http.Header{}}, r)
	s.end(at, nil, audit.AnswerLost)
	panic(http.ErrAbortHandler)
}

func (s *stage) end(at int, resp *wire.Response, failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[at].Response, s.all[at].Failure = resp, failure
	s.all[at].Took = time.Since(s.began) - s.all[at].At
}

// escapes reports whether a text holds the terminal escapes that the faults of
// the peers put into what a server says.
func escapes(text []byte) bool {
	return slices.ContainsFunc([]string{"\x1b]0;owned", "\x1b[2J<img", "\x1b[2JWXYZ", "red\x1b[0m\x07"}, func(e string) bool { return bytes.Contains(text, []byte(e)) })
}
