package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/wire"
)

// redactor replaces every secret value with a keyed digest, so that two equal values
// stay equal and nothing can be used. It leaves out what it cannot read as
// JSON or as a form.
type redactor struct {
	key    []byte
	known  map[string]string // from value to digest
	digits []string          // the values, the longest first
	count  int               // how many values in the recording were live
}

// secretNames are the members, parameters and form fields whose values are secret.
// state is among them: anyone who has it can end a login for somebody else.
var secretNames = []string{"access_token", "refresh_token", "id_token", "client_secret", "code", "code_verifier", "assertion",
	"client_assertion", "subject_token", "actor_token", "device_code", "registration_access_token", "token", "password", "state", "nonce"}

// secretHeaders are the header fields whose whole value is secret.
var secretHeaders = []string{"cookie", "dpop", "proxy-authorization"}

// stand is what a digest begins with; the length of the value follows.
const stand = "redacted-"

// ours is the beginning of what an audit makes up itself, which opens nothing.
const ours = "stile-audit"

// redacted reports whether a value was already replaced, by this package or by
// the recorder of traces.
func redacted(v string) bool {
	return v == "" || strings.HasPrefix(v, ours) || strings.HasPrefix(v, stand) || strings.HasPrefix(v, "verifier-of-")
}

// digest gives the stand-in for a value. The stand-in for a verifier says which
// challenge it belongs to, which a server could see as well.
func (r *redactor) digest(name, v string) string {
	if redacted(v) {
		return v
	}
	if d, ok := r.known[v]; ok {
		return d
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(v))
	d := stand + strconv.Itoa(len(v)) + "-" + hex.EncodeToString(mac.Sum(nil)[:6])
	if name == "code_verifier" {
		d = "verifier-of-" + wire.S256(v)
	}
	r.known[v] = d
	r.count++
	return d
}

func isSecret(name string) bool { return slices.Contains(secretNames, strings.ToLower(name)) }

// Redact replaces the secrets in all exchanges and returns how many values were live.
// Because of key, somebody who guesses a value cannot check the guess by its digest.
func Redact(e *Evidence, key []byte) int { return redact(e, key).count }

// RedactReport does the same, and also replaces what a report that was made from the
// original evidence quotes.
func RedactReport(e *Evidence, report *Report, key []byte) {
	r := redact(e, key)
	for i := range report.Verdicts {
		v := &report.Verdicts[i]
		v.Why = r.clean(v.Why)
		for k := range v.Findings {
			f := &v.Findings[k]
			f.Says, f.Want, f.Got = r.clean(f.Says), r.clean(f.Want), r.clean(f.Got)
			if f.Exchange > 0 && f.Exchange <= len(e.Exchanges) {
				f.Shown = wire.Clean(e.Exchanges[f.Exchange-1].title(), 300)
			}
		}
	}
}

