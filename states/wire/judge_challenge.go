package wire

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// Challenge is what a 401 or 403 of the MCP server asks for. It is read only from the
// Bearer (or DPoP) challenge and from nothing else in the response.
type Challenge struct {
	Found  bool   `json:"found,omitzero"`   // such a challenge was there
	Scheme string `json:"scheme,omitempty"` // "bearer" or "dpop"
	// ResourceMetadata is the address of the resource's metadata (RFC 9728 §5.1); ""
	// if it is absent or unusable. A finding says why it is unusable.
	ResourceMetadata string `json:"resource_metadata,omitempty"`
	// Named says that the response named such an address, even one that may not be
	// used or cannot be read. It means that the server publishes metadata.
	Named            bool      `json:"named,omitzero"`
	Scopes           []string  `json:"scopes,omitempty"`
	HasScope         bool      `json:"has_scope,omitzero"`
	Error            ErrorCode `json:"error,omitempty"`             // sanitised
	ErrorDescription string    `json:"error_description,omitempty"` // sanitised
}

// JudgeChallenge reads the challenge in an MCP server's response. server is the MCP
// server's URL, with which a metadata address is compared. dpop says that DPoP
// challenges may be used too. If several challenges are usable, the first one with
// parameters counts.
//
// Rules: challenge-multiple, challenge-has-param, challenge-scope-charset,
// challenge-metadata-url-absolute, challenge-metadata-url-https,
// challenge-metadata-url-origin, challenge-body-not-trusted,
// challenge-client-parses.
func JudgeChallenge(r Response, server URL, dpop bool) (Challenge, []Finding) {
	all, found := ParseChallenges(r.Header)
	if _, sent := header(r.Header, "WWW-Authenticate"); !sent {
		if r.Status == 401 {
			note(&found, rules.ChallengeWwwAuthenticatePresent, "401 without WWW-Authenticate")
		}
		return Challenge{}, found
	}
	pick := -1
	named := namesMetadata(r.Header, all, found)
	for i, c := range all {
		if c.Scheme != "bearer" && !(dpop && c.Scheme == "dpop") {
			continue
		}
		if pick < 0 || len(all[pick].Params) == 0 && len(c.Params) > 0 {
			pick = i
		}
	}
	if pick < 0 {
		return Challenge{Named: named}, found
	}
	auth := all[pick]
	c := Challenge{Found: true, Scheme: auth.Scheme, Named: named}
	if len(auth.Params) == 0 {
		note(&found, rules.ChallengeHasParam, "challenge "+quoted(auth.Scheme)+" without a parameter")
	}
	for _, p := range auth.Params {
		switch p.Name {
		case "resource_metadata":
			c.ResourceMetadata = metadataURL(p.Value, server, &found)
		case "scope":
			c.Scopes, c.HasScope = challengedScopes(p.Value, &found)
		case "error":
			c.Error = ErrorCode(Clean(p.Value, shown))
		case "error_description":
			c.ErrorDescription = Clean(p.Value, 2*shown)
		}
	}
	if want := challengeStatus(c.Error); want != 0 && want != r.Status {
		note(&found, rules.ChallengeStatusCodeMatch, "error "+quoted(string(c.Error))+" with status "+strconv.Itoa(r.Status))
	}
	return c, found
}

// NamesMetadata reports whether the challenges of a response name resource metadata:
// with a parameter in a challenge of any scheme, or in a part of a field that breaks
// the grammar.
// Rules: challenge-grammar.
func NamesMetadata(h Fields) bool {
	all, found := ParseChallenges(h)
	return namesMetadata(h, all, found)
}

func namesMetadata(h Fields, all []AuthChallenge, found []Finding) bool {
	const name = "resource_metadata"
	for _, c := range all {
		if _, ok := c.Get(name); ok || strings.EqualFold(strings.TrimRight(c.Token68, "="), name) {
			return true
		}
	}
	broken := slices.ContainsFunc(found, func(f Finding) bool {
		return f.Rule == rules.ChallengeGrammar || f.Rule == rules.ChallengeParamOnce
	})
	return broken && slices.ContainsFunc(h.Header("WWW-Authenticate"), func(v string) bool {
		return strings.Contains(strings.ToLower(v), name)
	})
}

// challengeStatus is the status that RFC 6750 §3.1 requires for an error code; 0 for
// other codes.
func challengeStatus(code ErrorCode) int {
	switch code {
	case CodeInvalidRequest:
		return 400
	case CodeInvalidToken:
		return 401
	case CodeInsufficientScope:
		return 403
	}
	return 0
}

// challengedScopes reads the scope parameter. A single illegal octet makes it drop the
// whole parameter, because nobody can know what the server meant.
func challengedScopes(v string, found *[]Finding) ([]string, bool) {
	for tok := range strings.SplitSeq(v, " ") {
		if !scopeToken(tok) {
			note(found, rules.ChallengeScopeCharset, "scope holds an octet that no scope has; parameter dropped")
			return nil, false
		}
	}
	if strings.IndexByte(v, ',') >= 0 {
		note(found, rules.ChallengeScopeCharset, "scope holds a comma, which is part of a scope and separates nothing: "+quoted(v))
	}
	scopes := ParseScope(v)
	return scopes, len(scopes) > 0
}

// metadataURL judges the resource_metadata parameter.
func metadataURL(v string, server URL, found *[]Finding) string {
	u, bad := ParseURL(v)
	if bad == nil {
		bad = u.Judge(URLPolicy{AllowLoopbackHTTP: server.LoopbackHTTP()})
	}
	if bad == nil {
		if !u.SameOrigin(server) {
			note(found, rules.ChallengeMetadataURLOrigin, "resource_metadata "+quoted(v)+" is on another origin than "+quoted(server.raw))
		}
		return v
	}
	rule := rules.ChallengeMetadataURLAbsolute
	if bad.Rule == rules.URLHTTPS {
		rule = rules.ChallengeMetadataURLHTTPS
	}
	note(found, rule, "resource_metadata not used: "+bad.Words())
	return ""
}
