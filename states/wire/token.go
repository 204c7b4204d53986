package wire

// TokenParams is what a token request is made from.
type TokenParams struct {
	Endpoint     string
	Client       Client
	Code         Secret
	Verifier     Secret
	RedirectURI  string
	RefreshToken Secret
	Resource     string // "" leaves the parameter out (RFC 8707 §2.2)
	Scopes       []string
	Assertion    Secret // of a workload or a user: an ID token, an ID-JAG
	Proof        Secret // proof that the client has its key (RFC 9449 §5); "" for none
}

// TokenRequest builds the code exchange (OAuth 2.1 §4.1.3). Form, in this
// order: grant_type, code, redirect_uri, code_verifier, resource, then
// client_id and client_secret as the method requires.
//
// Rules: token-req-grant-type, token-req-code-verifier,
// token-req-redirect-uri, token-req-resource, token-req-no-scope-on-code,
// token-req-post, token-req-client-id, token-req-no-query,
// token-req-param-once, token-req-accept-json, clientauth-one-method,
// clientauth-basic-no-body-id, clientauth-basic-encoding, clientauth-none.
func TokenRequest(p TokenParams) Request {
	return p.form(
		Field{Name: "grant_type", Value: "authorization_code"},
		Field{Name: "code", Value: p.Code.Reveal(), Secret: true},
		Field{Name: "redirect_uri", Value: p.RedirectURI},
		Field{Name: "code_verifier", Value: p.Verifier.Reveal(), Secret: true},
		Field{Name: "resource", Value: p.Resource})
}

// RefreshRequest builds the refresh (OAuth 2.1 §4.3.1); no scope is sent. Form,
// in this order: grant_type, refresh_token, resource, then client_id and
// client_secret as the method requires.
//
// Rules: refresh-resource, token-req-post.
func RefreshRequest(p TokenParams) Request {
	return p.form(
		Field{Name: "grant_type", Value: "refresh_token"},
		Field{Name: "refresh_token", Value: p.RefreshToken.Reveal(), Secret: true},
		Field{Name: "resource", Value: p.Resource})
}

// OwnRequest builds the request for a token in the client's own name (OAuth 2.1
// §4.2.1). Form, in this order: grant_type, scope, resource, then the client's
// authentication.
// Rules: ext-cc-grant, ext-cc-resource.
//
// Rules: ext-cc-grant, ext-cc-resource, ext-cc-auth.
func OwnRequest(p TokenParams) Request {
	return p.form(
		Field{Name: "grant_type", Value: "client_credentials"},
		Field{Name: "scope", Value: JoinScope(p.Scopes)},
		Field{Name: "resource", Value: p.Resource})
}

// form is formRequest for the token endpoint, with the proof.
//
// Rules: ext-dpop-token-proof.
func (p TokenParams) form(params ...Field) Request {
	r := formRequest(p.Endpoint, p.Client, params...)
	if p.Proof != "" {
		r.Header = append(r.Header, Field{Name: "DPoP", Value: p.Proof.Reveal(), Secret: true})
	}
	return r
}
