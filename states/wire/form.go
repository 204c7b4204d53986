package wire

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// EncodeForm writes fields as application/x-www-form-urlencoded in their order
// (rule token-req-form). The result contains the secrets of the fields.
//
// Rules: token-req-form.
func EncodeForm(fs Fields) string {
	var b strings.Builder
	size := 0
	for _, f := range fs {
		size += len(f.Name) + len(f.Value) + 2
	}
	b.Grow(size + size/4)
	for i, f := range fs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(f.Value))
	}
	return b.String()
}

// DecodeForm reads application/x-www-form-urlencoded text (a query or a body) in its
// order. ok is false if an escape is broken; the pieces around it are still in the
// result.
func DecodeForm(s string) (fs Fields, ok bool) {
	ok = true
	for piece := range strings.SplitSeq(s, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			ok = false
			continue
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			ok = false
			continue
		}
		fs = append(fs, Field{Name: n, Value: v})
	}
	return fs, ok
}

// formRequest builds the POST of a form to an authorization server, with the
// client's authentication (RFC 6749 §2.3.1, §3.2). The form begins with params. Then
// come client_id and client_secret, if the method puts them in the body. Empty values
// are left out (rule token-req-param-once).
// Rules: token-req-post, token-req-accept-json, clientauth-one-method,
// clientauth-basic-no-body-id, clientauth-none.
func formRequest(endpoint string, c Client, params ...Field) Request {
	r := Request{Method: "POST", URL: endpoint, Header: make(Fields, 0, 3), Form: make(Fields, 0, len(params)+3)}
	r.Header = append(r.Header,
		Field{Name: "Accept", Value: "application/json"},
		Field{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
	for _, p := range params {
		if p.Value != "" {
			r.Form = append(r.Form, p)
		}
	}
	switch c.Method {
	case MethodBasic:
		r.Header = append(r.Header, Field{Name: "Authorization", Value: basicAuth(c), Secret: true})
	case MethodPost:
		r.Form = append(r.Form, Field{Name: "client_id", Value: c.ID}, Field{Name: "client_secret", Value: c.Secret.Reveal(), Secret: true})
	case MethodJWT:
		r.Form = append(r.Form, Field{Name: "client_id", Value: c.ID},
			Field{Name: "client_assertion_type", Value: AssertionType},
			Field{Name: "client_assertion", Value: c.Assertion.Reveal(), Secret: true})
	default:
		if c.ID == "" { // a workload has no client
			break
		}
		r.Form = append(r.Form, Field{Name: "client_id", Value: c.ID})
	}
	return r
}

// basicAuth writes the Basic credentials: id and secret are form-encoded
// first, unless the quirk basic-raw says that the server does not decode them
// (rule clientauth-basic-encoding).
func basicAuth(c Client) string {
	id, secret := c.ID, c.Secret.Reveal()
	if !c.Raw {
		id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}
