package wire

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// PRM is what protected resource metadata says (RFC 9728 §2), as far as a
// client uses it.
type PRM struct {
	Resource             string   `json:"resource"`              // as published, byte for byte; it is sent as `resource`
	AuthorizationServers []string `json:"authorization_servers"` // issuers as published, sound ones only, in order
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	DPoPRequired         bool     `json:"dpop_required,omitzero"`
	Name                 string   `json:"name,omitempty"` // resource_name, sanitised; a claim of the server
}

// PRMPolicy is what ParsePRM judges by.
type PRMPolicy struct {
	// Server is the canonical URL of the MCP server. It is used in place of a missing
	// `resource` if AllowMissingResource is set.
	Server URL
	// Reference is the identifier that `resource` is compared with at this
	// probe (docs/decision-tables.md#t3): the MCP URL as requested, or the origin for the root.
	Reference URL
	// FromHeader says that the challenge named the document's address
	// (RFC 9728 §3.3, second paragraph).
	FromHeader bool
	// Strict accepts `resource` only when it is identical (strict-resource).
	Strict bool
	// Alias lists `resource` strings that are pinned for this server
	// (quirk resource-alias).
	Alias []string
	// AllowMissingResource is the quirk prm-no-resource.
	AllowMissingResource bool
	// IssuerConfigured: the issuer is known without authorization_servers.
	IssuerConfigured bool
	// DPoP: this client can present DPoP-bound tokens.
	DPoP bool
	URL  URLPolicy
}

const prmWellKnown = "/.well-known/oauth-protected-resource"

// PRMPathURL returns the address of the metadata of one resource: the well-known string
// is inserted between host and path, and the query is kept (RFC 9728 §3.1). It returns
// "" for the zero URL.
//
// Rules: prm-wellknown-insertion.
func PRMPathURL(server URL) string {
	if server.raw == "" {
		return ""
	}
	path := server.path
	if path == "/" {
		path = ""
	}
	return server.Origin() + prmWellKnown + path + server.query
}

// PRMRootURL returns the address of the metadata at the root of the server's
// host; "" for the zero URL.
func PRMRootURL(server URL) string {
	if server.raw == "" {
		return ""
	}
	return server.Origin() + prmWellKnown
}

var prmRules = docRules{
	missing: rules.PRMServed, denied: rules.PRMPublic, status: rules.PRMStatus200,
	contentType: rules.PRMContentType, object: rules.PRMJSONObject, strict: rules.PRMJSONStrict,
}

// ParsePRM judges a protected resource metadata response (RFC 9728 §3.2, §3.3).
// A problem with Refuse ends the login; any other problem ends only this probe.
//
// Rules: prm-issuer-verbatim, prm-unknown-ignored, prm-display-untrusted.
func ParsePRM(r Response, p PRMPolicy) (PRM, []Finding, *Problem) {
	obj, found, bad := metadataBody(r, prmRules)
	if bad != nil {
		return PRM{}, found, bad
	}
	var m PRM
	var resource, servers, methods []byte
	for i := range obj {
		raw := obj[i].Raw
		switch obj[i].Name {
		case "resource":
			resource = raw
		case "authorization_servers":
			servers = raw
		case "scopes_supported":
			m.ScopesSupported = supportedScopes(raw, &found)
		case "bearer_methods_supported":
			methods = raw
		case "dpop_bound_access_tokens_required":
			m.DPoPRequired = raw[0] == 't'
		case "resource_name":
			name, _ := rawString(raw)
			m.Name = Clean(name, shown)
		case "signed_metadata":
			note(&found, rules.PRMSignedMetadata, "signed_metadata is not looked at")
		}
	}
	if bad := m.judgeResource(resource, p, &found); bad != nil {
		return PRM{}, found, bad
	}
	if bad := m.judgeServers(servers, p, &found); bad != nil {
		return PRM{}, found, bad
	}
	if list, _ := rawStrings(methods); len(list) > 0 && !slices.Contains(list, "header") {
		note(&found, rules.PRMBearerMethods, "bearer_methods_supported does not list header")
	}
	if m.DPoPRequired && !p.DPoP {
		return PRM{}, found, refuse(rules.PRMDPoPRequired, "the resource takes DPoP-bound tokens only")
	}
	return m, found, nil
}

