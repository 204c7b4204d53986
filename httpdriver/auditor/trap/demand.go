package trap

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// What some traps do in addition to the faults of the peers.

// secretValue holds characters that a form escapes, and the separator of Basic.
const secretValue = "s3cr%t+:/ü&=? x"

// target is the MCP server that the client is started for.
func (s *stage) target() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.trap.Second || s.trap.Beside) && s.run == max(s.trap.Runs, 1) {
		return s.second
	}
	return s.resource
}

// demanding requires StepScope of every token, if the trap says so. It knows the scopes
// of a token from the answer that the token came in.
func (s *stage) demanding(h http.Handler) http.Handler {
	if !s.trap.StepUp {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, has := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if scope, known := s.scopeOf(token); has && known && !slices.Contains(wire.ParseScope(scope), audit.StepScope) {
			at := wire.Origin(s.resource)
			if s.trap.StepElsewhere {
				at = s.canary
			}
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+audit.StepScope+`", resource_metadata="`+at+`/.well-known/oauth-protected-resource/mcp"`)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (s *stage) scopeOf(token string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		if s.all[i].Response == nil {
			continue
		}
		obj, err := wire.ParseObject(s.all[i].Response.Body)
		if err != nil {
			continue
		}
		if got, _, _ := obj.String("access_token"); got == token {
			scope, _, _ := obj.String("scope")
			return scope, true
		}
	}
	return "", false
}

// secret gives a registration a secret, if the trap says so.
func (s *stage) secret(r *http.Request, status int, body []byte) []byte {
	if s.trap.SecretMethod == "" || r.Method != http.MethodPost || status != http.StatusCreated {
		return body
	}
	var m map[string]any
	if json.Unmarshal(body, &m) != nil || m["client_id"] == nil {
		return body
	}
	m["client_secret"], m["client_secret_expires_at"], m["token_endpoint_auth_method"] = secretValue, 0, s.trap.SecretMethod
	if s.trap.SecretLife > 0 { // by the client's clock
		m["client_secret_expires_at"] = time.Now().Add(s.trap.SecretLife).Unix()
	}
	out, _ := json.Marshal(m)
	return out
}

// keyed checks the secret of a token request, and removes it for the issuer, which has no
// secret. Without the secret, or with two, the client is refused.
func (s *stage) keyed(w http.ResponseWriter, r *http.Request, body []byte) bool {
	s.mu.Lock()
	unregistered := s.adopts && len(s.issuedIDs) == 0
	s.mu.Unlock()
	if s.trap.SecretMethod == "" || unregistered {
		return true
	}
	form, _ := wire.DecodeForm(string(body))
	if grant, _ := form.Get("grant_type"); grant == "" {
		s.public(r, body)
		return true
	}
	id, right := "", false
	inBody, _ := form.Get("client_secret")
	raw, inHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Basic ")
	if s.trap.SecretMethod == "client_secret_post" {
		id, _ = form.Get("client_id")
		right = inBody == secretValue && !inHeader
	} else if b, err := base64.StdEncoding.DecodeString(raw); err == nil && inHeader && inBody == "" {
		user, password, _ := strings.Cut(string(b), ":")
		id, _ = url.QueryUnescape(user)
		given, err := url.QueryUnescape(password)
		right = err == nil && given == secretValue
	}
	if !right {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
		return false
	}
	form = slices.DeleteFunc(form, func(f wire.Field) bool { return f.Name == "client_secret" || f.Name == "client_id" })
	next := wire.EncodeForm(append(form, wire.Field{Name: "client_id", Value: id}))
	r.Header.Del("Authorization")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(next)), int64(len(next))
	return true
}

// public registers the client without a secret at the issuer, whatever it asks for,
// because the trap's own secret is the only one.
func (s *stage) public(r *http.Request, body []byte) {
	var m map[string]any
	if r.Method != http.MethodPost || json.Unmarshal(body, &m) != nil || m["redirect_uris"] == nil {
		return
	}
	m["token_endpoint_auth_method"] = "none"
	next, _ := json.Marshal(m)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(next)), int64(len(next))
}

