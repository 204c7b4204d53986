package trace

import (
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// document says what a response is expected to hold.
type document int

const (
	docOther    document = iota // only an OAuth error in it is read
	docMetadata                 // of a resource or of an authorization server: public
	docClient                   // the answer to a registration
	docToken
	docExchange // an exchange of an ID token: the ID-JAG is in the place of a token
	docDevice   // a device authorization
)

// documentAt is the document that the question of a state asks for.
func documentAt(s states.State) document {
	switch s {
	case states.DiscoveringPRM, states.DiscoveringASM, states.DiscoveringProvider, states.RereadingToRegister, states.RereadingToExchange, states.RereadingToRefresh:
		return docMetadata
	case states.Registering:
		return docClient
	case states.Exchanging, states.Refreshing, states.Requesting, states.Renewing, states.Presenting, states.PresentingAgain, states.Polling,
		states.Redeeming, states.RedeemingAgain:
		return docToken
	case states.ExchangingIdentity, states.ExchangingIdentityAgain:
		return docExchange
	case states.StartingDevice:
		return docDevice
	default: // the others need nothing here
	}
	return docOther
}

// body replaces the parts of a response body. A body that is no JSON object is replaced
// by one that the parsers treat alike.
func (m *mask) body(r wire.Response, doc document) (body []byte, oversized bool) {
	m.whole, m.flat = false, false
	if r.Oversized {
		return nil, true
	}
	if len(r.Body) == 0 {
		return nil, false
	}
	obj, err := wire.ParseObject(r.Body)
	if err != nil {
		return m.noObject(r.Body, doc, err), false
	}
	m.whole, m.flat = true, oneLine(r.Body)
	if doc == docMetadata && !m.careful && m.flat && allPublished(obj, len(r.Body)) {
		return r.Body, false
	}
	if cap(m.room) < len(r.Body) {
		m.room = make([]byte, 0, max(len(r.Body)+64, usualBody))
	}
	m.room = m.object(m.room[:0], obj, doc)
	return m.room, false
}

// usualBody is the size of the longest document of most logins, in bytes.
const usualBody = 1280

// allPublished reports whether each member of a document is kept as it is, and no white
// space is between them.
func allPublished(obj wire.Object, size int) bool {
	size -= len("{}") - len(",")
	for i := range obj {
		size -= len(obj[i].Name) + len(obj[i].Raw) + len(`"":,`)
		if !published(obj[i].Name) {
			return false
		}
	}
	return size == 0
}

// object writes the members in their order.
func (m *mask) object(b []byte, obj wire.Object, doc document) []byte {
	b = append(b, '{')
	for i := range obj {
		if i > 0 {
			b = append(b, ',')
		}
		name := obj[i].Name
		if doc == docMetadata && published(name) {
			b = append(append(append(b, '"'), name...), '"', ':')
			b = m.as(b, obj[i].Raw)
			continue
		}
		if !isWord(name) || m.careful && m.keep(name) != name {
			name = "member-" + strconv.Itoa(i+1)
		}
		b = lines.AppendQuoted(b, name)
		b = append(b, ':')
		b = m.member(b, obj[i].Name, obj[i].Raw, doc)
	}
	return append(b, '}')
}

// isWord reports whether a text could be a name of the protocol, with no other signs than
// underscores.
func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '-', '.', '/', '+':
			return false
		}
	}
	return isIdent(s)
}

// member writes one value.
func (m *mask) member(b []byte, name string, raw []byte, doc document) []byte {
	switch name {
	case "error":
		return m.text(b, raw, m.ident)
	case "error_description", "error_uri":
		return m.text(b, raw, nil)
	case "ok":
		return m.plain(b, raw)
	}
	switch doc {
	case docMetadata:
		return m.metadata(b, name, raw)
	case docClient:
		switch name {
		case "client_secret":
			return m.opens(b, raw, kindClientSecret)
		case "registration_access_token":
			return m.opens(b, raw, kindManage)
		case "registration_client_uri":
			return m.text(b, raw, m.manageURI)
		case "client_id", "redirect_uris", "grant_types", "response_types", "scope", "application_type":
			return m.as(b, raw)
		case "token_endpoint_auth_method":
			return m.text(b, raw, m.ident)
		case "client_secret_expires_at", "client_id_issued_at":
			return m.number(b, raw)
		}
	case docDevice:
		switch name {
		case "device_code":
			return m.opens(b, raw, kindCode)
		case "user_code":
			return m.opens(b, raw, kindUserCode)
		case "verification_uri", "verification_url":
			return m.text(b, raw, m.keep)
		case "expires_in", "interval":
			return m.number(b, raw)
		}
	case docExchange, docToken:
		switch name {
		case "access_token":
			if s, ok := stringOf(raw); ok && doc == docExchange {
				return lines.AppendQuoted(b, m.jwt(kindAssertion, s))
			}
			return m.opens(b, raw, kindAccess)
		case "refresh_token":
			return m.opens(b, raw, kindRefresh)
		case "id_token":
			if s, ok := stringOf(raw); ok {
				return lines.AppendQuoted(b, m.jwt(kindAssertion, s))
			}
		case "issued_token_type":
			return m.text(b, raw, m.keep)
		case "token_type":
			return m.text(b, raw, m.ident)
		case "expires_in", "refresh_token_expires_in", "refresh_expires_in":
			return m.number(b, raw)
		case "scope":
			return m.as(b, raw)
		case "authed_user":
			if obj, err := wire.ParseObject(raw); err == nil {
				return m.object(b, obj, doc)
			}
		}
	default: // the others need nothing here
	}
	return m.plain(b, raw)
}

// published are the members of metadata that are kept as they are: a machine or
// an audit reads them, and they are public.
func published(name string) bool {
	switch name {
	case "resource", "authorization_servers", "scopes_supported", "bearer_methods_supported",
		"dpop_bound_access_tokens_required", "issuer", "authorization_endpoint", "token_endpoint",
		"registration_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri",
		"service_documentation", "op_policy_uri", "op_tos_uri", "response_types_supported", "response_modes_supported",
		"grant_types_supported", "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported", "code_challenge_methods_supported",
		"revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
		"introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
		"authorization_response_iss_parameter_supported", "client_id_metadata_document_supported",
		"require_pushed_authorization_requests", "protected_resources":
		return true
	}
	return false
}

// metadata keeps other members of a metadata document: lists of what is supported, and
// addresses. Any other text is replaced by its length.
func (m *mask) metadata(b []byte, name string, raw []byte) []byte {
	if s, ok := stringOf(raw); ok {
		named := strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_uri") || strings.HasSuffix(name, "_url")
		if named && !strings.Contains(s, "?") && wire.CheckURL(s, wire.URLPolicy{AllowLoopbackHTTP: true}) == nil {
			return m.as(b, raw)
		}
		return lines.AppendQuoted(b, freeText(len(s)))
	}
	if raw[0] == '[' && strings.HasSuffix(name, "_supported") {
		words := true
		list, _, ok := wire.Object{{Name: name, Raw: raw}}.Strings(name)
		for _, s := range list {
			words = words && isIdent(s)
		}
		if ok && words {
			return m.as(b, raw)
		}
	}
	return m.plain(b, raw)
}
