package states

import (
	"slices"

	"github.com/stile-oauth/stile/states/wire"
)

// Registration: the issuer gives the host a client (RFC 7591), which is kept or dropped.
const (
	Registering         State = "Registering"
	RereadingToRegister State = "Rereading-To-Register"
	Filing              State = "Filing"
	Dropping            State = "Dropping"
	Refiling            State = "Refiling"
)

var registrationRoom = []about{
	{
		state: Registering, group: groupFinding, doing: "registering a client",
		says: "A client is registered with the issuer (RFC 7591).",
		enter: func(d *Data) []Effect {
			send := post(d, wire.RegistrationRequest(d.Flow.RegistrationParams(d.Config)))
			send.Once = true
			return []Effect{send}
		},
		holds: issuerFound,
	},
	{
		state: RereadingToRegister, group: groupFinding, doing: "registering a client",
		says:  "The registration endpoint is not there, so the issuer's metadata is read once more.",
		enter: probe,
		holds: rereads,
	},
	{
		state: Filing, group: groupFinding, doing: "storing the client registration",
		says:  "The registration is stored.",
		enter: saveRegistration,
		holds: func(d *Data) string {
			return unless(d.Flow != nil && d.Flow.Client.ID != "" && d.Flow.hasServer(), "no client is at hand")
		},
	},
	{
		state: Dropping, group: groupFinding, doing: "dropping a client registration",
		says:  "A stored client is removed: the issuer no longer knows it, gives it too few scopes, or refuses the client id that was given by hand.",
		enter: deleteRegistration,
		holds: all(issuerFound, func(d *Data) string {
			return unless(d.Flow.Client.Source != wire.SourceHost || d.Fault != nil, "a client id that was given is dropped, and the login did not fail")
		}),
	},
	{
		state: Refiling, group: groupLogin, doing: "storing the client registration",
		says:  "The issuer accepted another authentication method than the stored registration names. The method that worked is stored.",
		enter: saveRegistration,
		holds: all(issuerFound, tokenHeld, func(d *Data) string {
			return unless(d.Flow.Registration != 0 && d.Flow.Client.Method != d.Flow.Filed, "the stored registration names what worked")
		}),
	},
}

// saveRegistration writes the client of this login over the registration that the login
// read, and over no newer one.
func saveRegistration(d *Data) []Effect {
	r := Registration{Version: RecordVersion, Client: d.Flow.Client, Issuer: d.Flow.Server.Issuer, At: d.At}
	if c := d.Config.CIMD; c != "" && (d.Flow.Refused == c || d.Flow.NoDocument) {
		r.RefusedDocument = c
	}
	return []Effect{Save{
		Serial: d.Serial, Key: d.registrationKey(), Value: mustEncode(&r),
		Expected: d.Flow.Registration, NotBefore: d.NotBefore,
	}}
}

// deleteRegistration removes the stored registration that this login read, and no newer one.
// A grant that was obtained with this client holds the client itself.
func deleteRegistration(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.registrationKey(), Expected: d.Flow.Registration}}
}

// rereads holds if the issuer's metadata is read once more in a login.
func rereads(d *Data) string {
	switch {
	case d.Flow == nil || d.Flow.Server.Issuer == "":
		return "no issuer was found"
	case !d.Flow.MetadataReadAgain || d.Flow.Candidate >= len(d.Flow.Candidates):
		return "no address is left to ask"
	case d.Flow.Remembered == nil:
		return "the reason for reading it once more is missing"
	}
	return ""
}

// InitialTokenFor gives the initial access token for an issuer that the
// configuration names, and nothing for any other (rule issuer-no-cross-use).
func (c *Config) InitialTokenFor(issuer string) wire.Secret {
	if issuer == "" || issuer != c.Issuer && !slices.Contains(c.Issuers, issuer) {
		return ""
	}
	return c.InitialToken
}

// registrationKey names the stored client of the login under way; clients for logins at
// another device have separate keys.
func (d *Data) registrationKey() Key {
	c := *d.Config
	if d.Flow.AtDevice {
		c.Elided = DeviceClients
	}
	return c.RegistrationKey(d.Flow.Server.Issuer)
}

