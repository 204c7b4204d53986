package states

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Proofs of possession (DPoP, RFC 9449): a token that is bound to a key of this client is
// valid only with a proof of that key, which is made anew for every request. The key stays
// with the host that carries out the effects.

// TokenBinding says whether to bind tokens to a key of this client.
type TokenBinding string

// The bindings.
const (
	NoBinding      TokenBinding = ""        // bearer tokens
	TryBinding     TokenBinding = "try"     // bound ones, where the issuer offers them
	RequireBinding TokenBinding = "require" // bound ones, or none
)

// ProofKey is what the machine must know about the key that signs proofs.
type ProofKey struct {
	// Name is what the key is asked for by (Sign).
	Name string `json:"name"`
	// Alg is the algorithm (JWA, RFC 7518 §3.1), Public the public half as a JWK.
	Alg    string `json:"alg"`
	Public string `json:"public"`
	// Thumbprint is that of Public (RFC 7638); New fills it in.
	Thumbprint string `json:"thumbprint,omitempty"`
}

// Proof holds the parts of the next request's proof that are drawn, received or read from
// the clock, and then the proof itself.
type Proof struct {
	ID    string      `json:"id"` // jti
	At    time.Time   `json:"at"` // iat
	Nonce string      `json:"nonce,omitempty"`
	Text  wire.Secret `json:"text,omitempty"`
	// Nonced and Dated say that the request was sent again with another nonce, or with
	// another time; each happens once (rules ext-dpop-nonce-cap, ext-dpop-clock).
	Nonced bool `json:"nonced,omitzero"`
	Dated  bool `json:"dated,omitzero"`
}

// Nonce is the last nonce that an issuer gave for proofs.
type Nonce struct {
	Issuer string `json:"issuer"`
	Value  string `json:"value"`
}

// Proves reports whether the token requests for the login under way, or for the held token,
// carry a proof.
func (d *Data) Proves() bool {
	key := d.Config.ProofKey
	switch {
	case key == nil:
		return false
	case d.Flow == nil:
		return d.Token() != nil && d.Token().Thumbprint == key.Thumbprint
	}
	return !d.Config.Identity() && slices.Contains(d.Flow.Server.ProofAlgs, key.Alg)
}

// Binds reports whether only bound tokens are accepted, because the host or the resource says
// so, or because the token that is refreshed is bound.
func (d *Data) Binds() bool {
	if d.Flow == nil {
		return d.Config.Binding == RequireBinding || d.Token() != nil && d.Token().Thumbprint != ""
	}
	return d.Config.Binding == RequireBinding || d.Flow.Binds
}

// Fits reports whether a token can be used with the available keys, and is bound if it must
// be. An ID token is for a login at its provider and for nothing else, even if a resource has
// the provider's address (rule ext-ema-id-token-stays).
func (c *Config) Fits(t *Token) bool {
	if c.Identity() != (t.Grant == IdentityGrant) {
		return false
	}
	if t.Thumbprint == "" {
		return c.Binding != RequireBinding
	}
	return c.ProofKey != nil && c.ProofKey.Thumbprint == t.Thumbprint
}

// signing asks for what the next token request needs: first the client's assertion, if
// it needs one, and then the proof.
func (d *Data) signing(c wire.Client, at wire.ASM) Sign {
	if a := d.Assertion; c.Method == wire.MethodJWT && a != nil && a.Text == "" || !d.Proves() {
		return sign(d, c, at)
	}
	key := d.Config.ProofKey
	s := Sign{Serial: d.Serial, Key: key.Name, NotBefore: d.NotBefore, Timeout: d.Config.HTTP()}
	s.Header, s.Claims = wire.Proof(wire.ProofParams{
		Method: "POST", URL: at.TokenEndpoint, ID: d.Proof.ID, At: d.Proof.At, Nonce: d.Proof.Nonce, Alg: key.Alg, Key: key.Public,
	})
	return s
}

// proof is the signed proof for the next request; empty if the request needs none.
func (d *Data) proof() wire.Secret {
	if d.Proof == nil {
		return ""
	}
	return d.Proof.Text
}

// toSign holds if something that the next request needs was drawn and must be signed.
func toSign(client func(*Data) wire.Client) func(*Data) string {
	return func(d *Data) string {
		switch {
		case client(d).Method == wire.MethodJWT:
			if s := assertionDrawn(d); s != "" || !d.Proves() {
				return s
			}
		case !d.Proves():
			return "nothing is to be signed"
		}
		return unless(d.Proof != nil && d.Proof.ID != "", "no proof was drawn")
	}
}

// proven holds if the next request has a signed proof, or needs none and has none, because a
// refusal of a proof would lead to another proof.
func proven(d *Data) string {
	if !d.Proves() {
		return unless(d.Proof == nil, "there is a proof for a request that needs none")
	}
	return unless(d.proof() != "", "the proof was not signed")
}