func redact(e *Evidence, key []byte) *redactor {
	r := &redactor{key: key, known: map[string]string{}}
	for i := range e.Exchanges {
		r.exchange(&e.Exchanges[i])
	}
	for v := range r.known {
		if len(v) >= 8 {
			r.digits = append(r.digits, v)
		}
	}
	slices.SortFunc(r.digits, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	for i := range e.Exchanges {
		r.sweep(&e.Exchanges[i])
	}
	for i := range e.Runs {
		run := &e.Runs[i]
		run.Output, run.Opened = r.clean(run.Output), slices.Clone(run.Opened)
		for k := range run.Opened {
			run.Opened[k] = r.clean(run.Opened[k])
		}
	}
	e.read = nil
	return r
}

func (r *redactor) exchange(x *Exchange) {
	x.Request.URL = r.url(x.Request.URL)
	x.Sent = r.url(x.Sent)
	x.Request.Header = r.header(x.Request.Header)
	x.Request.Form = r.fields(x.Request.Form)
	ctype := strings.ToLower(strings.Join(x.sent("Content-Type"), ""))
	x.Request.Body = r.body(x.Request.Body, ctype)
	if x.Response != nil {
		resp := *x.Response
		resp.Header = r.header(resp.Header)
		if x.Leg != LegCallback && x.Probe != "forged" { // a check reads the markup of the client's own page; the sweep follows
			resp.Body = r.body(resp.Body, x.mediaType())
		}
		x.Response = &resp
	}
}

func (r *redactor) fields(fs wire.Fields) wire.Fields {
	out := slices.Clone(fs)
	for i, f := range out {
		if isSecret(f.Name) || f.Secret {
			out[i].Value, out[i].Secret = r.digest(f.Name, f.Value), false
		}
	}
	return out
}

func (r *redactor) header(fs wire.Fields) wire.Fields {
	out := slices.Clone(fs)
	for i, f := range out {
		name := strings.ToLower(f.Name)
		out[i].Secret = false
		switch {
		case name == "authorization":
			scheme, rest, has := strings.Cut(f.Value, " ")
			if has {
				out[i].Value = scheme + " " + r.digest("", rest)
			} else {
				out[i].Value = r.digest("", f.Value)
			}
		case slices.Contains(secretHeaders, name):
			out[i].Value = r.digest("", f.Value)
		case name == "set-cookie" || name == "set-cookie2":
			out[i].Value = cookieWith(f.Value, func(v string) string { return r.digest("", v) })
		case name == "location" || name == "referer":
			out[i].Value = r.url(f.Value)
		}
	}
	return out
}

// url replaces the secret parameters of an address, in query and fragment.
func (r *redactor) url(raw string) string {
	head, fragment, hasFragment := strings.Cut(raw, "#")
	base, q, has := strings.Cut(head, "?")
	if u, err := url.Parse(base); err == nil && u.User != nil {
		u.User = nil
		base = u.String()
	}
	if has {
		base += "?" + r.query(q)
	}
	if hasFragment {
		base += "#" + r.query(fragment)
	}
	return base
}

func (r *redactor) query(q string) string {
	parts := strings.Split(q, "&")
	for i, p := range parts {
		name, value, has := strings.Cut(p, "=")
		n, err := url.QueryUnescape(name)
		if v, err2 := url.QueryUnescape(value); has && err == nil && err2 == nil && isSecret(n) {
			parts[i] = name + "=" + url.QueryEscape(r.digest(n, v))
		}
	}
	return strings.Join(parts, "&")
}

// body keeps JSON and forms, with their secrets replaced, and leaves out the rest:
// no check reads free text.
func (r *redactor) body(b []byte, ctype string) []byte {
	if len(b) == 0 {
		return b
	}
	if strings.HasPrefix(ctype, "application/x-www-form-urlencoded") {
		return []byte(r.query(string(b)))
	}
	v := jsontext.Value(b)
	if !v.IsValid() {
		if strings.Contains(ctype, "json") {
			return b // an ambiguous document is judged as it is; the sweep follows
		}
		return []byte("(" + strconv.Itoa(len(b)) + " bytes that are no JSON)")
	}
	return r.value(v, "")
}

// value replaces the text of the secret members of a JSON value.
func (r *redactor) value(v jsontext.Value, name string) jsontext.Value {
	switch v.Kind() {
	case '"':
		var s string
		if json.Unmarshal(v, &s) == nil && isSecret(name) {
			out, err := json.Marshal(r.digest(name, s))
			if err == nil {
				return out
			}
		}
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(v, &list) == nil {
			out := []byte{'['}
			for i, e := range list {
				if i > 0 {
					out = append(out, ',')
				}
				out = append(out, r.value(e, name)...)
			}
			return append(out, ']')
		}
	case '{':
		obj, err := wire.ParseObject(v)
		if err != nil {
			return v
		}
		out := []byte{'{'}
		for i, m := range obj {
			if i > 0 {
				out = append(out, ',')
			}
			n, _ := json.Marshal(m.Name)
			out = append(append(out, n...), ':')
			out = append(out, r.value(m.Raw, m.Name)...)
		}
		return append(out, '}')
	default: // the others need nothing here
	}
	return v
}

// sweep replaces the values that are known to be secret wherever else they occur: in a
// path, in a text, in a header.
func (r *redactor) sweep(x *Exchange) {
	x.Request.URL = r.clean(x.Request.URL)
	x.Request.Body = []byte(r.clean(string(x.Request.Body)))
	x.Failure = r.clean(x.Failure)
	for i := range x.Request.Header {
		x.Request.Header[i].Value = r.clean(x.Request.Header[i].Value)
	}
	for i := range x.Request.Form {
		x.Request.Form[i].Value = r.clean(x.Request.Form[i].Value)
	}
	if x.Response != nil {
		x.Response.Body = []byte(r.clean(string(x.Response.Body)))
		for i := range x.Response.Header {
			x.Response.Header[i].Value = r.clean(x.Response.Header[i].Value)
		}
	}
}

func (r *redactor) clean(s string) string {
	for _, v := range r.digits {
		if strings.Contains(s, v) {
			s = strings.ReplaceAll(s, v, r.known[v])
		}
		for _, spelled := range []string{url.QueryEscape(v), url.PathEscape(v)} {
			if spelled != v && strings.Contains(s, spelled) {
				s = strings.ReplaceAll(s, spelled, r.known[v])
			}
		}
	}
	return s
}