// DeviceClients takes the place of redirect URIs in the registration keys of clients for
// logins at another device.
const DeviceClients = " device"

// RedirectsOf gives what stands for the redirect URIs in the key of the registration with
// which a grant was obtained. The process that asks may be configured for other logins than
// the one that registered: for another grant, or another redirect URI.
func (c *Config) RedirectsOf(t *Token) string {
	if t.RedirectURI == "" {
		return DeviceClients // every other login has a redirect URI
	}
	all, mine := "", false
	for _, r := range c.Redirects {
		all += " " + ElidePort(r)
		mine = mine || ElidePort(r) == ElidePort(t.RedirectURI)
	}
	if mine {
		return all
	}
	return " " + ElidePort(t.RedirectURI)
}

// RegistrationParams are the parts of the registration request (RFC 7591 §2).
func (f *Flow) RegistrationParams(c *Config) wire.RegistrationParams {
	kind := wire.ApplicationType([]string{f.RedirectURI})
	if f.Adjusted {
		kind = map[string]string{"native": "web", "web": "native"}[kind]
	}
	redirects := []string{f.RedirectURI}
	if c.Device() || f.AtDevice { // nothing listens
		redirects, kind = nil, "native"
	}
	p := wire.RegistrationParams{
		Endpoint: f.Server.RegistrationEndpoint, Name: c.ClientName, URI: c.ClientURI, Profile: c.Profile,
		RedirectURIs: redirects, ApplicationType: kind,
		Method: f.registrationMethod(c), GrantTypes: f.registrationGrants(c), Bare: f.Trimmed == BareRegistration,
	}
	if k := c.Key; k != nil && p.Method == wire.MethodJWT {
		p.Key, p.Keys = k.Name, k.Keys
	}
	if f.Trimmed == FullRegistration {
		p.Scope = wire.JoinScope(f.Requested)
	}
	if f.Demanded {
		p.InitialToken = c.InitialTokenFor(f.Server.Issuer)
	}
	return p
}

// registrationMethod is the authentication method to register with: the one that the host
// wants, otherwise the first one of this client that the issuer lists.
// Rules: dcr-auth-method-asked, clientauth-method-supported.
func (f *Flow) registrationMethod(c *Config) string {
	if c.AuthMethod != "" {
		return c.AuthMethod
	}
	listed := f.Server.AuthMethods
	if c.Key != nil && c.Key.Keys != "" && slices.Contains(listed, wire.MethodJWT) { // docs/decision-tables.md#t7-4
		return wire.MethodJWT
	}
	for _, m := range []string{wire.MethodNone, wire.MethodBasic, wire.MethodPost} {
		if slices.Contains(listed, m) {
			return m
		}
	}
	return wire.MethodNone
}

// DocumentMethods are the authentication methods that the client ID metadata document names,
// the preferred one first: the one that the host wants, otherwise, for a client with a key,
// that key or nothing, as the issuer has it.
// Rules: cimd-methods-array.
func (c *Config) DocumentMethods() []string {
	switch {
	case c.AuthMethod == wire.MethodJWT || c.AuthMethod == wire.MethodNone:
		return []string{c.AuthMethod}
	case c.Key != nil:
		return []string{wire.MethodJWT, wire.MethodNone}
	}
	return []string{wire.MethodNone}
}

// registrationGrants are the grants to register with: those that the host wants, otherwise
// the code grant, and refresh_token unless the issuer lists grants without it.
// Rules: dcr-grant-types-refresh, ext-device-registration.
func (f *Flow) registrationGrants(c *Config) []string {
	listed := f.Server.GrantTypes
	switch {
	case c.Device() || f.AtDevice: // rule ext-device-registration
		return []string{wire.DeviceGrant, "refresh_token"}
	case len(c.Grants) > 0:
		return c.Grants
	case c.NoRefresh, len(listed) > 0 && !slices.Contains(listed, "refresh_token"):
		return []string{"authorization_code"}
	}
	return []string{"authorization_code", "refresh_token"}
}
