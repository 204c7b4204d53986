package states

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// How a client proves who it is by a signed assertion, whatever the request is for.

// Assertion holds the parts of a signed assertion that are drawn or read from the clock, and
// then the assertion itself.
type Assertion struct {
	ID   string      `json:"id"` // jti
	At   time.Time   `json:"at"` // iat
	Text wire.Secret `json:"text,omitempty"`
}

// sign asks for the assertion of a client at a server.
func sign(d *Data, c wire.Client, at wire.ASM) Sign {
	p := wire.AssertionParams{Client: c.ID, Audience: d.Config.Audience(at), ID: d.Assertion.ID, At: d.Assertion.At}
	name := c.Key
	if k := d.Config.Key; k != nil {
		name, p.Alg, p.KeyID = k.Name, k.Alg, k.ID
	}
	s := Sign{Serial: d.Serial, Key: name, NotBefore: d.NotBefore, Timeout: d.Config.HTTP()}
	s.Header, s.Claims = wire.ClientAssertion(p)
	return s
}

// Audience is the audience of an assertion at a server: its issuer, or its token endpoint if
// the quirk says so (rule clientauth-jwt-aud).
func (c *Config) Audience(at wire.ASM) string {
	if c.Has(JWTAudTokenEndpoint) {
		return at.TokenEndpoint
	}
	return at.Issuer
}

// proven is a client with the signed assertion for the next request.
func (d *Data) proven(c wire.Client) wire.Client {
	if c.Method == wire.MethodJWT && d.Assertion != nil {
		c.Assertion = d.Assertion.Text
	}
	return c
}

func assertionDrawn(d *Data) string {
	return unless(d.Assertion != nil && d.Assertion.ID != "", "no assertion was drawn")
}

// provable holds if the client of the next request needs no assertion, or has a signed one.
func provable(client func(*Data) wire.Client) func(*Data) string {
	return func(d *Data) string {
		signed := d.Assertion != nil && d.Assertion.Text != ""
		return unless(client(d).Method != wire.MethodJWT || signed, "the client's assertion was not signed")
	}
}

func clientOfLogin(d *Data) wire.Client  { return d.Flow.Client }
func clientOfToken(d *Data) wire.Client  { return d.Token().Client }
func clientToRevoke(d *Data) wire.Client { return d.Retiring[0].Client }
