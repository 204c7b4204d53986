package wire

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// AuthorizationParams is what an authorization request is made from (OAuth 2.1 §4.1.1).
type AuthorizationParams struct {
	Endpoint    string
	ClientID    string
	RedirectURI string
	Challenge   string // S256 of the verifier
	State       string
	Scope       string // "" leaves the parameter out
	Resource    string // "" leaves the parameter out (RFC 8707 §2)
	Prompt      string // "" leaves the parameter out
	Extra       Fields // parameters of one provider, such as access_type=offline
}

// AuthorizationURL builds the address that the user agent is sent to. The
// endpoint's own query is kept unchanged, and our parameters follow: response_type,
// client_id, redirect_uri, code_challenge, code_challenge_method, state, scope,
// resource, prompt, then Extra. An endpoint that presets one of ours is refused.
//
// Rules: authz-req-response-type, authz-req-pkce-s256, authz-req-query-kept,
// authz-req-param-once, authz-req-url-scheme, authz-req-no-secret,
// authz-req-client-id, authz-req-pkce, authz-req-redirect-uri,
// authz-req-resource-single.
func AuthorizationURL(p AuthorizationParams) (string, *Problem) {
	params, sep, bad := p.fields(make(Fields, 0, 9+len(p.Extra)))
	if bad != nil {
		return "", bad
	}
	return p.Endpoint + sep + EncodeForm(params), nil
}

// JudgeAuthorization returns the problem for which AuthorizationURL would refuse.
func JudgeAuthorization(p AuthorizationParams) *Problem {
	var room [12]Field
	_, _, bad := p.fields(room[:0])
	return bad
}

// fields appends the parameters of the request to params, and says which separator
// goes between them and the endpoint.
func (p *AuthorizationParams) fields(params Fields) (all Fields, sep string, bad *Problem) {
	if bad := CheckURL(p.Endpoint, URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
		return nil, "", refuse(rules.AuthzReqURLScheme, bad.Words())
	}
	params = append(params,
		Field{Name: "response_type", Value: "code"},
		Field{Name: "client_id", Value: p.ClientID},
		Field{Name: "redirect_uri", Value: p.RedirectURI},
		Field{Name: "code_challenge", Value: p.Challenge},
		Field{Name: "code_challenge_method", Value: "S256"},
		Field{Name: "state", Value: p.State})
	for _, opt := range [...]Field{{Name: "scope", Value: p.Scope}, {Name: "resource", Value: p.Resource}, {Name: "prompt", Value: p.Prompt}} {
		if opt.Value != "" {
			params = append(params, opt)
		}
	}
	for _, extra := range p.Extra {
		if have, twice := params.Get(extra.Name); twice && have == extra.Value {
			continue
		} else if twice {
			return nil, "", refuse(rules.AuthzReqParamOnce, "extra parameter "+quoted(extra.Name)+" is already part of the request")
		}
		params = append(params, extra)
	}
	sep = "?"
	if _, query, has := strings.Cut(p.Endpoint, "?"); has {
		preset, ok := DecodeForm(query)
		if !ok {
			return nil, "", refuse(rules.AuthzReqQueryKept, "query of the authorization endpoint cannot be read")
		}
		for _, f := range preset {
			if _, ours := params.Get(f.Name); ours {
				return nil, "", refuse(rules.AuthzReqParamOnce, "authorization endpoint presets "+quoted(f.Name))
			}
		}
		sep = "&"
		if query == "" || strings.HasSuffix(query, "&") {
			sep = ""
		}
	}
	return params, sep, nil
}

// S256 is the PKCE transformation (RFC 7636 §4.2): base64url, without padding,
// of the SHA-256 of the verifier.
func S256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

// SameState compares the state of a callback with the one that was sent, in
// constant time (rules authz-resp-state-match, authz-resp-state-once).
//
// Rules: authz-resp-state-once.
func SameState(sent, got Secret) bool {
	return sent != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(got)) == 1
}

// Callback is an authorization response as it arrived at the redirect URI
// (OAuth 2.1 §4.1.2). Nothing in it has been judged yet.
type Callback struct {
	Code    Secret
	HasCode bool // there is a code that is not empty
	State   Secret
	Iss     []string    // every iss value, form-decoded (RFC 9207 §2)
	Error   *OAuthError // sanitised
	// Repeated names the parameters of the response that came more than once.
	Repeated []string
}

// maxCallback bounds the length of a callback address.
const maxCallback = 64 << 10

