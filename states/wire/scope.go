package wire

import (
	"slices"
	"strings"
)

// ParseScope splits a scope value (RFC 6749 §3.3) at spaces and only there: a
// comma is legal inside a scope-token. Empty pieces, duplicates and tokens with
// octets outside %x21 / %x23-5B / %x5D-7E are left out; the order is kept.
//
// Rules: challenge-scope-charset, authz-req-scope-syntax.
func ParseScope(s string) []string {
	if s == "" {
		return nil
	}
	out := make([]string, 0, min(strings.Count(s, " ")+1, 32))
	var set scopeSet
	for tok := range strings.SplitSeq(s, " ") {
		if tok != "" && scopeToken(tok) && set.add(out, tok) {
			out = append(out, tok)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// scopeToken reports whether s holds only octets of a scope-token.
func scopeToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// scopeSet remembers tokens. A short slice is searched directly; the map is used when a
// peer sends many tokens.
type scopeSet map[string]struct{}

func (s *scopeSet) add(have []string, tok string) bool {
	if *s == nil {
		if len(have) < 32 {
			return !slices.Contains(have, tok)
		}
		*s = make(scopeSet, 2*len(have))
		for _, h := range have {
			(*s)[h] = struct{}{}
		}
	}
	if _, dup := (*s)[tok]; dup {
		return false
	}
	(*s)[tok] = struct{}{}
	return true
}

// JoinScope writes scope-tokens as one scope value.
func JoinScope(scopes []string) string { return strings.Join(scopes, " ") }

// Union returns the scopes of a in their order, then those that b adds. The result
// shares no memory with a or b (rule stepup-union).
func Union(a, b []string) []string {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := make([]string, 0, len(a)+len(b))
	var set scopeSet
	for _, list := range [2][]string{a, b} {
		for _, tok := range list {
			if set.add(out, tok) {
				out = append(out, tok)
			}
		}
	}
	return out
}

// Covers reports whether have contains every scope of want. It assumes no hierarchy
// among scopes.
func Covers(have, want []string) bool { return len(Missing(have, want)) == 0 }

// Missing returns the scopes of want that have lacks, in want's order.
func Missing(have, want []string) []string {
	var out []string
	var set, seen scopeSet
	for _, tok := range want {
		if !set.knows(have, tok) && seen.add(out, tok) {
			out = append(out, tok)
		}
	}
	return out
}

func (s *scopeSet) knows(have []string, tok string) bool {
	if *s == nil {
		if len(have) < 32 {
			return slices.Contains(have, tok)
		}
		*s = make(scopeSet, len(have))
		for _, h := range have {
			(*s)[h] = struct{}{}
		}
	}
	_, ok := (*s)[tok]
	return ok
}

// EqualScopes reports whether a and b are the same set.
func EqualScopes(a, b []string) bool { return Covers(a, b) && Covers(b, a) }

// OfflineAccess is the scope with which a client asks for a refresh token (OpenID Connect
// Core §11). It is not a permission at the resource.
const OfflineAccess = "offline_access"

// WithoutOfflineAccess gives the other scopes, in a new list.
func WithoutOfflineAccess(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == OfflineAccess })
}
