package trace

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// redirected replaces the parts of a callback address. What is compared with the redirect
// URI stays comparable, state and code get their stand-ins, iss and an error code are
// kept, and everything else is replaced by its length.
func (m *mask) redirected(real string, redirectURI string) string {
	at := strings.TrimSpace(real)
	long := len(at) > 64<<10
	at, _, fragment := strings.Cut(at, "#")
	base, query, has := strings.Cut(at, "?")
	if !wire.SameRedirect(redirectURI, real) {
		base = foreign(base, redirectURI)
	} else {
		base = m.keep(base)
	}
	b := append(make([]byte, 0, 256), base...)
	if has {
		b = append(b, '?')
		own := ownPieces(redirectURI)
		for i := 0; has; i++ {
			var piece string
			piece, query, has = strings.Cut(query, "&")
			if i > 0 {
				b = append(b, '&')
			}
			if i > maxPieces {
				break
			}
			b = m.piece(b, piece, own)
		}
	}
	if fragment {
		b = append(b, "#text"...)
	}
	if long {
		b = append(append(b, "&x="...), strings.Repeat("x", 64<<10)...)
	}
	return string(b)
}

const maxPieces = 256

// ownPieces are the pieces of the redirect URI's own query.
func ownPieces(redirectURI string) []string {
	_, query, has := strings.Cut(redirectURI, "?")
	if !has {
		return nil
	}
	return strings.Split(query, "&")
}

// foreign replaces an address that is not the redirect URI by its origin, if it has one,
// and a path that is no callback's.
func foreign(base, redirectURI string) string {
	out := wire.Origin(base)
	if out == "" {
		out = "http://elsewhere.invalid"
	}
	out += "/elsewhere"
	for wire.SameRedirect(redirectURI, out) {
		out += "/elsewhere"
	}
	return out
}

// piece writes one name=value of a callback's query.
func (m *mask) piece(b []byte, piece string, own []string) []byte {
	if slices.Contains(own, piece) {
		return append(b, piece...)
	}
	rawName, rawValue, has := strings.Cut(piece, "=")
	name, err := url.QueryUnescape(rawName)
	if err != nil {
		return append(b, "%zz"...)
	}
	value, err := url.QueryUnescape(rawValue)
	if err != nil {
		return append(appendEscaped(b, m.ident(name)), "=%zz"...)
	}
	switch name {
	case "state":
		value = m.sub(kindState, value)
	case "code":
		value = m.sub(kindCode, value)
	case "iss":
		value = m.keep(value)
	case "error":
		value = m.ident(value)
	default:
		name, value = m.ident(name), freeText(len(value))
	}
	b = appendEscaped(b, name)
	if has {
		b = appendEscaped(append(b, '='), value)
	}
	return b
}

// appendEscaped writes a part of a query as forms do.
func appendEscaped(b []byte, s string) []byte {
	if !unreserved(s) {
		s = url.QueryEscape(s)
	}
	return append(b, s...)
}

// secretNames are the query parameters of a configured address whose values are treated
// as secrets.
var secretNames = []string{"token", "key", "secret", "auth", "pass", "pwd", "sig", "credential", "code"}

// address replaces the secrets in an address of the configuration: user information, and
// the values of parameters with such a name.
func (m *mask) address(raw string) string {
	if scheme, rest, ok := strings.Cut(raw, "://"); ok {
		end := strings.IndexAny(rest+"/", "/?#")
		if i := strings.LastIndexByte(rest[:end], '@'); i >= 0 {
			raw = scheme + "://" + m.sub(kindUser, rest[:i]) + rest[i:]
		}
	}
	_, query, _ := strings.Cut(raw, "?")
	for piece := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(piece, "=")
		if searchable(value) && slices.ContainsFunc(secretNames, func(s string) bool { return strings.Contains(strings.ToLower(name), s) }) {
			m.sub(kindQuery, value)
		}
	}
	return m.keep(raw)
}

// manageURI is the address of a registration, which may hold a secret in its
// path: only its origin stays.
func (m *mask) manageURI(raw string) string {
	if o := wire.Origin(raw); o != "" && wire.CheckURL(raw, wire.URLPolicy{AllowLoopbackHTTP: true}) == nil {
		return o + "/registration"
	}
	return freeText(len(raw))
}

// config replaces the secrets in a configuration, and the names of people and processes.
func (m *mask) config(real *states.Config) *states.Config {
	c := *real
	c.Server = m.address(c.Server)
	c.Tenant, c.Subject = m.person(kindTenant, c.Tenant), m.person(kindSubject, c.Subject)
	c.Account, c.Holder = m.person(kindAccount, c.Account), m.person(kindHolder, c.Holder)
	c.Profile.Contacts = slices.Clone(c.Profile.Contacts)
	for i, contact := range c.Profile.Contacts {
		c.Profile.Contacts[i] = m.person(kindContact, contact)
	}
	c.Parameters = slices.Clone(c.Parameters)
	for i, p := range c.Parameters {
		c.Parameters[i] = states.Parameter{Name: m.keep(p.Name), Value: m.person(kindParameter, p.Value)}
	}
	c.StatePrefix = m.keep(c.StatePrefix)
	c.Issuer, c.Issuers = m.keep(c.Issuer), m.keepAll(c.Issuers)
	c.InitialToken = m.secret(kindInitial, c.InitialToken)
	if c.Client != nil {
		k := *c.Client
		k.Secret = m.secret(kindClientSecret, k.Secret)
		c.Client = &k
	}
	if c.Provider != nil {
		k := *c.Provider
		k.Secret = m.secret(kindClientSecret, k.Secret)
		c.Provider = &k
	}
	if c.Key != nil {
		k := *c.Key
		k.Name, k.Alg, k.ID, k.Keys = m.keep(k.Name), m.ident(k.Alg), m.keep(k.ID), m.keep(k.Keys)
		c.Key = &k
	}
	if c.ProofKey != nil {
		k := *c.ProofKey
		k.Name, k.Alg, k.Public, k.Thumbprint = m.keep(k.Name), m.keep(k.Alg), m.keep(k.Public), m.keep(k.Thumbprint)
		m.proofs = true
		c.ProofKey = &k
	}
	c.Quirks = slices.Clone(c.Quirks)
	for i := range c.Quirks {
		c.Quirks[i].Values = slices.Clone(c.Quirks[i].Values)
		for j, v := range c.Quirks[i].Values {
			c.Quirks[i].Values[j] = m.address(v)
		}
	}
	c.Resource, _ = wire.ParseURL(m.address(c.Resource.String()))
	return &c
}
