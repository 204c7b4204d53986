package trace

import (
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// header keeps the fields that decisions read, in a form that means the same. All others
// are left out.
func (m *mask) header(fs wire.Fields) wire.Fields {
	out := m.fields[:0]
	if out == nil {
		out = make(wire.Fields, 0, 4)
	}
	challenged := false
	for _, f := range fs {
		var name, value string
		switch {
		case strings.EqualFold(f.Name, "Content-Type"):
			name, value = "Content-Type", mediaType(strings.TrimSpace(f.Value))
		case strings.EqualFold(f.Name, "Cache-Control"):
			name, value = "Cache-Control", directives(strings.TrimSpace(f.Value))
		case strings.EqualFold(f.Name, "Retry-After"):
			name, value = "Retry-After", retryAfter(strings.TrimSpace(f.Value))
		case m.proofs && strings.EqualFold(f.Name, "Date"):
			name, value = "Date", retryAfter(strings.TrimSpace(f.Value))
		case m.proofs && strings.EqualFold(f.Name, "DPoP-Nonce"):
			name = "DPoP-Nonce"
			if value = wire.ProofNonce(wire.Response{Header: wire.Fields{f}}); value != "" {
				value = m.sub(kindNonce, value)
			}
		case strings.EqualFold(f.Name, "WWW-Authenticate"):
			if !challenged {
				challenged = true
				out = m.challenges(out, fs)
			}
			continue
		default:
			continue
		}
		out = append(out, wire.Field{Name: name, Value: m.keep(value)})
	}
	m.fields = out
	return out
}

// mediaType keeps a media type without its parameters.
func mediaType(v string) string {
	v, _, _ = strings.Cut(v, ";")
	v = strings.ToLower(strings.TrimSpace(v))
	if v == "" || isIdent(v) {
		return v
	}
	return "other/type"
}

// directives keeps the cache directives that are known.
func directives(whole string) string {
	if whole == "no-store" {
		return whole
	}
	v := whole
	var room [64]byte
	out := room[:0]
	for more := true; more; {
		var d string
		d, v, more = strings.Cut(v, ",")
		d = strings.ToLower(strings.TrimSpace(d))
		name, n, _ := strings.Cut(d, "=")
		switch name {
		case "no-store", "no-cache", "private", "public", "must-revalidate":
			d = name
		case "max-age":
			if len(n) > 10 || strings.Trim(n, "0123456789") != "" {
				continue
			}
		default:
			continue
		}
		if len(out) > 0 {
			out = append(out, ", "...)
		}
		out = append(out, d...)
	}
	if whole == string(out) {
		return whole
	}
	return string(out)
}

// retryAfter keeps a number of seconds or a date.
func retryAfter(v string) string {
	if strings.Trim(v, "0123456789") == "" {
		return v[:min(len(v), 20)]
	}
	for _, layout := range [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.Format(layout)
		}
	}
	return freeText(len(v))
}

// challenges rebuilds the challenges, one in each field. A challenge that could not be
// parsed becomes a field that cannot be parsed either, and a repeated parameter becomes
// one that repeats.
func (m *mask) challenges(out, fs wire.Fields) wire.Fields {
	all, found := wire.ParseChallenges(fs)
	before := len(out)
	for _, c := range all {
		out = append(out, wire.Field{Name: "WWW-Authenticate", Value: m.challenge(c)})
	}
	for _, f := range found {
		v := ""
		switch f.Rule {
		case rules.ChallengeGrammar:
			v = "="
			if wire.NamesMetadata(fs) { // that it does, is read also where nothing else can be
				v = `="resource_metadata"`
			}
		case rules.ChallengeParamOnce:
			v = `Repeated x="1", x="2"`
			if wire.NamesMetadata(fs) {
				v = `Repeated resource_metadata="1", resource_metadata="2"`
			}
		default:
			continue
		}
		out = append(out, wire.Field{Name: "WWW-Authenticate", Value: v})
	}
	if len(out) == before {
		out = append(out, wire.Field{Name: "WWW-Authenticate"})
	}
	return out
}

func (m *mask) challenge(c wire.AuthChallenge) string {
	scheme := m.ident(c.Scheme)
	if !isIdent(scheme) {
		scheme = "other"
	}
	switch scheme {
	case "bearer":
		scheme = "Bearer"
	case "basic":
		scheme = "Basic"
	case "dpop":
		scheme = "DPoP"
	}
	if c.Token68 != "" {
		if strings.EqualFold(strings.TrimRight(c.Token68, "="), "resource_metadata") {
			return scheme + " resource_metadata="
		}
		return scheme + " token68" + strconv.Itoa(len(c.Token68))
	}
	b := append(make([]byte, 0, 256), scheme...)
	for i, p := range c.Params {
		name, value := p.Name, p.Value
		switch name {
		case "resource_metadata", "scope":
			value = m.keep(value)
		case "error":
			value = m.ident(value)
		case "realm", "error_description", "error_uri":
			value = freeText(len(value))
		default:
			value = freeText(len(value))
			if !isIdent(name) {
				name = "param-" + strconv.Itoa(i+1)
			}
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, ' '), name...), '=', '"')
		b = append(append(b, quotedPair.Replace(value)...), '"')
	}
	return string(b)
}

var quotedPair = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
