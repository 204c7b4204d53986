package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// protect decides about a request to the resource itself: nil lets it pass.
func (s *RS) protect(at time.Time, req wire.Request, verify Verify) (*reply, Introspection) {
	prm := prmAddress(s.config.Resource)
	if s.config.NoMetadata {
		prm = ""
	}
	need := s.needs(req)
	refused := func(status int, code string, rule rules.ID, detail string) (*reply, Introspection) {
		c := bearerChallenge{code: code, scope: need, metadata: prm, dpop: s.config.DPoP == DPoPRequired}
		if status == 400 {
			c.scope = nil
		}
		if status == 403 && s.faulty("challenge-catalogue") {
			c.scope = union(need, s.config.ScopesSupported)
		}
		if s.faulty("challenge-unstable") {
			s.turn = !s.turn
			c.realm = map[bool]string{true: "one", false: "another"}[s.turn]
		}
		if status == 400 && s.faulty("malformed-500") {
			return &reply{status: 500, ctype: "text/plain", body: []byte("oops\n"), rule: rule, detail: detail}, Introspection{}
		}
		return refuse(status, rule, detail, c), Introspection{}
	}
	fields := req.Header.Header("Authorization")
	if req.Method == "GET" && s.faulty("get-unprotected") {
		return nil, Introspection{Subject: "anybody"}
	}
	if r, who, done := s.open(req, &fields); done {
		return r, who
	}
	switch {
	case len(fields) == 0:
		return refused(401, "", rules.Challenge401Unauthenticated, "the request carries no token")
	case len(fields) > 1:
		return refused(400, "invalid_request", rules.Challenge400Malformed, "there is more than one Authorization field")
	}
	bound, token, known := s.scheme(fields[0])
	if !known {
		return refused(401, "", rules.Challenge401Unauthenticated, "the Authorization field is not of the Bearer scheme")
	}
	if token == "" || strings.ContainsAny(token, " \t,") {
		return refused(400, "invalid_request", rules.Challenge400Malformed, "Bearer is not followed by one token")
	}
	who := verify(at, token)
	if !who.Active {
		if forged, ok := s.forged(at, token); ok {
			return nil, forged
		}
	}
	if !who.Active || !at.Before(who.Expires) || !s.trusts(who.Issuer) {
		if s.faulty("expiry-unchecked") {
			return nil, who
		}
		return refused(401, "invalid_token", rules.RSUnknownToken401, "the token is unknown, expired, revoked or of another issuer")
	}
	if !s.meant(who.Audience) && !s.faulty("audience-unchecked") {
		return refused(401, "invalid_token", rules.RSAudience, "the token is for another resource, or names none")
	}
	if code, rule, detail := s.possession(at, req, bound, token, who); code != "" {
		return refuse(401, rule, detail, bearerChallenge{code: code, scope: need, metadata: prm, dpop: true}), Introspection{}
	}
	if !within(need, s.holds(who.Scopes)) {
		return refused(403, "insufficient_scope", rules.RSScopeCheck, "the token does not have the scopes that this needs")
	}
	if len(need) > len(s.config.Scopes) && s.faulty("tool-403") {
		return refused(403, "insufficient_scope", rules.StepupSameChallengeTerminal, "the fault tool-403")
	}
	if r := s.elsewhere(req, who); r != nil {
		return r, Introspection{}
	}
	return nil, who
}

func (s *RS) trusts(issuer string) bool {
	return len(s.config.AuthorizationServers) == 0 || slices.Contains(s.config.AuthorizationServers, issuer)
}

// meant says that the audience names this resource, give or take one slash.
func (s *RS) meant(audience []string) bool {
	if len(audience) == 0 {
		return s.config.NoAudience
	}
	return slices.ContainsFunc(audience, func(a string) bool {
		return a == s.config.Resource || a == otherSlash(s.config.Resource)
	})
}

func (s *RS) holds(have []string) []string {
	out := slices.Clone(have)
	for range s.config.Implies {
		for _, i := range s.config.Implies {
			if slices.Contains(out, i[0]) && !slices.Contains(out, i[1]) {
				out = append(out, i[1])
			}
		}
	}
	return out
}

// needs are all scopes of an operation at once, the same for the same
// operation (stepup-server-complete, stepup-server-consistent).
func (s *RS) needs(req wire.Request) []string {
	out := slices.Clone(s.config.Scopes)
	_, path, _ := split(req.URL)
	tool := calledTool(req.Body)
	for _, r := range s.config.Rules {
		if (r.Method == "" || r.Method == req.Method) && (r.Path == "" || r.Path == path) && (r.Tool == "" || r.Tool == tool) {
			for _, x := range r.Scopes {
				if !slices.Contains(out, x) {
					out = append(out, x)
				}
			}
		}
	}
	return out
}
