package peer

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/rules"
)

// registration is the part of RFC 7591 §2 that is read; the rest is ignored
// (as-register-unknown-ignored).
type registration struct {
	ID              string         `json:"client_id"` // of a client that wishes to choose it
	KeysURI         string         `json:"jwks_uri"`  // not read
	RedirectURIs    []string       `json:"redirect_uris"`
	GrantTypes      []string       `json:"grant_types"`
	ResponseTypes   []string       `json:"response_types"`
	Method          string         `json:"token_endpoint_auth_method"`
	Name            string         `json:"client_name"`
	Scope           string         `json:"scope"`
	ApplicationType string         `json:"application_type"`
	JWKS            jsontext.Value `json:"jwks"`
	about
}

// about is what a client says of itself (RFC 7591 §2). None of it is proven;
// it is echoed and, at consent, shown as the client's own words.
type about struct {
	ClientURI       string   `json:"client_uri,omitempty"`
	LogoURI         string   `json:"logo_uri,omitempty"`
	PolicyURI       string   `json:"policy_uri,omitempty"`
	TermsURI        string   `json:"tos_uri,omitempty"`
	Contacts        []string `json:"contacts,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
}

// check says what is wrong with it, or "".
func (b *about) check() string {
	for name, u := range map[string]string{"client_uri": b.ClientURI, "logo_uri": b.LogoURI, "policy_uri": b.PolicyURI, "tos_uri": b.TermsURI} {
		if u != "" && (!sound(u) || len(u) > 2000) {
			return name + " is not an https URL"
		}
	}
	if len(b.Contacts) > 20 || len(strings.Join(b.Contacts, "")) > 2000 || len(b.SoftwareID) > 200 || len(b.SoftwareVersion) > 200 {
		return "contacts, software_id or software_version is too long"
	}
	return ""
}

func (b *about) describe(d *document) {
	d.add("client_uri", b.ClientURI)
	d.add("logo_uri", b.LogoURI)
	d.add("policy_uri", b.PolicyURI)
	d.add("tos_uri", b.TermsURI)
	d.add("contacts", b.Contacts)
	d.add("software_id", b.SoftwareID)
	d.add("software_version", b.SoftwareVersion)
}

const maxDocument = 64 << 10

// register is RFC 7591 §3.1. Clients never choose their id
// (as-register-no-chosen-id).
func (a *AS) register(c call) *reply {
	if !a.config.DCR {
		return problem(403, "invalid_client_metadata", "dynamic registration is switched off here").breaks(rules.ASMetaTruthful)
	}
	a.state.prune(c.at)
	if a.full(a.config.MaxClients) {
		a.state.sweep(c.at)
	}
	rate := a.config.RegistrationsPerMinute
	if a.full(a.config.MaxClients) || rate > 0 && a.state.counted(c.at, "register") >= rate {
		r := problem(429, "temporarily_unavailable", "too many registrations; try again in a minute").breaks(rules.ASRegisterThrottle)
		r.set("Retry-After", "60")
		return r
	}
	if rate > 0 {
		a.state.count(c.at, "register", time.Minute)
	}
	if mediaType(c.req.Header.Header("Content-Type")) != "application/json" || len(c.req.Body) > maxDocument {
		return problem(400, "invalid_client_metadata", "a registration is a JSON object of at most 64 KiB").breaks(rules.ASRegisterError)
	}
	var m registration
	if strict := json.Unmarshal(c.req.Body, new(registration), json.RejectUnknownMembers(true)); strict != nil && a.faulty("register-unknown-refused") {
		return problem(400, "invalid_client_metadata", "a member is not known here").breaks(rules.ASRegisterUnknownIgnored)
	}
	if err := json.Unmarshal(c.req.Body, &m); err != nil {
		return problem(400, "invalid_client_metadata", "the body is not the JSON object of a registration").breaks(rules.ASRegisterError)
	}
	if r := a.checkRegistration(&m); r != nil {
		return r
	}
	k := client{
		ID: "client_" + a.draw("client")[:22], Kind: "registered", Name: m.Name, RedirectURIs: m.RedirectURIs,
		GrantTypes: m.GrantTypes, Method: m.Method, Scope: m.Scope, Application: m.ApplicationType, Since: c.at, About: m.about, JWKS: m.JWKS,
	}
	manageAt := k.ID
	switch {
	case m.ID != "" && a.faulty("register-chosen-id"):
		k.ID, manageAt = m.ID, m.ID
	case a.faulty("register-https-id"):
		k.ID = a.config.base() + "/clients/" + k.ID
	}
	r := &reply{status: 201}
	noStore(r)
	r.doc = describeClient(k)
	if strings.HasPrefix(k.Method, "client_secret_") {
		secret := a.draw("secret")
		k.SecretHash = hash(secret)
		r.doc.put("client_secret", secret)
		r.doc.put("client_secret_expires_at", 0)
	}
	manage := a.draw("manage")
	k.ManageHash = hash(manage)
	r.doc.put("registration_client_uri", a.config.base()+"/register/"+manageAt)
	r.doc.put("registration_access_token", manage)
	if !a.faulty("register-forgets") {
		a.state.Clients = append(a.state.Clients, k)
	}
	return r
}

// full says that there are as many dynamic clients as there may be; a
// negative bound means that there is none.
func (a *AS) full(bound int) bool {
	if bound < 0 || len(a.state.Clients) < bound {
		return false
	}
	n := 0
	for _, k := range a.state.Clients {
		if k.Kind == "registered" {
			n++
		}
	}
	return n >= bound
}

func describeClient(k client) document {
	var d document
	d.put("client_id", k.ID)
	d.put("client_id_issued_at", k.Since.Unix())
	d.add("client_name", k.Name)
	d.add("redirect_uris", k.RedirectURIs)
	d.put("grant_types", k.GrantTypes)
	if slices.Contains(k.GrantTypes, "authorization_code") {
		d.put("response_types", []string{"code"})
	}
	d.put("token_endpoint_auth_method", k.Method)
	d.add("application_type", k.Application)
	d.add("scope", k.Scope)
	k.About.describe(&d)
	return d
}

// checkRegistration completes a registration with RFC 7591 §2's defaults and refuses
// what this server cannot serve (as-register-error).
func (a *AS) checkRegistration(m *registration) *reply {
	cfg := &a.config
	bad := func(says string) *reply {
		return problem(400, "invalid_client_metadata", says).breaks(rules.ASRegisterError)
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{"authorization_code"}
	}
	if m.Method == "client_secret_basic" && a.faulty("register-method-refused") {
		return bad("token_endpoint_auth_method is not supported")
	}
	if m.Method == "" {
		m.Method = "client_secret_basic"
	}
	if !slices.Contains(cfg.methods(), m.Method) {
		return bad("token_endpoint_auth_method is not supported")
	}
	if !keysFit(m.Method, m.JWKS) {
		return bad("private_key_jwt goes with jwks, a set of public keys, and no other method does")
	}
	for _, g := range m.GrantTypes {
		switch {
		case g == "authorization_code", g == "refresh_token":
		case g == deviceGrant && cfg.Device:
		default:
			return bad("grant_types names a grant that is not offered to registered clients")
		}
	}
	for _, t := range m.ResponseTypes {
		if t != "code" {
			return bad("response_types may hold code only")
		}
	}
	if _, ok := scopes(m.Scope); !ok {
		return bad("scope is not well formed")
	}
	if len(m.Name) > 200 || len(m.RedirectURIs) > 20 {
		return bad("client_name or redirect_uris is too long")
	}
	if wrong := m.about.check(); wrong != "" {
		return bad(wrong)
	}
	if len(m.RedirectURIs) == 0 && slices.Contains(m.GrantTypes, "authorization_code") && !a.faulty("register-no-redirects") {
		return problem(400, "invalid_redirect_uri", "redirect_uris is missing").breaks(rules.ASRegisterError)
	}
	for _, u := range m.RedirectURIs {
		web := m.ApplicationType == "web" && strings.HasPrefix(u, "http://") && !a.faulty("register-web-loopback")
		if !redirectable(u) && !a.takesRedirect(u) || web {
			return problem(400, "invalid_redirect_uri", "a redirect URI is https, or http on loopback, without fragment and userinfo").breaks(rules.ASAuthorizeRedirectScheme)
		}
	}
	return nil
}

// keysFit says that a client that signs its assertions has public keys, and that
// no other client brings any.
func keysFit(method string, jwks jsontext.Value) bool {
	if method != "private_key_jwt" {
		return len(jwks) == 0
	}
	var set struct {
		Keys []map[string]jsontext.Value `json:"keys"`
	}
	if len(jwks) > 16<<10 || json.Unmarshal(jwks, &set) != nil || len(set.Keys) == 0 {
		return false
	}
	for _, k := range set.Keys {
		// d is the private part of every asymmetric key, k of a symmetric one.
		if k["d"] != nil || k["k"] != nil {
			return false
		}
	}
	return true
}

// redirectable is the allow-list for redirect URIs, on registration and on
// use (as-authorize-redirect-scheme, as-authorize-http-redirect).
func redirectable(raw string) bool {
	if len(raw) > 2000 || !sound(raw) {
		return false
	}
	u, err := url.Parse(raw)
	return err == nil && u.Opaque == "" && !strings.Contains(u.Host, "*")
}

func mediaType(values []string) string {
	if len(values) != 1 {
		return ""
	}
	t, _, _ := strings.Cut(values[0], ";")
	return strings.ToLower(strings.TrimSpace(t))
}
