package trace

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stile-oauth/stile/states/wire"
)

// mask exchanges secrets for stand-ins: the same value always for the same,
// different values for different ones.
type mask struct {
	known  map[string]string   // stand-ins by real value
	taken  map[string]struct{} // what is somebody's stand-in
	counts []count
	finder finder
	// careful looks for secrets in every text that is kept. Without it a text is
	// taken for innocent, and the line that comes of it is searched as a whole.
	careful bool
	// whole says that the body given back last is one strict JSON object.
	whole bool
	// What both machines drew last, which most steps leave as it is.
	drawnState, drawnVerifier wire.Secret
	// Where one response after another is taken apart and put together: a
	// machine keeps no slice of a response.
	room   []byte
	fields wire.Fields
	flat   bool // the body has one line
}

type count struct {
	kind string
	n    int
}

// The kinds of secret, as the stand-ins name them.
const (
	kindAccess       = "access"
	kindRefresh      = "refresh"
	kindCode         = "code"
	kindState        = "state"
	kindVerifier     = "verifier"
	kindClientSecret = "client-secret"
	kindInitial      = "initial-token"
	kindManage       = "registration-token"
	kindSeed         = "stile-trace-seed-of-thirty-two-characters"
	kindUser         = "user-info"
	kindQuery        = "query-value"
	kindText         = "text"

	// Names of people and processes.
	kindTenant  = "tenant"
	kindSubject = "subject"
	kindAccount = "account"
	kindHolder  = "holder"
)

func newMask() mask {
	return mask{known: make(map[string]string), taken: make(map[string]struct{}), counts: make([]count, 0, 8)}
}

// sub gives the stand-in of a secret. An empty one stays empty.
func (m *mask) sub(kind, real string) string {
	if real == "" {
		return ""
	}
	if s := m.known[real]; s != "" {
		return s
	}
	s := m.fresh(kind) + class(real)
	if len(real) > maxCounted {
		s += strings.Repeat("x", maxCounted+1-len(s))
	}
	m.put(real, s)
	return s
}

func (m *mask) secret(kind string, real wire.Secret) wire.Secret {
	return wire.Secret(m.sub(kind, real.Reveal()))
}

// person gives the stand-in of a name of somebody or of some machine. It opens
// nothing and is not searched for, and has no place in a public report.
func (m *mask) person(kind, real string) string {
	if real == "" {
		return ""
	}
	key := kind + "\x00" + real
	if s := m.known[key]; s != "" {
		return s
	}
	s := m.fresh(kind)
	m.known[key], m.taken[s] = s, struct{}{}
	return s
}

// maxCounted is the length beyond which the parsers of wire refuse a secret.
const maxCounted = 8192

// fresh gives the next name of a kind.
func (m *mask) fresh(kind string) string {
	at := -1
	for i := range m.counts {
		if m.counts[i].kind == kind {
			at = i
		}
	}
	if at < 0 {
		at = len(m.counts)
		m.counts = append(m.counts, count{kind: kind})
	}
	for {
		m.counts[at].n++
		s := first(kind)
		if s == "" || m.counts[at].n > 1 {
			s = kind + "-" + strconv.Itoa(m.counts[at].n)
		}
		if _, taken := m.taken[s]; !taken && m.known[s] == "" {
			return s
		}
	}
}

// first gives the first name of the kinds that every login has.
func first(kind string) string {
	switch kind {
	case kindAccess:
		return kindAccess + "-1"
	case kindRefresh:
		return kindRefresh + "-1"
	case kindCode:
		return kindCode + "-1"
	case kindManage:
		return kindManage + "-1"
	case kindHolder:
		return kindHolder + "-1"
	case kindSeed:
		return kindSeed + "-1"
	}
	return ""
}

// pair records which stand-in belongs to a real value.
func (m *mask) pair(real, as string) {
	if real == "" {
		return
	}
	if m.known[real] == "" {
		m.put(real, as)
	}
}

// put is pair for a real value that is new. One that is itself somebody's
// stand-in (a trace recorded from a trace) opens nothing and is not searched
// for.
func (m *mask) put(real, as string) {
	if _, taken := m.taken[real]; !taken && real != as {
		m.finder.learn(real)
	}
	m.known[real], m.taken[as] = as, struct{}{}
}

// class is what decisions depend on in a secret, as a suffix of the stand-in:
// whether it holds a control character, a space, an octet that no token has,
// one outside ASCII, or one that form-encoding changes.
func class(s string) string {
	if unreserved(s) {
		return ""
	}
	var control, space, odd, wide, encoded bool
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
			control = true
		case c == ' ':
			space = true
		case c > 0x7f:
			wide = true
		case c == '+' || c == '/' || c == '=':
			encoded = true
		case !unreservedByte[c]:
			odd = true
		}
	}
	out := ""
	for _, k := range [...]struct {
		is bool
		as string
	}{{encoded, "+"}, {odd, "@"}, {wide, "é"}, {space, " x"}, {control, "\x01"}} {
		if k.is {
			out += k.as
		}
	}
	return out
}

// keep gives back a text that stays as it is, but for secrets in it.
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

// pieces exchanges those words of a text that hold a secret in some encoding.
func (m *mask) pieces(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		if m.finder.holds([]byte(w)) {
			words[i] = m.sub(kindText, w)
		}
	}
	if s = strings.Join(words, " "); m.finder.holds([]byte(s)) {
		return freeText(len(s))
	}
	return s
}

// maxHits bounds how many secrets of one text are exchanged; a text with more
// is not kept.
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

// freeText stands for a text that no row reads: only its length is told.
func freeText(n int) string {
	if n == 0 {
		return ""
	}
	return "text(" + strconv.Itoa(n) + ")"
}

// ident keeps a name of the protocol (an error code, a token type, a media
// type); any other text becomes its length. It never turns one known name into
// another, and never leaves room for a random value.
func (m *mask) ident(s string) string {
	if isIdent(s) {
		return m.keep(s)
	}
	return freeText(len(s))
}

// isIdent is a word of letters, with digits only behind a letter and in small
// number, as codes and types are.
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

// phrases are the parts of a driver's or a store's detail that are kept: they
// are this project's own words, and say what went wrong without naming anybody.
var phrases = []string{
	"did not answer within the time allowed", "within the time allowed", "could not be resolved", "does not exist",
	"connection refused", "no route", "the connection was closed", "the connection could not be made",
	"signed by an authority that is not trusted here", "the certificate is for another name",
	"the certificate has expired or is not yet valid", "plain HTTP is spoken on the HTTPS port",
	"no TLS connection", "not valid HTTP", "was lost", "more than", "past its time", "private address", "link-local",
	"permission denied", "no space left", "read-only", "locked", "deadline exceeded", "authentication failed", "wrong key",
}

// detail keeps what is of the fixed vocabulary in a text of the driver.
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
