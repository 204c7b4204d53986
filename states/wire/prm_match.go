package wire

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// MatchResource compares a published `resource` with the reference identity of a probe
// and names the matching row of docs/decision-tables.md#t4: identical (#t4-1); different
// by one trailing slash (#t4-2); different by the case of scheme or host, the default
// port, or the spelling of a percent escape (#t4-3); a parent path of the same origin on
// a segment boundary (#t4-4). Everything else is a problem (#t4-5 another path, #t4-6
// another origin, #t4-7 not a URL). With strict only #t4-1 is accepted.
// Rules: prm-resource-match-wellknown, prm-resource-slash, prm-resource-prefix,
// prm-resource-cross-origin, prm-resource-syntax.
func MatchResource(ref URL, published string, strict bool) (tier string, p *Problem) {
	if published == ref.raw && published != "" { // the zero URL is not an address
		return "#t4-1", nil
	}
	both := "resource is " + quoted(published) + ", asked for " + quoted(ref.raw)
	pub, bad := ParseURL(published)
	if bad != nil {
		return "#t4-7", &Problem{Rule: rules.PRMResourceSyntax, Detail: both}
	}
	if !pub.SameOrigin(ref) {
		return "#t4-6", &Problem{Rule: rules.PRMResourceCrossOrigin, Detail: both, Plain: pub.plainFormOf(ref)}
	}
	if pub.fragment || pub.user {
		return "#t4-7", &Problem{Rule: rules.PRMResourceSyntax, Detail: both}
	}
	path, asked := normalEscapes(pub.sent), normalEscapes(ref.sent)
	switch {
	case oneSlashApart(published, ref.raw):
		tier = "#t4-2"
	case normalEscapes(pub.query) == normalEscapes(ref.query) && (path == asked || oneSlashApart(path, asked)):
		tier = "#t4-3"
	case pub.query == "" && pathPrefix(path, asked):
		tier = "#t4-4"
	default:
		return "#t4-5", &Problem{Rule: rules.PRMResourceMatchWellknown, Detail: both}
	}
	if strict {
		return tier, &Problem{Rule: rules.PRMResourceMatchWellknown, Detail: both + " (only an identical resource is accepted)"}
	}
	return tier, nil
}

// plainFormOf reports whether u is http at the same host as an https address.
func (u URL) plainFormOf(other URL) bool {
	return u.scheme == "http" && other.scheme == "https" && u.host == other.host
}

// oneSlashApart reports whether a and b differ by exactly one trailing slash.
func oneSlashApart(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	return len(a) == len(b)+1 && a[len(b)] == '/' && a[:len(b)] == b
}

// pathPrefix reports whether prefix is path or a parent of it, on a segment boundary.
func pathPrefix(prefix, path string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
