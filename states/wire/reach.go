package wire

import (
	"net/url"
	"slices"
	"strings"
)

// Reach is where a token may be sent: one origin and, unless it is the whole origin,
// one path there with everything below it (rule bearer-bound-resource).
//
//	reach := u.Reach()              // u and below
//	reach.Allows(request.URL)
//
// Paths are compared in their escaped form, as they are sent. Two differences do not
// count, since RFC 3986 §6.2.2 calls them equivalent: the case of an escape's digits,
// and the escape of a character that needs none. An escaped slash is not a slash, so a
// token for /a/b is never sent to /a%2Fb.
type Reach struct {
	scheme, host, port string
	path               string   // in normal form, without a slash at its end; "" for the whole origin
	query              []string // the parts that a request must contain
	here               bool     // only that address, and nothing below it
}

// Reach gives the address and everything below it, on a segment boundary. If the
// address has a query, each part of it must be in the query of the request too.
func (u URL) Reach() Reach {
	r := u.OriginReach()
	r.path = strings.TrimSuffix(normalPath(u.sent), "/")
	for piece := range strings.SplitSeq(strings.TrimPrefix(u.query, "?"), "&") {
		if piece != "" {
			r.query = append(r.query, normalEscapes(piece))
		}
	}
	return r
}

// ReachHere gives only that address: nothing below it, and no other query.
func (u URL) ReachHere() Reach {
	r := u.Reach()
	r.here = true
	return r
}

// Exact reports whether the reach is a single address.
func (r Reach) Exact() bool { return r.here }

// OriginReach gives every address of the origin.
func (u URL) OriginReach() Reach { return Reach{scheme: u.scheme, host: u.host, port: u.port} }

// Allows reports whether a token with this reach may be sent to u. It is not sent to an
// address that may climb out of the path, because some server could see a ".." in it.
func (r Reach) Allows(u *url.URL) bool {
	if !r.SameOrigin(u) {
		return false
	}
	if r.path == "" && !r.here && len(r.query) == 0 {
		return true
	}
	p := normalPath(u.EscapedPath())
	if r.here {
		p = strings.TrimSuffix(p, "/")
	}
	switch {
	case climbs(u.Path), !strings.HasPrefix(p, r.path):
		return false
	case len(p) != len(r.path) && (r.here || p[len(r.path)] != '/'):
		return false
	}
	return r.holdsQuery(u.RawQuery)
}

// SameOrigin reports whether u is unambiguously an address of the origin.
func (r Reach) SameOrigin(u *url.URL) bool {
	if u.Opaque != "" || u.Scheme != r.scheme || r.scheme == "" {
		return false
	}
	host, port := u.Host, r.port
	if port == "" {
		if port = "443"; r.scheme == "http" {
			port = "80"
		}
		if strings.EqualFold(host, r.host) {
			return true
		}
	}
	n := len(host) - len(port) - 1
	return n > 0 && host[n] == ':' && host[n+1:] == port && strings.EqualFold(host[:n], r.host)
}

// holdsQuery reports whether each part of our query is in another query, at least as
// often as in ours.
func (r Reach) holdsQuery(raw string) bool {
	if len(r.query) == 0 {
		return !r.here || raw == ""
	}
	have := strings.Split(raw, "&")
	for i := range have {
		have[i] = normalEscapes(have[i])
	}
	if r.here {
		return slices.Equal(r.query, slices.DeleteFunc(have, func(s string) bool { return s == "" }))
	}
	for _, piece := range r.query {
		i := slices.Index(have, piece)
		if i < 0 {
			return false
		}
		have[i] = ""
	}
	return true
}

// normalPath gives an escaped path in normal form (RFC 3986 §6.2.2.1, §6.2.2.2). The
// empty path is the same as the root (§6.2.3).
func normalPath(escaped string) string {
	if escaped == "" {
		return "/"
	}
	return normalEscapes(escaped)
}

// normalEscapes writes the digits of percent escapes in upper case, and undoes the
// escapes of unreserved characters. Any other escape, such as %2F, is not equivalent to
// its character.
func normalEscapes(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		if s[i] != '%' || i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			b = append(b, s[i])
			continue
		}
		c := unhex(s[i+1])<<4 | unhex(s[i+2])
		if isUnreserved(c) {
			b = append(b, c)
		} else {
			const digits = "0123456789ABCDEF"
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
		i += 2
	}
	return string(b)
}

func isUnreserved(c byte) bool {
	return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// climbs reports whether a decoded path has a ".." segment. It also looks for one that is
// visible only to a server that decodes twice, reads a backslash as a slash, or cuts
// segments at ';'.
func climbs(p string) bool {
	for range 2 {
		for i := 0; i+1 < len(p); i++ {
			if p[i] != '.' || p[i+1] != '.' {
				continue
			}
			before, after := i == 0 || isSlash(p[i-1]), i+2 == len(p) || isSlash(p[i+2]) || p[i+2] == ';'
			if before && after {
				return true
			}
		}
		if strings.IndexByte(p, '%') < 0 {
			return false
		}
		again, err := url.PathUnescape(p)
		if err != nil {
			return false
		}
		p = again
	}
	return false
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }
