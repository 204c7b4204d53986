package peer

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// repeated names the first parameter that appears twice (OAuth 2.1 §3.1, §3.2).
// resource may repeat by RFC 8707 §2 and is judged elsewhere.
func repeated(fs wire.Fields) string {
	for i, f := range fs {
		if f.Name == "resource" {
			continue
		}
		for _, g := range fs[:i] {
			if g.Name == f.Name {
				return f.Name
			}
		}
	}
	return ""
}

func value(fs wire.Fields, name string) string {
	v, _ := fs.Get(name)
	return v
}

func all(fs wire.Fields, name string) []string {
	var out []string
	for _, f := range fs {
		if f.Name == name {
			out = append(out, f.Value)
		}
	}
	return out
}

// scopes splits a scope parameter on spaces (RFC 6749 §3.3), dropping
// repetitions, keeping order. The result is false for octets outside the
// grammar.
func scopes(s string) ([]string, bool) {
	var out []string
	for w := range strings.SplitSeq(s, " ") {
		if w == "" || slices.Contains(out, w) {
			continue
		}
		for i := range len(w) {
			if c := w[i]; c < 0x21 || c == 0x22 || c == 0x5c || c > 0x7e {
				return nil, false
			}
		}
		out = append(out, w)
	}
	return out, true
}

// within says that every element of a is in b.
func within(a, b []string) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

// split takes an absolute URL apart without rewriting any of it.
func split(raw string) (origin, path, query string) {
	rest := raw
	if i := strings.Index(raw, "://"); i >= 0 {
		rest = raw[i+3:]
	}
	n := strings.IndexAny(rest, "/?#")
	if n < 0 {
		return raw, "", ""
	}
	origin = raw[:len(raw)-len(rest)+n]
	rest = rest[n:]
	rest, _, _ = strings.Cut(rest, "#")
	path, query, _ = strings.Cut(rest, "?")
	return origin, path, query
}

// loopback says that a URL's host is a loopback name or literal.
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	switch u.Hostname() {
	case "127.0.0.1", "::1", "localhost":
		return true
	}
	return false
}

// sound says that a URL may be an endpoint, issuer or resource here: absolute,
// https (or http on loopback), with a host, without userinfo or fragment.
func sound(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.Contains(raw, "#") {
		return false
	}
	for i := range len(raw) {
		if c := raw[i]; c <= 0x20 || c == '\\' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			return false
		}
	}
	return strings.HasPrefix(raw, "https://") || strings.HasPrefix(raw, "http://") && loopback(raw)
}

// redirectMatches compares a requested redirect URI with a registered one:
// exactly, octet for octet (RFC 9700 §2.1), except that the port of a loopback
// address is free (RFC 8252 §7.3). The name localhost is treated alike, for
// the clients that insist on it.
func redirectMatches(registered, requested string) bool {
	if registered == requested {
		return true
	}
	a, okA := withoutPort(registered)
	b, okB := withoutPort(requested)
	return okA && okB && a == b
}

// withoutPort removes the port of a loopback http address from its text, so that
// nothing else is normalised.
func withoutPort(raw string) (string, bool) {
	rest, ok := strings.CutPrefix(raw, "http://")
	if !ok {
		return "", false
	}
	n := strings.IndexAny(rest, "/?#\\")
	if n < 0 {
		n = len(rest)
	}
	host, tail := rest[:n], rest[n:]
	for _, name := range []string{"127.0.0.1", "[::1]", "localhost"} {
		port, ok := strings.CutPrefix(host, name)
		if !ok {
			continue
		}
		if port == "" {
			return name + tail, true
		}
		digits, ok := strings.CutPrefix(port, ":")
		if !ok || digits == "" || len(digits) > 5 || strings.Trim(digits, "0123456789") != "" {
			return "", false
		}
		return name + tail, true
	}
	return "", false
}
