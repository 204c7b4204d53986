package states

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// LedgerLife is how long an attempt to get more scope is remembered.
const LedgerLife = time.Hour

// What several states ask in the same way.

// get is the Send of a metadata document: no credentials, a few same-origin
// redirects (rules prm-no-credentials-sent, asm-no-credentials-sent,
// net-redirect-get).
func get(d *Data, url string, r Revision) Send {
	version := string(r)
	if version == "" {
		version = string(R4)
	}
	return Send{
		Serial: d.Serial, Request: wire.GetMetadata(url, version), NotBefore: d.NotBefore,
		Timeout: d.Config.HTTP(), Hops: 3, MaxBody: MaxMetadata, Loopback: d.Config.Loopback,
	}
}

// post is the Send of a form or a registration: never redirected
// (rule net-redirect-post).
func post(d *Data, r wire.Request) Send {
	return Send{
		Serial: d.Serial, Request: r, NotBefore: d.NotBefore,
		Timeout: d.Config.HTTP(), MaxBody: MaxMetadata, Loopback: d.Config.Loopback,
	}
}

// grant hands out the current token.
func grant(d *Data) Grant { return grantOf(d, d.Token()) }

func grantOf(d *Data, t *Token) Grant {
	return Grant{
		Generation: t.Generation, AccessToken: t.AccessToken, Type: t.Type, Scopes: t.Granted,
		Expires: d.FreshUntil, Renew: d.Renewal(), Accepted: d.Accepted,
	}
}

// visit is the authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3,
// RFC 8707 §2). Parking has checked that the URL can be built.
func visit(d *Data) Visit {
	url, _ := wire.AuthorizationURL(d.Flow.AuthorizationParams(d.Config))
	return Visit{
		Serial: d.Flow.Visit, URL: wire.Secret(url), RedirectURI: d.Flow.RedirectURI,
		Issuer: d.Flow.Server.Issuer, Deadline: d.Flow.Deadline,
	}
}

// GoogleOffline reports whether the quirk google-offline acts (catalogue, T10).
func (f *Flow) GoogleOffline(c *Config) bool {
	return c.Waives("google-offline") || f.Server.Issuer == "https://accounts.google.com" && !c.Strict
}

// AuthorizationParams are the parts of the authorization request.
func (f *Flow) AuthorizationParams(c *Config) wire.AuthorizationParams {
	p := wire.AuthorizationParams{
		Endpoint: f.Server.AuthorizationEndpoint, ClientID: f.Client.ID, RedirectURI: f.RedirectURI,
		Challenge: wire.S256(f.Verifier.Reveal()), State: f.State.Reveal(),
		Scope: wire.JoinScope(f.Asked), Resource: f.Resource,
	}
	for _, s := range f.Asked {
		if s == "offline_access" {
			p.Prompt = "consent"
		}
	}
	if f.GoogleOffline(c) {
		p.Prompt = "consent"
		p.Extra = wire.Fields{{Name: "access_type", Value: "offline"}}
	}
	return p
}

// InitialTokenFor gives the initial access token for an issuer that the
// configuration names, and nothing for any other (rule issuer-no-cross-use).
func (c *Config) InitialTokenFor(issuer string) wire.Secret {
	if issuer == "" || issuer != c.Issuer && !slices.Contains(c.Issuers, issuer) {
		return ""
	}
	return c.InitialToken
}

// RegistrationParams are the parts of the registration request (RFC 7591 §2).
func (f *Flow) RegistrationParams(c *Config) wire.RegistrationParams {
	kind := wire.ApplicationType([]string{f.RedirectURI})
	if f.Adjusted {
		kind = map[string]string{"native": "web", "web": "native"}[kind]
	}
	grants := []string{"authorization_code", "refresh_token"}
	if c.NoRefresh {
		grants = grants[:1]
	}
	var initial wire.Secret
	if f.Demanded {
		initial = c.InitialTokenFor(f.Server.Issuer)
	}
	return wire.RegistrationParams{
		Endpoint: f.Server.RegistrationEndpoint, Name: c.ClientName, URI: c.ClientURI,
		RedirectURIs: []string{f.RedirectURI}, ApplicationType: kind,
		Scope: wire.JoinScope(f.Asked), Method: "none", GrantTypes: grants, InitialToken: initial,
	}
}

// code is the code of the callback that was claimed.
func (d *Data) code() wire.Secret {
	cb, p := wire.ParseCallback(d.Flow.Callback.Reveal())
	if p != nil {
		return ""
	}
	return cb.Code
}

// saveCredential writes what was obtained.
func saveCredential(d *Data) Save {
	return Save{
		Serial: d.Serial, Key: d.Config.CredentialKey(), Value: mustEncode(d.Next()),
		Expected: d.Entry, NotBefore: d.NotBefore,
	}
}

// saveRecord writes the record as Classify has changed it.
func saveRecord(d *Data) Save {
	return Save{Serial: d.Serial, Key: d.Config.CredentialKey(), Value: mustEncode(d.Record), Expected: d.Entry}
}

// Next is the record with what was obtained as its current grant. A grant of
// another issuer, or one that this login did not replace, is kept as
// superseded until it has been revoked.
func (d *Data) Next() *Credential {
	n := Credential{Version: RecordVersion}
	if d.Record != nil {
		n.Superseded, n.Unknown = d.Record.Superseded, d.Record.Unknown
		old := d.Record.Current
		if old != nil && d.Spent == "" && d.outlives(old) {
			kept := append([]Token{}, n.Superseded...)
			n.Superseded = append(kept, *old)
			if len(n.Superseded) > MaxSuperseded {
				n.Superseded = n.Superseded[len(n.Superseded)-MaxSuperseded:]
			}
		}
	}
	n.Current = d.Obtained
	return &n
}

// outlives reports whether a grant that a login replaces can still be used by
// whoever has it: it can be refreshed, or it is of another issuer or client and
// has not expired.
func (d *Data) outlives(old *Token) bool {
	if old.RefreshToken != "" {
		return old.RefreshToken != d.Obtained.RefreshToken
	}
	return !old.SameClient(d.Obtained) && (old.Expires.IsZero() || d.At.Before(old.Expires))
}

// MaxSuperseded bounds how many old grants a record keeps for revocation.
const MaxSuperseded = 4

// revoke is the revocation of the first token still to go: the refresh token
// first (rule revoke-order).
func revoke(d *Data) Send {
	t := d.Retiring[0]
	token, hint := t.AccessToken, "access_token"
	if t.RefreshToken != "" {
		token, hint = t.RefreshToken, "refresh_token"
	}
	return post(d, wire.RevokeRequest(t.Server.RevocationEndpoint, t.Client, token, hint))
}

// register is where a human can get a client id, for AskClient.
func register(d *Data) []string {
	var out []string
	for _, s := range []string{d.Flow.Server.ServiceDocumentation, d.Flow.Server.RegistrationEndpoint} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
