package peer

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// reply is an answer before it is written: kept in parts, so that a fault can
// change one of them.
type reply struct {
	status int
	header wire.Fields
	// doc is the JSON object of the body; body is used where there is none.
	doc   document
	body  []byte
	ctype string
	// location and query are a redirect (RFC 6749 §4.1.2); fragment sends the
	// parameters behind # instead.
	location string
	query    wire.Fields
	fragment bool
	// suffix is appended to the written body.
	suffix string
	// challenge becomes the WWW-Authenticate field.
	challenge *bearerChallenge
	// rule and detail say why the request was refused.
	rule   rules.ID
	detail string
}

// breaks notes the rule by which a request is refused, for the log.
func (r *reply) breaks(rule rules.ID) *reply {
	r.rule = rule
	return r
}

// ok says that the reply grants what was asked.
func (r *reply) ok() bool { return r.status/100 == 2 }

func (r *reply) set(name, value string) {
	for i := range r.header {
		if strings.EqualFold(r.header[i].Name, name) {
			r.header[i].Value = value
			return
		}
	}
	r.header = append(r.header, wire.Field{Name: name, Value: value})
}

func (r *reply) unset(name string) {
	var kept wire.Fields
	for _, f := range r.header {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	r.header = kept
}

// become turns the reply into a body of another kind.
func (r *reply) become(status int, ctype, body string) {
	r.status, r.ctype, r.body = status, ctype, []byte(body)
	r.doc, r.location, r.query, r.challenge = nil, "", nil, nil
	r.unset("WWW-Authenticate")
}

// response writes the reply.
func (r *reply) response() wire.Response {
	out := wire.Response{Status: r.status}
	ctype, body := r.ctype, r.body
	if r.doc != nil {
		body = r.doc.bytes()
		if ctype == "" {
			ctype = "application/json"
		}
	}
	if ctype != "" {
		out.Header = append(out.Header, wire.Field{Name: "Content-Type", Value: ctype})
	}
	if r.challenge != nil {
		out.Header = append(out.Header, wire.Field{Name: "WWW-Authenticate", Value: r.challenge.String()})
	}
	out.Header = append(out.Header, r.header...)
	if r.location != "" {
		out.Header = append(out.Header, wire.Field{Name: "Location", Value: r.target(), Secret: len(r.query) > 0})
	}
	out.Body = append(append([]byte(nil), body...), r.suffix...)
	if len(out.Body) == 0 {
		out.Body = nil
	}
	return out
}

// target is the redirect's address: the parameters join a query that the
// redirect URI already has (RFC 6749 §3.1.2).
func (r *reply) target() string {
	if len(r.query) == 0 {
		return r.location
	}
	sep := "?"
	switch {
	case r.fragment:
		sep = "#"
	case strings.HasSuffix(r.location, "?"):
		sep = ""
	case strings.Contains(r.location, "?"):
		sep = "&"
	}
	return r.location + sep + wire.EncodeForm(r.query)
}

// problem is an OAuth error answer (RFC 6749 §5.2).
func problem(status int, code, says string) *reply {
	r := &reply{status: status, doc: document{{"error", code}}, detail: says}
	if says != "" {
		r.doc.put("error_description", says)
	}
	noStore(r)
	return r
}

func noStore(r *reply) {
	r.set("Cache-Control", "no-store")
	r.set("Pragma", "no-cache")
}

// open lets any web page read the answer (OAuth 2.1 §3.2); never used at the
// authorization endpoint.
func open(r *reply) *reply {
	r.set("Access-Control-Allow-Origin", "*")
	exposed := "WWW-Authenticate"
	if len(r.header.Header("DPoP-Nonce")) > 0 {
		exposed += ", DPoP-Nonce"
	}
	r.set("Access-Control-Expose-Headers", exposed)
	return r
}

// preflight answers OPTIONS for an open endpoint.
func preflight(methods string) *reply {
	r := open(&reply{status: 204})
	r.set("Access-Control-Allow-Methods", methods+", OPTIONS")
	r.set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, MCP-Protocol-Version")
	r.set("Access-Control-Max-Age", "600")
	return r
}

func notAllowed(allow string) *reply {
	r := &reply{status: 405, ctype: "text/plain; charset=utf-8", body: []byte("method not allowed\n")}
	r.set("Allow", allow)
	return r
}

func notFound() *reply {
	return &reply{status: 404, ctype: "text/plain; charset=utf-8", body: []byte("not found\n")}
}
