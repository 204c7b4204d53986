package trace

import (
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// mask replaces secrets by stand-ins: the same value always by the same stand-in, and
// different values by different ones.
type mask struct {
	known  map[string]string   // stand-ins by real value
	taken  map[string]struct{} // what is somebody's stand-in
	counts []count
	finder finder
	// careful looks for secrets in every text that is kept. Without it, texts are kept as
	// they are, and the whole line is searched afterwards.
	careful bool
	// whole says that the last body is one strict JSON object.
	whole bool
	// What both machines drew last; most steps draw nothing.
	drawnState, drawnVerifier wire.Secret
	// Buffers for taking responses apart and putting them together. They are used again,
	// because a machine keeps no slice of a response.
	room   []byte
	fields wire.Fields
	flat   bool // the body has one line
	proofs bool // the machine makes proofs, which hold nonces and dates of answers
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
	kindUserCode     = "user-code"
	kindAssertion    = "assertion"
	kindProof        = "proof"
	kindNonce        = "nonce"
	kindManage       = "registration-token"
	kindSeed         = "stile-trace-seed-of-thirty-two-characters"
	kindUser         = "user-info"
	kindQuery        = "query-value"

	// Names of people and processes.
	kindTenant    = "tenant"
	kindSubject   = "subject"
	kindAccount   = "account"
	kindHolder    = "holder"
	kindContact   = "contact"
	kindParameter = "parameter"
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

// person gives the stand-in of the name of a person or a computer. Such a name is no
// secret and is not searched for, but it does not belong in a public report.
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
		if m.known[s] == "" { // no secret has that name itself
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

// put is pair for a real value that is new. A value that is itself a stand-in (in a trace
// recorded from a trace) is no secret and is not searched for.
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
