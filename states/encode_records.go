package states

import "github.com/stile-oauth/stile/states/wire"

func (w *writer) credential(c *Credential) {
	w.open()
	w.always("version", int64(c.Version))
	if c.Current != nil {
		w.name("current")
		w.token(c.Current)
	}
	if len(c.Superseded) > 0 {
		w.rare("superseded", c.Superseded)
	}
	if c.Intent != nil {
		w.name("intent")
		w.open()
		w.always("attempt", int64(c.Intent.Attempt))
		w.text("holder", c.Intent.Holder)
		w.instant("until", c.Intent.Until)
		w.close()
	}
	w.close()
}

func (w *writer) token(t *Token) {
	w.open()
	w.generation("generation", t.Generation)
	w.required("access_token", t.AccessToken.Reveal())
	w.required("token_type", t.Type)
	w.secret("refresh_token", t.RefreshToken)
	w.instant("received", t.Received)
	w.moment("expires", t.Expires)
	w.list("granted", t.Granted)
	w.list("requested", t.Requested)
	w.name("server")
	w.server(&t.Server)
	w.name("client")
	w.client(&t.Client)
	w.text("resource", t.Resource)
	w.text("metadata", t.Metadata)
	w.list("listed", t.Listed)
	w.text("revision", string(t.Revision))
	w.text("redirect_uri", t.RedirectURI)
	w.flag("rotates", t.Rotates)
	w.number("refusals", int64(t.Refusals))
	w.moment("refused_since", t.RefusedSince)
	w.ladder("climbed", t.Climbed)
	w.close()
}

func (w *writer) ladder(name string, l Ladder) {
	if l == (Ladder{}) {
		return
	}
	w.name(name)
	w.open()
	w.flag("refreshed", l.Refreshed)
	w.flag("logged_in", l.LoggedIn)
	w.close()
}

func (w *writer) server(m *wire.ASM) {
	w.open()
	w.required("issuer", m.Issuer)
	w.text("authorization_endpoint", m.AuthorizationEndpoint)
	w.text("token_endpoint", m.TokenEndpoint)
	w.text("registration_endpoint", m.RegistrationEndpoint)
	w.text("revocation_endpoint", m.RevocationEndpoint)
	w.text("introspection_endpoint", m.IntrospectionEndpoint)
	w.text("jwks_uri", m.JWKSURI)
	w.text("service_documentation", m.ServiceDocumentation)
	w.list("scopes_supported", m.ScopesSupported)
	w.list("response_types", m.ResponseTypes)
	w.list("grant_types", m.GrantTypes)
	w.list("auth_methods", m.AuthMethods)
	w.list("challenge_methods", m.ChallengeMethods)
	w.flag("iss", m.Iss)
	w.flag("cimd", m.CIMD)
	w.flag("par_required", m.PARRequired)
	w.flag("defaults", m.Defaults)
	w.close()
}

func (w *writer) client(c *wire.Client) {
	w.open()
	w.required("id", c.ID)
	w.secret("secret", c.Secret)
	w.text("method", c.Method)
	w.text("source", c.Source)
	w.flag("inferred", c.Inferred)
	w.moment("secret_expires", c.SecretExpires)
	w.list("redirect_uris", c.RedirectURIs)
	w.secret("registration_token", c.RegistrationToken)
	w.text("registration_uri", c.RegistrationURI)
	w.flag("raw", c.Raw)
	w.close()
}

func (w *writer) registration(r *Registration) {
	w.open()
	w.always("version", int64(r.Version))
	w.name("client")
	w.client(&r.Client)
	w.required("issuer", r.Issuer)
	w.instant("at", r.At)
	w.close()
}
