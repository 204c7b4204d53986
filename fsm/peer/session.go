package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Sessions of MCP 2025-11-25. A session's id says whose work a request belongs to, and
// proves nothing: each request is judged by its token first.

// session is one that was begun, and whose it is.
type session struct{ id, subject string }

const (
	sessionField = "Mcp-Session-Id"
	maxSessions  = 100 // the oldest ends when there are more
)

// beginSession answers initialize with a session.
func (s *RS) beginSession(r *reply, req wire.Request, who Introspection) {
	if !s.config.Sessions || calledMethod(req.Body) != "initialize" {
		return
	}
	m := hmac.New(sha256.New, s.config.Seed)
	m.Write([]byte("session\x00" + s.config.Resource + "\x00"))
	s.begun++
	m.Write(binary.BigEndian.AppendUint64(nil, s.begun))
	id := base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	if s.sessions = append(s.sessions, session{id, who.Subject}); len(s.sessions) > maxSessions {
		s.sessions = slices.Delete(s.sessions, 0, 1)
	}
	r.set(sessionField, id)
}

// session finds the session that a request names.
func (s *RS) session(req wire.Request) (found session, named, known bool) {
	ids := req.Header.Header(sessionField)
	if !s.config.Sessions || len(ids) == 0 {
		return session{}, false, false
	}
	i := slices.IndexFunc(s.sessions, func(x session) bool { return len(ids) == 1 && same(x.id, ids[0]) })
	if i < 0 {
		return session{}, true, false
	}
	return s.sessions[i], true, true
}

// elsewhere refuses a request with a good token that comes from a page of another
// origin, or names a session that is not its user's; nil lets it pass.
func (s *RS) elsewhere(req wire.Request, who Introspection) *reply {
	mine, _, _ := split(s.config.Resource)
	for _, o := range req.Header.Header("Origin") {
		if s.config.SameOrigin && o != mine && !s.faulty("origin-unchecked") {
			return (&reply{status: 403, ctype: "text/plain; charset=utf-8", body: []byte("a page of another site may not ask\n")}).breaks(rules.RSOriginCheck)
		}
	}
	x, named, known := s.session(req)
	switch {
	case !named:
		return nil
	case !known && s.faulty("session-unknown-500"):
		return (&reply{status: 500, ctype: "text/plain", body: []byte("oops\n")}).breaks(rules.RSValidateBeforeWork)
	case !known, x.subject != who.Subject && !s.faulty("session-shared"):
		return notFound().breaks(rules.RSHandleBound)
	}
	return nil
}

// open lets a request pass, or answers it, before its token is looked at: each by a
// fault. fields are the Authorization fields, which a fault finds in the query.
func (s *RS) open(req wire.Request, fields *[]string) (r *reply, who Introspection, done bool) {
	_, _, raw := split(req.URL)
	if query, _ := wire.DecodeForm(raw); len(*fields) == 0 && value(query, "access_token") != "" && s.faulty("query-token-read") {
		*fields = []string{"Bearer " + value(query, "access_token")}
	}
	x, named, known := s.session(req)
	switch {
	case known && s.faulty("session-as-token"):
		return nil, Introspection{Subject: x.subject}, true
	case named && !known && len(*fields) == 0 && s.faulty("session-before-token"):
		return notFound().breaks(rules.RSValidateBeforeWork), Introspection{}, true
	case calledMethod(req.Body) == "server/discover" && s.faulty("discover-open"):
		return nil, Introspection{Subject: "anybody"}, true
	}
	return nil, Introspection{}, false
}

// union appends the elements that are missing.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
