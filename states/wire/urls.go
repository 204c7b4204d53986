package wire

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// URLPolicy says which URLs may be used at all.
type URLPolicy struct {
	// AllowLoopbackHTTP accepts http for 127.0.0.0/8, [::1] and localhost
	// (rule url-loopback-exception). Nothing accepts http elsewhere.
	AllowLoopbackHTTP bool
}

// maxURL bounds the length of a URL that is looked at.
const maxURL = 8192

// CheckURL judges one absolute URL that a peer or the configuration named
// (docs/rules.md#group-14): parsable without doubt, https (or loopback http where
// the policy says so), a host, no user information, no fragment. The problem,
// if any, refuses.
// Rules: url-parse-strict, url-scheme-allowlist, url-https, url-no-userinfo,
// url-no-fragment, url-loopback-exception.
//
// Rules: url-loopback-exception.
func CheckURL(raw string, p URLPolicy) *Problem {
	u, bad := parseURL(raw)
	if bad != nil {
		return bad
	}
	switch {
	case u.hasUser:
		return refuse(rules.URLNoUserinfo, "URL holds user information: "+quoted(u.redacted()))
	case u.hasFragment:
		return refuse(rules.URLNoFragment, "URL holds a fragment: "+quoted(raw))
	case u.scheme == "http" && !u.loopback:
		return refuse(rules.URLHTTPS, "URL is not https: "+quoted(raw))
	case u.scheme == "http" && !p.AllowLoopbackHTTP:
		return refuse(rules.URLHTTPS, "http on loopback is accepted only when the MCP server itself is loopback http: "+quoted(raw))
	}
	return nil
}

// IsLoopbackHTTP reports whether raw is an http URL of 127.0.0.0/8, [::1] or
// localhost, and sound otherwise.
func IsLoopbackHTTP(raw string) bool {
	u, bad := parseURL(raw)
	return bad == nil && u.scheme == "http" && u.loopback
}

// Origin returns scheme://host[:port] of a URL, in lower case and without the
// default port (RFC 6454 §6.2); "" when raw is no http or https URL.
func Origin(raw string) string {
	u, bad := parseURL(raw)
	if bad != nil {
		return ""
	}
	return u.origin()
}

// CanonicalServer returns the canonical form of an MCP server's URL (MCP
// authorization, "Canonical Server URI"): scheme and host in lower case, no
// default port, user information and fragment removed, no slash where the path
// is otherwise empty; path and query as they stand.
// Rule: authz-req-resource-canonical.
//
// Rules: authz-req-resource-canonical.
func CanonicalServer(raw string) (string, error) {
	u, bad := parseURL(raw)
	if bad != nil {
		return "", bad
	}
	path := u.path
	if path == "/" {
		path = ""
	}
	return u.origin() + path + u.query, nil
}

// parts is a URL taken apart. path and query are the bytes as received.
type parts struct {
	raw                  string
	scheme, host, port   string // lower case; port "" when it is the default one
	path, query          string // query with its "?"
	hasUser, hasFragment bool
	loopback             bool
}

func (u *parts) origin() string {
	if u.port == "" {
		return u.scheme + "://" + u.host
	}
	return u.scheme + "://" + u.host + ":" + u.port
}

// redacted is the URL without its user information.
func (u *parts) redacted() string { return u.origin() + u.path + u.query }

func refuse(rule rules.ID, detail string) *Problem {
	return &Problem{Rule: rule, Detail: detail, Refuse: true}
}

