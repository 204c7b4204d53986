package trace

import (
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// header keeps the fields that decisions read, in a form that says the same;
// all others are left out.
func (m *mask) header(fs wire.Fields) wire.Fields {
	out := make(wire.Fields, 0, 3)
	challenged := false
	for _, f := range fs {
		name := ""
		value := strings.TrimSpace(f.Value)
		switch {
		case strings.EqualFold(f.Name, "Content-Type"):
			name, value = "Content-Type", mediaType(value)
		case strings.EqualFold(f.Name, "Cache-Control"):
			name, value = "Cache-Control", directives(value)
		case strings.EqualFold(f.Name, "Retry-After"):
			name, value = "Retry-After", retryAfter(value)
		case strings.EqualFold(f.Name, "WWW-Authenticate"):
			if !challenged {
				challenged = true
				out = append(out, m.challenges(fs)...)
			}
			continue
		default:
			continue
		}
		out = append(out, wire.Field{Name: name, Value: m.keep(value)})
	}
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
func directives(v string) string {
	var out []string
	for d := range strings.SplitSeq(v, ",") {
		d = strings.ToLower(strings.TrimSpace(d))
		name, n, _ := strings.Cut(d, "=")
		switch name {
		case "no-store", "no-cache", "private", "public", "must-revalidate":
			out = append(out, name)
		case "max-age":
			if len(n) <= 10 && strings.Trim(n, "0123456789") == "" {
				out = append(out, d)
			}
		}
	}
	return strings.Join(out, ", ")
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

// challenges rebuilds the challenges, one in a field. What could not be parsed
// is told by a field that cannot be parsed either, a parameter that repeated by
// one that repeats.
func (m *mask) challenges(fs wire.Fields) wire.Fields {
	all, found := wire.ParseChallenges(fs)
	var out wire.Fields
	for _, c := range all {
		out = append(out, wire.Field{Name: "WWW-Authenticate", Value: m.challenge(c)})
	}
	for _, f := range found {
		v := ""
		switch f.Rule {
		case wire.RuleChallengeGrammar:
			v = "="
		case wire.RuleChallengeParamOnce:
			v = `Repeated x="1", x="2"`
		default:
			continue
		}
		out = append(out, wire.Field{Name: "WWW-Authenticate", Value: v})
	}
	if len(out) == 0 {
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
		return scheme + " token68" + strconv.Itoa(len(c.Token68))
	}
	var b strings.Builder
	b.WriteString(scheme)
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
			b.WriteByte(',')
		}
		b.WriteString(" " + name + `="` + quotedPair.Replace(value) + `"`)
	}
	return b.String()
}

var quotedPair = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