// ParseCallback reads the query of a callback address. The address may be a request
// target or a whole URL, even one that a person pasted with white space around it. A
// fragment is ignored, and so is every parameter that does not belong to the response.
//
// Rules: authz-resp-unknown-ignored, authz-resp-param-once,
// authz-resp-query-mode, authz-resp-paste-back, log-error-echo,
// authz-resp-error-charset.
func ParseCallback(rawURL string) (Callback, *Problem) {
	rawURL = strings.TrimSpace(rawURL)
	if len(rawURL) > maxCallback {
		return Callback{}, refuse(rules.URLParseStrict, "callback address is longer than 64 KiB")
	}
	rawURL, _, _ = strings.Cut(rawURL, "#")
	_, query, _ := strings.Cut(rawURL, "?")
	var cb Callback
	var e OAuthError
	var seen [6]bool
	for piece := ""; query != ""; {
		piece, query, _ = strings.Cut(query, "&")
		rawName, rawValue, _ := strings.Cut(piece, "=")
		name, _ := url.QueryUnescape(rawName) // "" if an escape is broken
		n := callbackName(name)
		if n < 0 {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return Callback{}, refuse(rules.URLParseStrict, "parameter "+name+" of the callback holds a broken escape")
		}
		if seen[n] {
			if !slices.Contains(cb.Repeated, name) {
				cb.Repeated = append(cb.Repeated, name)
			}
			if name == "iss" && len(cb.Iss) < maxIssuers {
				cb.Iss = append(cb.Iss, value)
			}
			continue
		}
		seen[n] = true
		switch name {
		case "code":
			cb.Code, cb.HasCode = Secret(value), value != ""
		case "state":
			cb.State = Secret(value)
		case "iss":
			cb.Iss = append(cb.Iss, value)
		case "error":
			e.Code = ErrorCode(Clean(value, shown))
		case "error_description":
			e.Description = Clean(value, 2*shown)
		case "error_uri":
			e.URI = Clean(value, shown)
		}
	}
	if e.Code != "" {
		held := e
		cb.Error = &held
	}
	return cb, nil
}

// callbackName numbers the parameters of an authorization response; it is -1 for all
// others.
func callbackName(name string) int {
	return slices.Index(callbackNames[:], name)
}

var callbackNames = [6]string{"code", "state", "iss", "error", "error_description", "error_uri"}

// SameRedirect reports whether a callback address matches the redirect URI of the
// request: the scheme, host, port and path are the same, and the redirect URI's own
// query is still there. got may be a request target without scheme and host if the
// receiver has checked those.
//
// Rules: authz-resp-redirect-exact.
func SameRedirect(expected, got string) bool {
	want, bad := ParseURL(expected)
	if bad != nil || want.user || want.fragment {
		return false
	}
	got = strings.TrimSpace(got)
	got, _, _ = strings.Cut(got, "#")
	base, query, _ := strings.Cut(got, "?")
	path := base
	if !strings.HasPrefix(base, "/") {
		have, _ := ParseURL(base) // what is no address has no origin
		if have.user || !have.SameOrigin(want) {
			return false
		}
		path = have.path
	}
	if orSlash(path) != orSlash(want.path) {
		return false
	}
	rest := strings.Split(query, "&")
	for piece := range strings.SplitSeq(strings.TrimPrefix(want.query, "?"), "&") {
		if piece == "" {
			continue
		}
		i := slices.Index(rest, piece)
		if i < 0 {
			return false
		}
		rest[i] = ""
	}
	return true
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// JudgeIss applies docs/decision-tables.md#t1 (RFC 9207 §2.4) to a callback: recorded is
// the issuer of the accepted metadata document, or the origin if the default endpoints
// are in use; advertised is ASM.Iss. Values are compared octet for octet.
//
// Rules: issuer-response-compare, issuer-response-required, issuer-iss-once,
// issuer-as-sends, issuer-as-advertises, issuer-no-normalization,
// issuer-response-absent-ok, issuer-iss-syntax.
func JudgeIss(cb Callback, recorded string, advertised bool) ([]Finding, *Problem) {
	if len(cb.Iss) > 1 { // #t1-7
		return nil, refuse(rules.IssuerIssOnce, "iss is there more than once")
	}
	switch {
	case len(cb.Iss) == 0 || cb.Iss[0] == "":
		if advertised { // #t1-3
			return nil, refuse(rules.IssuerResponseRequired, "no iss, although the authorization server advertises it; expected "+quoted(recorded))
		}
		return []Finding{{Rule: rules.IssuerASSends, Detail: "no iss in the authorization response"}}, nil // #t1-6, #t1-9
	case cb.Iss[0] != recorded: // #t1-2, #t1-5, #t1-8
		return nil, refuse(rules.IssuerResponseCompare, "iss is "+quoted(cb.Iss[0])+", expected "+quoted(recorded))
	case !advertised: // #t1-4
		return []Finding{{Rule: rules.IssuerASAdvertises, Detail: "iss is sent but not advertised"}}, nil
	}
	return nil, nil // #t1-1
}
