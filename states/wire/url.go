package wire

import (
	"net/url"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// URL is an absolute http or https address. It is parsed once, where it enters the
// program:
//
//	u, bad := wire.ParseURL("https://MCP.example:443/my%20server/mcp")
//	u.String()      // as it was written
//	u.Origin()      // https://mcp.example
//	u.Canonical()   // https://mcp.example/my%20server/mcp
//	u.EscapedPath() // /my%20server/mcp
//
// It is a value that consists of strings. Two URLs are equal (==) if they were written
// identically, octet for octet, as OAuth compares identifiers (RFC 8414 §3.3, RFC 9728
// §3.3). Methods give looser comparisons. The zero URL is not an address: its String
// is empty. In JSON a URL is the string that it was read from.
type URL struct {
	raw    string
	scheme string // lower case, like host and port
	host   string // an IPv6 address in brackets
	port   string // "" if it is the scheme's default
	path   string // escaped, as written
	sent   string // escaped, as net/http sends it; differs where a character should have been escaped
	query  string // with its "?", as written

	user, fragment, loopback bool
}

// URLPolicy says which URLs may be used at all.
type URLPolicy struct {
	// AllowLoopbackHTTP accepts http for 127.0.0.0/8, [::1] and localhost
	// (rule url-loopback-exception). Nothing accepts http elsewhere.
	AllowLoopbackHTTP bool
}

// maxURL is the maximum length of a URL, in bytes.
const maxURL = 8192

// ParseURL reads an absolute http or https URL. It uses net/url, with which the drivers
// dial too. Before and after that, it refuses whatever two parsers might read
// differently. User information, a fragment and http are not judged here: Judge does
// that.
// Rules: url-parse-strict, url-scheme-allowlist.
func ParseURL(raw string) (URL, *Problem) {
	strict := func(why string) (URL, *Problem) {
		return URL{}, refuse(rules.URLParseStrict, why+": "+quoted(withoutUser(raw)))
	}
	if raw == "" {
		return URL{}, refuse(rules.URLParseStrict, "URL is empty")
	}
	if len(raw) > maxURL {
		return strict("URL is longer than 8192 bytes")
	}
	if why := ambiguous(raw); why != "" {
		return strict(why)
	}
	p, err := url.Parse(raw)
	switch {
	case err != nil:
		return strict("URL cannot be parsed")
	case p.Scheme == "":
		return strict("URL is not absolute")
	case p.Scheme != "https" && p.Scheme != "http":
		return URL{}, refuse(rules.URLSchemeAllowlist, "URL scheme is neither https nor http: "+quoted(withoutUser(raw)))
	case p.Host == "":
		return strict("URL has no host")
	}
	u := URL{
		raw: raw, scheme: p.Scheme, path: p.RawPath, sent: p.EscapedPath(), user: p.User != nil,
		fragment: strings.IndexByte(raw, '#') >= 0,
	}
	if u.path == "" { // then the written spelling is the usual one
		u.path = u.sent
	}
	if p.RawQuery != "" || p.ForceQuery {
		u.query = "?" + p.RawQuery
	}
	if why := u.authority(p.Host); why != "" {
		return strict(why)
	}
	return u, nil
}

// ambiguous says what in a URL could be read in two ways.
func ambiguous(raw string) string {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f:
			return "URL holds white space or a control character"
		case c > 0x7f:
			return "URL holds a character outside ASCII"
		case c == '\\' || c == '"' || c == '<' || c == '>' || c == '`':
			return "URL holds a character that no URL has"
		case c == '%' && (i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2])):
			return "URL holds a broken percent escape"
		}
	}
	return ""
}

// CheckURL reads and judges a URL (ParseURL, URL.Judge).
func CheckURL(raw string, p URLPolicy) *Problem {
	u, bad := ParseURL(raw)
	if bad != nil {
		return bad
	}
	return u.Judge(p)
}

// Judge says why a URL may not be used. It must be https (or loopback http if the policy
// allows that), without user information and fragment. The problem, if there is one,
// refuses.
// Rules: url-https, url-no-userinfo, url-no-fragment, url-loopback-exception.
func (u URL) Judge(p URLPolicy) *Problem {
	switch {
	case u.raw == "":
		return refuse(rules.URLParseStrict, "URL is empty")
	case u.user:
		return refuse(rules.URLNoUserinfo, "URL holds user information: "+quoted(u.Origin()+u.path+u.query))
	case u.fragment:
		return refuse(rules.URLNoFragment, "URL holds a fragment: "+quoted(u.raw))
	case u.scheme == "http" && !u.loopback:
		return refuse(rules.URLHTTPS, "URL is not https: "+quoted(u.raw))
	case u.scheme == "http" && !p.AllowLoopbackHTTP:
		return refuse(rules.URLHTTPS, "http on loopback is accepted only when the MCP server itself is loopback http: "+quoted(u.raw))
	}
	return nil
}