// parseURL takes an absolute http or https URL apart. net/url does the parsing
// (the drivers dial what net/url reads, so no second opinion can arise), but
// for the usual URL, which can be read in one way only; before and after it
// everything is refused that two parsers might read differently.
func parseURL(raw string) (parts, *Problem) {
	u := parts{raw: raw}
	strict := func(why string) (parts, *Problem) {
		return u, refuse(rules.URLParseStrict, why+": "+quoted(withoutUser(raw)))
	}
	if raw == "" {
		return u, refuse(rules.URLParseStrict, "URL is empty")
	}
	if len(raw) > maxURL {
		return strict("URL is longer than 8192 bytes")
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f:
			return strict("URL holds white space or a control character")
		case c > 0x7f:
			return strict("URL holds a character outside ASCII")
		case c == '\\' || c == '"' || c == '<' || c == '>' || c == '`':
			return strict("URL holds a character that no URL has")
		case c == '%' && (i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2])):
			return strict("URL holds a broken percent escape")
		}
	}
	var parsed *url.URL
	if u.scheme = plainURL(raw); u.scheme == "" {
		var err error
		if parsed, err = url.Parse(raw); err != nil {
			return strict("URL cannot be parsed")
		}
		u.scheme = parsed.Scheme
		switch {
		case u.scheme == "":
			return strict("URL is not absolute")
		case u.scheme != "https" && u.scheme != "http":
			return u, refuse(rules.URLSchemeAllowlist, "URL scheme is neither https nor http: "+quoted(withoutUser(raw)))
		case parsed.Opaque != "" || !strings.HasPrefix(raw[len(u.scheme)+1:], "//"):
			return strict("URL has no host")
		}
	}
	rest := raw[len(u.scheme)+len("://"):]
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		u.hasFragment, rest = true, rest[:i]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		u.query, rest = rest[i:], rest[:i]
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		u.path, rest = rest[i:], rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		u.hasUser, rest = true, rest[i+1:]
	}
	if parsed != nil && (parsed.Host != rest || u.hasUser != (parsed.User != nil)) {
		return strict("URL authority can be read in two ways")
	}
	if why := u.authority(rest); why != "" {
		return strict(why)
	}
	return u, nil
}

// plainURL gives the scheme of a URL that is read in one way only, "" for every
// other: https:// or http:// in lower case, then a host of letters, digits,
// dots, hyphens and underscores with at most one colon and digits after it.
// net/url takes every such URL whose percent escapes are whole, and its host is
// what stands there; a fuzz target holds the two against each other.
func plainURL(raw string) (scheme string) {
	rest, ok := strings.CutPrefix(raw, "https://")
	if scheme = "https"; !ok {
		if rest, ok = strings.CutPrefix(raw, "http://"); !ok {
			return ""
		}
		scheme = "http"
	}
	port := false
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c >= '0' && c <= '9':
		case c == ':' && !port && i > 0:
			port = true
		case c == '/' || c == '?' || c == '#':
			return ifHost(scheme, i)
		case port, c != '.' && c != '-' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z'):
			return ""
		}
	}
	return ifHost(scheme, len(rest))
}

func ifHost(scheme string, host int) string {
	if host == 0 {
		return ""
	}
	return scheme
}

// authority judges host and port and keeps them; it returns what is wrong.
func (u *parts) authority(s string) string {
	host, port := s, ""
	hasPort := false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "URL host is not an address"
		}
		host = s[:end+1]
		if rest := s[end+1:]; rest != "" {
			port, hasPort = strings.CutPrefix(rest, ":")
			if !hasPort {
				return "URL host is not an address"
			}
		}
		addr, err := netip.ParseAddr(host[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "URL host is not an IPv6 address"
		}
		u.loopback = addr == netip.IPv6Loopback()
		u.host = strings.ToLower(host)
	} else {
		host, port, hasPort = strings.Cut(s, ":")
		u.host = strings.ToLower(host)
		if why := hostName(u.host); why != "" {
			return why
		}
		u.loopback = u.host == "localhost" || strings.HasPrefix(u.host, "127.") && endsInNumber(u.host)
	}
	if !hasPort {
		return ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' || port[0] == '0' {
		return "URL port is not a number from 1 to 65535"
	}
	if !(u.scheme == "https" && n == 443 || u.scheme == "http" && n == 80) {
		u.port = port
	}
	return ""
}

// hostName judges a host in lower case that is not in brackets: letters,
// digits, hyphens, underscores and dots, no empty label; what looks like an
// IPv4 address must be the plain dotted form.
func hostName(h string) string {
	if h == "" {
		return "URL host is empty"
	}
	if len(h) > 255 {
		return "URL host is too long"
	}
	prev := byte('.')
	for i := 0; i < len(h); i++ {
		c := h[i]
		switch {
		case c == '.' && prev == '.':
			return "URL host has an empty label"
		case c == '.', c == '-', c == '_', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			return "URL host holds a character that no host name has"
		}
		prev = c
	}
	if endsInNumber(h) {
		if a, err := netip.ParseAddr(h); err != nil || !a.Is4() {
			return "URL host is an odd form of an IPv4 address"
		}
	}
	return ""
}

// endsInNumber reports whether the last label is a number in any notation that
// some resolver reads as part of an IPv4 address.
func endsInNumber(h string) bool {
	h = strings.TrimSuffix(h, ".")
	last := h[strings.LastIndexByte(h, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// withoutUser cuts what might be user information out of a string that could
// not be parsed, so that a refusal never shows a password.
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
