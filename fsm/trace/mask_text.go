package trace

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// keep returns a text unchanged, except for secrets in it.
func (m *mask) keep(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if !m.careful || m.finder.empty() {
		return s
	}
	for range maxHits {
		at, secret := m.finder.find(s)
		switch {
		case secret == "" && !m.finder.holds([]byte(s)):
			return s
		case secret == "":
			return m.pieces(s)
		}
		s = s[:at] + m.known[secret] + s[at+len(secret):]
	}
	return freeText(len(s))
}

// pieces replaces the words of a text that hold a secret in some encoding; of an address,
// only the part that does. The replacement is the stand-in of that secret, so that the
// shadow notices, as the machine did, that a secret is quoted.
func (m *mask) pieces(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		if !m.finder.holds([]byte(w)) {
			continue
		}
		out := ""
		for w != "" {
			end := strings.IndexAny(w, "/?#")
			if end < 0 {
				end = len(w)
			}
			out += m.quoted(w[:end])
			out, w = out+w[end:min(end+1, len(w))], w[min(end+1, len(w)):]
		}
		if m.finder.holds([]byte(out)) { // the secret extends over several parts
			at := originLen(words[i])
			out = m.quoted(words[i][:at]) + m.quoted(words[i][at:])
		}
		words[i] = out
	}
	if s = strings.Join(words, " "); m.finder.holds([]byte(s)) {
		return freeText(len(s))
	}
	return s
}

// originLen is the length of an address up to its path; of any other text, its length.
func originLen(s string) int {
	_, rest, _ := strings.Cut(s, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return len(s) - len(rest) + i + len("/")
	}
	return len(s)
}

// quoted replaces a text by the stand-ins of the secrets in it, followed by those of its
// signs that no address or scope may have.
func (m *mask) quoted(s string) string {
	secrets := m.finder.named(s)
	if len(secrets) == 0 {
		return s
	}
	var out []string
	for _, secret := range secrets {
		out = append(out, url.PathEscape(m.known[secret]))
	}
	stands := strings.Join(out, "-")
	for _, r := range s {
		if (r < ' ' || r >= 0x7f || strings.ContainsRune(`"\#<>^{}|`+"`", r)) && !strings.ContainsRune(stands, r) {
			stands += string(r)
		}
	}
	return stands
}

// maxHits bounds how many secrets are replaced in one text. A text with more is not kept.
const maxHits = 16

// keepAll is keep for a list, which is copied only when something changes.
func (m *mask) keepAll(list []string) []string {
	for i, s := range list {
		if k := m.keep(s); k != s {
			out := append([]string{}, list...)
			for j := i; j < len(out); j++ {
				out[j] = m.keep(out[j])
			}
			return out
		}
	}
	return list
}

// freeText replaces a text that no row reads by its length.
func freeText(n int) string {
	if n == 0 {
		return ""
	}
	return "text(" + strconv.Itoa(n) + ")"
}

// ident keeps a name of the protocol (an error code, a token type, a media type). Any
// other text is replaced by its length. It never turns one known name into another, and
// never keeps a random value.
func (m *mask) ident(s string) string {
	if isIdent(s) {
		return m.keep(s)
	}
	return freeText(len(s))
}

// isIdent reports whether a word has the form of codes and types: letters, with few
// digits and only after a letter.
func isIdent(s string) bool {
	if s == "" || len(s) > 48 {
		return false
	}
	digits, upper := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= '0' && c <= '9' && i > 0:
			digits++
		case (c == '_' || c == '-' || c == '.' || c == '/' || c == '+') && i > 0:
		default:
			return false
		}
	}
	return digits <= 6 && upper <= 6
}

// phrases are the parts of a driver's or a store's detail that are kept: they are this
// project's own words, and say what went wrong without any name.
var phrases = []string{
	"did not answer within the time allowed", "within the time allowed", "could not be resolved", "does not exist",
	"connection refused", "no route", "the connection was closed", "the connection could not be made",
	"signed by an authority that is not trusted here", "the certificate is for another name",
	"the certificate has expired or is not yet valid", "plain HTTP is spoken on the HTTPS port",
	"no TLS connection", "not valid HTTP", "was lost", "more than", "past its time", "private address", "link-local",
	"permission denied", "no space left", "read-only", "locked", "deadline exceeded", "authentication failed", "wrong key",
}

// detail keeps those parts of a driver's text that are in phrases.
func detail(s string) string {
	if s == "" {
		return ""
	}
	out := ""
	for _, p := range phrases {
		if strings.Contains(s, p) && !strings.Contains(out, p) {
			if out != "" {
				out += "; "
			}
			out += p
		}
	}
	if out == "" {
		return freeText(len(s))
	}
	return out
}