func (m *PRM) judgeResource(raw []byte, p PRMPolicy, found *[]Finding) *Problem {
	missing, published := "no resource member", ""
	if raw != nil && !isNull(raw) {
		missing = "resource is not a string with content"
		published, _ = rawString(raw)
	}
	if published == "" {
		if p.AllowMissingResource {
			m.Resource = p.Server.String()
			note(found, rules.PRMResourcePresent, missing+"; read as "+quoted(p.Server.String()))
			return nil
		}
		return &Problem{Rule: rules.PRMResourcePresent, Detail: missing + "; expected " + quoted(p.Reference.String())}
	}
	m.Resource = published
	tier, bad := MatchResource(p.Reference, published, p.Strict)
	if bad != nil && !p.Strict {
		// The document at the root: many servers publish their metadata only there, and MCP
		// itself falls back to it.
		if own, worse := MatchResource(p.Server, published, false); worse == nil && own != "#t4-4" {
			note(found, rules.PRMResourceMatchWellknown, "the document at the root names the MCP server itself, "+quoted(published)+" (docs/decision-tables.md#t3-2)")
			tier, bad = "#t4-1", nil
		}
	}
	if bad != nil {
		// An alias never allows another origin.
		if bad.Rule != rules.PRMResourceCrossOrigin && slices.Contains(p.Alias, published) {
			note(found, bad.Rule, bad.Detail+"; accepted by a pinned alias")
			return nil
		}
		if p.FromHeader && bad.Rule == rules.PRMResourceMatchWellknown {
			bad.Rule = rules.PRMResourceMatchHeader
		}
		return bad
	}
	if tier != "#t4-1" {
		rule := rules.PRMResourceSlash
		switch {
		case tier == "#t4-4":
			rule = rules.PRMResourcePrefix
		case tier == "#t4-3" && p.FromHeader:
			rule = rules.PRMResourceMatchHeader
		case tier == "#t4-3":
			rule = rules.PRMResourceMatchWellknown
		}
		note(found, rule, "resource is "+quoted(published)+", asked for "+quoted(p.Reference.String())+" (docs/decision-tables.md"+tier+")")
	}
	// The scheme can still be one that this login does not accept.
	if bad := CheckURL(published, p.URL); bad != nil {
		return &Problem{Rule: rules.PRMResourceSyntax, Detail: bad.Words()}
	}
	return nil
}

func (m *PRM) judgeServers(raw []byte, p PRMPolicy, found *[]Finding) *Problem {
	if raw != nil && !isNull(raw) {
		list, ok := rawStrings(raw)
		if !ok {
			note(found, rules.PRMIssuerEntrySyntax, "authorization_servers is not an array of strings")
		}
		m.AuthorizationServers = list[:0]
		for _, issuer := range list {
			if bad := checkIssuer(issuer, p.URL); bad != nil {
				note(found, rules.PRMIssuerEntrySyntax, "entry left out: "+bad.Words())
				continue
			}
			if !slices.Contains(m.AuthorizationServers, issuer) {
				m.AuthorizationServers = append(m.AuthorizationServers, issuer)
			}
			if len(m.AuthorizationServers) == maxIssuers {
				break
			}
		}
	}
	if len(m.AuthorizationServers) > 0 {
		return nil
	}
	m.AuthorizationServers = nil
	if p.IssuerConfigured {
		note(found, rules.PRMAuthorizationServers, "no usable authorization server is named; the configured issuer is used")
		return nil
	}
	return refuse(rules.PRMAuthorizationServers, "no usable authorization server is named")
}

// maxIssuers bounds how many authorization servers of one resource are kept.
const maxIssuers = 16

// checkIssuer judges the syntax of an issuer identifier (RFC 8414 §2): a sound
// https URL without query and fragment.
func checkIssuer(issuer string, p URLPolicy) *Problem {
	if bad := CheckURL(issuer, p); bad != nil {
		return bad
	}
	if strings.IndexByte(issuer, '?') >= 0 {
		return refuse(rules.ASMIssuerSyntax, "issuer holds a query: "+quoted(issuer))
	}
	return nil
}

// supportedScopes reads scopes_supported; one string is split at spaces (rule
// prm-scopes-supported).
func supportedScopes(raw []byte, found *[]Finding) []string {
	if s, ok := rawString(raw); ok {
		note(found, rules.PRMScopesSupported, "scopes_supported is a string, not an array")
		return ParseScope(s)
	}
	list := listMember(raw, "scopes_supported", rules.PRMEmptyOmitted, rules.PRMScopesSupported, found)
	return cleanScopes(list)
}

// cleanScopes leaves out what is not a scope-token and what repeats. If there is nothing
// to leave out, it returns the list itself.
func cleanScopes(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	var set scopeSet
	out := list[:0]
	for _, s := range list {
		if s != "" && scopeToken(s) && set.add(out, s) {
			out = append(out, s)
		}
	}
	return out
}
