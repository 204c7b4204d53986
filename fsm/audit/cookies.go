package audit

import (
	"strconv"
	"strings"
)

// BareCookie reduces a Set-Cookie field to what cannot open a session: the cookie's
// name, the length of its value, and its attributes (RFC 6265 §4.1).
func BareCookie(field string) string {
	return cookieWith(field, func(v string) string { return stand + strconv.Itoa(len(v)) })
}

// cookieWith gives a Set-Cookie field another value.
func cookieWith(field string, value func(string) string) string {
	pair, attributes, more := strings.Cut(field, ";")
	name, v, has := strings.Cut(pair, "=")
	if !has { // browsers read this as a value without a name
		name, v = "", pair
	}
	if v = strings.TrimSpace(v); !redacted(v) {
		v = value(v)
	}
	out := name + "=" + v
	if more {
		out += ";" + attributes
	}
	return out
}

// cookie is what a Set-Cookie field says.
type cookie struct {
	name       string
	value      string
	attributes map[string]string // by name in lower case
}

func parseCookie(field string) cookie {
	pair, rest, _ := strings.Cut(field, ";")
	name, v, _ := strings.Cut(pair, "=")
	c := cookie{name: strings.TrimSpace(name), value: strings.TrimSpace(v), attributes: map[string]string{}}
	for part := range strings.SplitSeq(rest, ";") {
		n, v, _ := strings.Cut(part, "=")
		c.attributes[strings.ToLower(strings.TrimSpace(n))] = strings.TrimSpace(v)
	}
	return c
}

func (c cookie) has(attribute string) bool {
	_, has := c.attributes[attribute]
	return has
}

// lacks lists the attributes that the cookie of a login should have but does not.
func (c cookie) lacks(secure bool) []string {
	var out []string
	if !c.has("httponly") {
		out = append(out, "HttpOnly")
	}
	if same := strings.ToLower(c.attributes["samesite"]); same != "lax" && same != "strict" {
		out = append(out, "SameSite=Lax")
	}
	if secure && !c.has("secure") {
		out = append(out, "Secure")
	}
	return out
}

// judgeLoginCookies reads the cookies of the pages that lead to a login.
func judgeLoginCookies(j *judgement) {
	pages := j.probesOf(probeUnknown)
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; strings.HasPrefix(x.Probe, probeAuthorize) && !strings.HasPrefix(x.Probe, probeUnknown) && x.Response != nil {
			pages = append(pages, x)
		}
	}
	seen, login := false, false
	told := map[string]bool{}
	for _, x := range pages {
		login = login || x.Probe == probeAuthorize+"good"
		secure := strings.HasPrefix(x.Request.URL, "https:")
		for _, field := range x.got("Set-Cookie") {
			c := parseCookie(field)
			if c.value == "" || told[c.name] { // an empty value ends a session
				continue
			}
			seen, told[c.name] = true, true
			for _, attribute := range c.lacks(secure) {
				j.fail(x, "a cookie of the login has no "+attribute).differ(attribute, cookieWith(field, func(string) string { return "" })).Confidence = Likely
			}
			if secure && !strings.HasPrefix(c.name, "__Host-") {
				f := j.fail(x, "the name of a cookie of the login does not begin with __Host-").differ("__Host-"+c.name, c.name)
				f.Severity, f.Confidence = Low, Likely
			}
		}
	}
	switch {
	case seen || j.v.Outcome != Pass:
	case login:
		j.end(NotApplicable, "no cookie is set before the user logs in")
	default:
		j.end(CouldNotRun, "only an error page was seen; the login is behind a registration")
	}
}
