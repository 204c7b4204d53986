package audit

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// Name names the legs of exchanges that have none yet, such as those of a recording,
// and the issuer that each address of metadata was built from.
func (e *Evidence) Name() { e.classify() }

// classify names the legs of a recording, whose exchanges carry no label: by
// the well-known addresses, by the shape of the request, and by the endpoints
// that the metadata of the same recording names.
func (e *Evidence) classify() {
	for i := range e.Exchanges {
		if e.Exchanges[i].Leg == "" {
			e.Exchanges[i].Leg = legOf(&e.Exchanges[i])
		}
	}
	e.read = nil
	for _, m := range e.reading().asm {
		for name, leg := range map[string]Leg{"jwks_uri": LegJWKS, "revocation_endpoint": LegRevoke,
			"introspection_endpoint": LegIntrospect, "registration_endpoint": LegRegister} {
			at, _, _ := m.obj.String(name)
			for i := range e.Exchanges {
				if x := &e.Exchanges[i]; at != "" && x.Request.URL == at && (x.Request.Method == "POST" || leg == LegJWKS) {
					x.Leg = leg
				}
			}
		}
	}
	e.read = nil
	if e.Target == "" {
		e.Target = e.guessTarget()
	}
	e.bindIssuers()
}

func legOf(x *Exchange) Leg {
	u, err := url.Parse(x.Request.URL)
	if err != nil {
		return LegOther
	}
	form := requestForm(x)
	grant, _ := form.Get("grant_type")
	query := u.Query()
	switch {
	case strings.Contains(u.Path, "/.well-known/oauth-protected-resource"):
		return LegPRM
	case strings.Contains(u.Path, "/.well-known/oauth-authorization-server"), strings.Contains(u.Path, "/.well-known/openid-configuration"):
		return LegASM
	case grant == "refresh_token":
		return LegRefresh
	case grant != "":
		return LegToken
	case query.Has("response_type") && query.Has("client_id"):
		return LegAuthorize
	case x.Request.Method == "GET" && query.Has("state") && (query.Has("code") || query.Has("error")):
		return LegCallback
	case jsonMember(x.Request.Body, "redirect_uris"):
		return LegRegister
	case jsonMember(x.Request.Body, "jsonrpc"), slices.ContainsFunc(x.sent("Accept"), func(a string) bool { return strings.Contains(a, "text/event-stream") }), len(x.sent("MCP-Protocol-Version")) > 0 && x.Request.Method != "OPTIONS":
		return LegMCP
	}
	return LegOther
}

// requestForm is the form that a request posts.
func requestForm(x *Exchange) wire.Fields {
	if len(x.Request.Form) > 0 {
		return x.Request.Form
	}
	if t := strings.Join(x.sent("Content-Type"), ""); !strings.HasPrefix(strings.ToLower(t), "application/x-www-form-urlencoded") {
		return nil
	}
	form, _ := wire.DecodeForm(string(x.Request.Body))
	return form
}

// query gives the parameters of an address.
func query(raw string) wire.Fields {
	_, q, _ := strings.Cut(raw, "?")
	q, _, _ = strings.Cut(q, "#")
	fields, _ := wire.DecodeForm(q)
	return fields
}

func jsonMember(body []byte, name string) bool {
	obj, err := wire.ParseObject(body)
	if err != nil {
		return false
	}
	_, has := obj.Raw(name)
	return has
}

// server is the MCP server's URL, parsed; the zero URL if it is not known or not a
// URL.
func (e *Evidence) server() wire.URL {
	u, _ := wire.ParseURL(e.Target)
	return u
}

// guessTarget is the address of the first MCP request.
func (e *Evidence) guessTarget() string {
	for i := range e.Exchanges {
		if e.Exchanges[i].Leg == LegMCP {
			return e.Exchanges[i].Request.URL
		}
	}
	for _, m := range e.reading().prm {
		if r, _, ok := m.obj.String("resource"); ok {
			return r
		}
	}
	return ""
}

// bindIssuers says which issuer an address of metadata was built from. Among the
// issuers that the recording's resource metadata lists, it is the one that leads to
// this address.
func (e *Evidence) bindIssuers() {
	for _, issuer := range e.issuers() {
		for _, at := range wire.ASMURLs(issuer, false) {
			for i := range e.Exchanges {
				if x := &e.Exchanges[i]; x.Leg == LegASM && x.Issuer == "" && x.Request.URL == at {
					x.Issuer = issuer
				}
			}
		}
	}
	e.read = nil
}