// first reports whether an answer is the first one on its way to the client in a trap
// that tests the client's listener.
func (s *stage) first(callback string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forged || len(s.trap.Forged) == 0 && !s.trap.Listener || !strings.Contains(callback, "?") {
		return false
	}
	s.forged = true
	return true
}

// forge sends requests to the client's listener before the answer arrives: with forged
// answers, by another host name, at another path and from outside.
func (v *visitor) forge(callback string) {
	base, _, _ := strings.Cut(callback, "?")
	for _, q := range v.stage.trap.Forged {
		v.probe("forged", base+"?"+q, "")
	}
	u, err := url.Parse(callback)
	if err != nil || !v.stage.trap.Listener {
		return
	}
	v.probe(audit.ListenerHost, base, "stile-audit.invalid")
	v.posts(audit.ListenerMethod, base)
	v.probe(audit.ListenerPath, u.Scheme+"://"+u.Host+"/stile-audit/elsewhere", "")
	if outside := outsideAddress(); outside != "" {
		v.probe(audit.ListenerOutside, "http://"+net.JoinHostPort(outside, u.Port())+u.Path, "")
	}
}

// posts asks the client's listener by POST.
func (v *visitor) posts(label, u string) { v.ask(label, http.MethodPost, u, "") }

// probe asks the client's listener and records the answer under a label.
func (v *visitor) probe(label, u, host string) { v.ask(label, http.MethodGet, u, host) }

func (v *visitor) ask(label, method, u, host string) {
	req, err := http.NewRequestWithContext(v.ctx, method, u, nil)
	if err != nil {
		return
	}
	req.Header.Set("User-Agent", audit.Browser)
	x := audit.Exchange{Probe: label, Leg: audit.LegOther, At: time.Since(v.stage.began), Request: wire.Request{Method: method, URL: u}}
	if host != "" {
		req.Host = host
		x.Request.Header = wire.Fields{{Name: "Host", Value: host}}
	}
	at := v.stage.add(x)
	ask := v.get
	if label == audit.ListenerOutside || label == "again" { // a refusal is right
		ask = v.stage.client.Do
	}
	resp, err := ask(req)
	if err != nil {
		return
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxKept))
	_ = resp.Body.Close()
	v.stage.answer(at, &wire.Response{Status: resp.StatusCode, Header: fields(resp.Header), Body: body})
}

// outsideAddress is an address of this machine that is not loopback; "" without.
func outsideAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// maxFile bounds how much of a file is searched.
const maxFile = 4 << 20

// files searches the files in the client's home for what the client was given.
func (s *stage) files(home string) []audit.File {
	issued := s.issued()
	var out []audit.File
	_ = filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(home, "bin")) || strings.HasPrefix(d.Name(), "visits-") {
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxFile {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		name, _ := filepath.Rel(home, path)
		f := audit.File{Name: wire.Clean(name, 200), Mode: uint32(info.Mode().Perm())}
		for kind, values := range issued {
			if slices.ContainsFunc(values, func(v string) bool { return bytes.Contains(b, []byte(v)) }) {
				f.Holds = append(f.Holds, kind)
			}
		}
		slices.Sort(f.Holds)
		if len(f.Holds) > 0 {
			out = append(out, f)
		}
		return nil
	})
	return out
}

// issued lists the tokens and secrets that the client was given, by kind.
func (s *stage) issued() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]string{}
	for i := range s.all {
		if s.all[i].Response == nil {
			continue
		}
		obj, err := wire.ParseObject(s.all[i].Response.Body)
		if err != nil {
			continue
		}
		for name, kind := range map[string]string{"access_token": "an access token", "refresh_token": "a refresh token", "client_secret": "a client secret", "registration_access_token": "a registration token"} {
			if v, _, _ := obj.String(name); len(v) >= 8 {
				out[kind] = append(out[kind], v)
			}
		}
	}
	return out
}
