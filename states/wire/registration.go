package wire

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// RegistrationParams is what a client wants to be registered with (RFC 7591 §2).
type RegistrationParams struct {
	Endpoint     string
	Name, URI    string // client_name, client_uri
	Profile      ClientProfile
	RedirectURIs []string // the first one is used
	// ApplicationType is "native" or "web" (ApplicationType works it out).
	ApplicationType string
	Scope           string
	Method          string // token_endpoint_auth_method; "" asks for none
	// Methods, in a client document, are all the methods that the client can use, including
	// Method (token_endpoint_auth_methods_supported; SEP-3149, a draft).
	Methods    []string
	GrantTypes []string // nil: authorization_code and refresh_token
	// Key names the key of a client that signs assertions (MethodJWT); Keys is
	// the JWK set with its public half, as JSON.
	Key, Keys    string
	InitialToken Secret // RFC 7591 §3, if the server demands one
	// Bare leaves out what an issuer can do without. It keeps redirect_uris, the method,
	// the name, and the grants of a client that does not use codes.
	Bare bool
}

// ClientProfile is what a client tells people about itself (RFC 7591 §2), besides its
// name. Every member may be empty.
type ClientProfile struct {
	Logo            string   `json:"logo_uri,omitempty"`
	Contacts        []string `json:"contacts,omitempty"` // addresses of people, usually e-mail
	Terms           string   `json:"tos_uri,omitempty"`
	Policy          string   `json:"policy_uri,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
}

var codeAndRefresh = []string{"authorization_code", "refresh_token"}

// RegistrationRequest builds the registration POST (RFC 7591 §3.1). Members of
// the body, in this order: redirect_uris, token_endpoint_auth_method,
// grant_types, response_types, client_name, client_uri, application_type,
// scope, then the profile; empty ones are left out.
// Rules: dcr-post-json, dcr-redirect-uris, dcr-application-type,
// dcr-auth-method-asked, dcr-grant-types-refresh, dcr-scope-included.
func RegistrationRequest(p RegistrationParams) Request {
	b := append(p.members(append(make([]byte, 0, 512), '{')), '}')
	h := make(Fields, 0, 3)
	h = append(h, Field{Name: "Accept", Value: "application/json"}, Field{Name: "Content-Type", Value: "application/json"})
	if p.InitialToken != "" {
		h = append(h, Field{Name: "Authorization", Value: "Bearer " + p.InitialToken.Reveal(), Secret: true})
	}
	return Request{Method: "POST", URL: p.Endpoint, Header: h, Body: b}
}

// ClientDocument writes the client ID metadata document for the address id: client_id,
// and what a registration with p would contain.
// Rules: cimd-doc-self-id, cimd-doc-fields.
func ClientDocument(id URL, p RegistrationParams) []byte {
	b := appendMember([]byte{'{'}, "client_id", id.String())
	return append(p.members(b), '}')
}

// members writes what the client says about itself.
func (p RegistrationParams) members(b []byte) []byte {
	b = appendList(b, "redirect_uris", p.RedirectURIs)
	method := p.Method
	if method == "" {
		method = MethodNone
	}
	b = appendMember(b, "token_endpoint_auth_method", method)
	b = appendList(b, "token_endpoint_auth_methods_supported", p.Methods)
	if method == MethodJWT && p.Keys != "" {
		b = append(appendName(b, "jwks"), p.Keys...)
	}
	grants := p.GrantTypes
	if grants == nil {
		grants = codeAndRefresh
	}
	code := slices.Contains(grants, "authorization_code")
	if p.Bare && code {
		return appendMember(b, "client_name", p.Name)
	}
	b = appendList(b, "grant_types", grants)
	if code {
		b = appendList(b, "response_types", []string{"code"})
	} else { // without this, the client would be registered for codes (RFC 7591 §2)
		b = append(appendName(b, "response_types"), "[]"...)
	}
	b = appendMember(b, "client_name", p.Name)
	if p.Bare {
		return b
	}
	b = appendMember(b, "client_uri", p.URI)
	b = appendMember(b, "application_type", p.ApplicationType)
	b = appendMember(b, "scope", p.Scope)
	b = appendMember(b, "logo_uri", p.Profile.Logo)
	b = appendList(b, "contacts", p.Profile.Contacts)
	b = appendMember(b, "tos_uri", p.Profile.Terms)
	b = appendMember(b, "policy_uri", p.Profile.Policy)
	b = appendMember(b, "software_id", p.Profile.SoftwareID)
	return appendMember(b, "software_version", p.Profile.SoftwareVersion)
}

func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// appendQuoted writes s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendQuoted(appendName(b, name), value)
}

func appendList(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(appendName(b, name), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, v)
	}
	return append(b, ']')
}

// ApplicationType gives the application_type that fits redirect URIs: native if one of
// them is on loopback, web otherwise (OpenID Connect Registration §2).
//
// Rules: dcr-application-type-value.
func ApplicationType(redirects []string) string {
	for _, r := range redirects {
		if u, _ := ParseURL(r); u.loopback {
			return "native"
		}
	}
	return "web"
}