// String gives the URL as it was written; "" for the zero URL.
func (u URL) String() string { return u.raw }

// Origin gives scheme://host[:port], in lower case and without the default port
// (RFC 6454 §6.2); "" for the zero URL.
func (u URL) Origin() string {
	switch {
	case u.raw == "":
		return ""
	case u.port == "":
		return u.scheme + "://" + u.host
	}
	return u.scheme + "://" + u.host + ":" + u.port
}

// SameOrigin reports whether two URLs have the same origin.
func (u URL) SameOrigin(o URL) bool {
	return u.raw != "" && u.scheme == o.scheme && u.host == o.host && u.port == o.port
}

// Host gives the host in lower case, without its port; an IPv6 address in brackets.
func (u URL) Host() string { return u.host }

// User reports whether the URL holds user information.
func (u URL) User() bool { return u.user }

// EscapedPath gives the path as it was written, including its escapes.
func (u URL) EscapedPath() string { return u.path }

// Query gives the query as it was written, with its question mark; "" if there is
// none.
func (u URL) Query() string { return u.query }

// Loopback reports whether the host is 127.0.0.0/8, [::1] or localhost.
func (u URL) Loopback() bool { return u.loopback }

// LoopbackHTTP reports whether it is an http URL on loopback.
func (u URL) LoopbackHTTP() bool { return u.loopback && u.scheme == "http" }

// Canonical gives the canonical form of an MCP server's URL (MCP authorization,
// "Canonical Server URI"): scheme and host in lower case, no default port, user
// information and fragment removed, no slash if the path is otherwise empty; path and
// query are unchanged.
//
// Rules: authz-req-resource-canonical.
func (u URL) Canonical() URL {
	u.user, u.fragment = false, false
	if u.path == "/" {
		u.path, u.sent = "", ""
	}
	u.raw = u.Origin() + u.path + u.query
	return u
}

// Root gives the origin as a URL.
func (u URL) Root() URL {
	u.raw = u.Origin()
	u.path, u.sent, u.query, u.user, u.fragment = "", "", "", false, false
	return u
}

// WithoutPort gives the URL without its port.
func (u URL) WithoutPort() string { return u.scheme + "://" + u.host + u.path + u.query }

// MarshalText gives the URL as it was written.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.raw), nil }

// UnmarshalText reads a URL; an empty text is the zero URL.
func (u *URL) UnmarshalText(b []byte) error {
	if *u = (URL{}); len(b) == 0 {
		return nil
	}
	read, bad := ParseURL(string(b))
	if bad != nil {
		return bad
	}
	*u = read
	return nil
}

// Equal compares as == does, for comparison packages that look into values.
func (u URL) Equal(o URL) bool { return u == o }

// Origin gives the origin of an address that only has to be named; "" if it is not an
// http or https URL.
func Origin(raw string) string {
	u, _ := ParseURL(raw)
	return u.Origin()
}

// IsLoopbackHTTP reports whether raw is an http URL on loopback.
func IsLoopbackHTTP(raw string) bool {
	u, _ := ParseURL(raw)
	return u.LoopbackHTTP()
}

// CanonicalServer reads an MCP server's URL and gives its canonical form
// (URL.Canonical).
func CanonicalServer(raw string) (URL, error) {
	u, bad := ParseURL(raw)
	if bad != nil {
		return URL{}, bad
	}
	return u.Canonical(), nil
}

func refuse(rule rules.ID, detail string) *Problem {
	return &Problem{Rule: rule, Detail: detail, Refuse: true}
}

// withoutUser removes what might be user information from a string that could not be
// parsed, so that a refusal never shows a password.
func withoutUser(raw string) string {
	i := strings.Index(raw, "//")
	if i < 0 {
		return raw
	}
	at := strings.LastIndexByte(raw, '@')
	if at < i {
		return raw
	}
	return raw[:i+2] + "…" + raw[at:]
}
