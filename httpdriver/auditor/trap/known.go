package trap

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// mode is how a client is known to the issuers if it does not register.
type mode struct {
	// adopts takes a client that nobody registered for one that was registered by hand,
	// with whatever authentication it sends.
	adopts bool
	// documents publishes that the issuer reads client ID metadata documents.
	documents bool
}

func (m mode) says() string {
	if m.documents {
		return "the client does not register: the issuers say that they read client ID metadata documents, and take its document for read"
	}
	return "the client does not register: the issuers take it for a client that was registered by hand"
}

// lets reports whether the client was let in.
func lets(e audit.Evidence) bool {
	return slices.ContainsFunc(e.Exchanges, func(x audit.Exchange) bool {
		return x.Leg == audit.LegMCP && len(x.Request.Header.Header("Authorization")) > 0 && x.Response != nil && x.Response.Status/100 == 2
	})
}

// wants says how a client that got nowhere would have to be known.
func (s *stage) wants(e audit.Evidence) mode {
	registered, asked, read := false, false, false
	for _, x := range e.Exchanges {
		registered = registered || x.Leg == audit.LegRegister
		asked = asked || x.Leg == audit.LegAuthorize
		read = read || x.Leg == audit.LegASM
	}
	if lets(e) || registered || !asked && !read {
		return s.mode
	}
	return mode{adopts: true, documents: !asked}
}

// alias is the client that an issuer knows a client by.
type alias struct{ id, redirect string }

// adopt registers a client that nobody registered, and gives the issuer the name that it
// knows, without the client's authentication. The evidence keeps what the client sent.
func (s *stage) adopt(origin string, h http.Handler, r *http.Request, body []byte) {
	if role := s.roles[origin]; !s.adopts || role != audit.RoleIssuer && role != audit.RoleOther {
		return
	}
	if q := r.URL.Query(); q.Has("response_type") {
		if id := s.known(origin, h, q.Get("client_id"), q.Get("redirect_uri")); id != "" {
			q.Set("client_id", id)
			r.URL.RawQuery = q.Encode()
		}
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("grant_type") && !form.Has("token") {
		return
	}
	id := s.known(origin, nil, claimed(r, form), "")
	if id == "" {
		return
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		form.Del(name)
	}
	form.Set("client_id", id)
	r.Header.Del("Authorization")
	next := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(next)), int64(len(next))
}

// claimed is the client that a request says it is of.
func claimed(r *http.Request, form url.Values) string {
	if id := form.Get("client_id"); id != "" {
		return id
	}
	if raw, is := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); is {
		b, _ := base64.StdEncoding.DecodeString(raw)
		user, _, _ := strings.Cut(string(b), ":")
		id, _ := url.QueryUnescape(user)
		return id
	}
	iss, _ := assertionClaims(form.Get("client_assertion"))["iss"].(string)
	return iss
}

// assertionClaims reads the claims of a JWT without verifying it.
func assertionClaims(jwt string) map[string]any {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	var m map[string]any
	if err != nil || json.Unmarshal(b, &m) != nil {
		return nil
	}
	return m
}

// known gives the issuer's name for a client that did not register; "" for one that did.
// With a handler, a new redirect URI is registered at it.
func (s *stage) known(origin string, h http.Handler, id, redirect string) string {
	s.mu.Lock()
	a, has := s.aliases[origin+" "+id]
	registered := s.issuedIDs[id]
	s.mu.Unlock()
	if registered || id == "" {
		return ""
	}
	if h == nil || has && a.redirect == redirect {
		return a.id
	}
	body, _ := json.Marshal(map[string]any{"client_name": "adopted", "redirect_uris": []string{redirect}, "token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"}})
	req, err := http.NewRequest(http.MethodPost, s.issuer+"/register", bytes.NewReader(body))
	if err != nil {
		return ""
	}
	if s.roles[origin] == audit.RoleOther {
		req.URL, _ = url.Parse(s.other + "/register")
	}
	req.Host, req.RemoteAddr = req.URL.Host, "127.0.0.1:1"
	req.Header.Set("Content-Type", "application/json")
	b := &buffered{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(b, req)
	obj, err := wire.ParseObject(b.body.Bytes())
	if err != nil {
		return ""
	}
	next, _, _ := obj.String("client_id")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aliases[origin+" "+id] = alias{next, redirect}
	return next
}

// registers notes a client that registered.
func (s *stage) registers(r *http.Request, status int, body []byte) {
	if r.Method != http.MethodPost || status/100 != 2 || !strings.HasSuffix(r.URL.Path, "/register") {
		return
	}
	if obj, err := wire.ParseObject(body); err == nil {
		id, _, _ := obj.String("client_id")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.issuedIDs[id] = true
	}
}
