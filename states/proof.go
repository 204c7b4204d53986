package states

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// What is known of proofs of possession (DPoP, RFC 9449): tokens that are bound to a key
// of this client are good together with a proof of it, made anew for every request. The
// key stays with the host that carries out the effects.

// TokenBinding is whether tokens are to be bound to a key of this client.
type TokenBinding string

// The bindings.
const (
	NoBinding      TokenBinding = ""        // bearer tokens
	TryBinding     TokenBinding = "try"     // bound ones, where the issuer offers them
	RequireBinding TokenBinding = "require" // bound ones, or none
)

// ProofKey says of the key that proofs are signed with what the machine has to know.
type ProofKey struct {
	// Name is what the key is asked for by (Sign).
	Name string `json:"name"`
	// Alg is the algorithm (JWA, RFC 7518 §3.1), Public the public half as a JWK.
	Alg    string `json:"alg"`
	Public string `json:"public"`
	// Thumbprint is that of Public (RFC 7638); New fills it in.
	Thumbprint string `json:"thumbprint,omitempty"`
}

// Proof is what the proof for the next request is made of that is drawn, heard or read
// off the clock, and then the proof itself.
type Proof struct {
	ID    string      `json:"id"` // jti
	At    time.Time   `json:"at"` // iat
	Nonce string      `json:"nonce,omitempty"`
	Text  wire.Secret `json:"text,omitempty"`
	// Nonced and Dated say that the request was sent again for another nonce, and for
	// another time: each once (rules ext-dpop-nonce-cap, ext-dpop-clock).
	Nonced bool `json:"nonced,omitzero"`
	Dated  bool `json:"dated,omitzero"`
}

// Nonce is what an issuer said last that proofs for it shall hold.
type Nonce struct {
	Issuer string `json:"issuer"`
	Value  string `json:"value"`
}

// Proves reports whether the token requests of the login under way, or of the token
// that is held, come with a proof.
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

// Binds reports whether no token is taken that is not bound: because the host or the
// resource says so, or since the token that is refreshed is bound.
func (d *Data) Binds() bool {
	if d.Flow == nil {
		return d.Config.Binding == RequireBinding || d.Token() != nil && d.Token().Thumbprint != ""
	}
	return d.Config.Binding == RequireBinding || d.Flow.Binds
}

// Fits reports whether a token can be used with the keys that are here, and is bound
// where it has to be; an ID token is one for a login at its provider, and for nothing else,
// also where a resource has the provider's address (rule ext-ema-id-token-stays).
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

// proof is the one that was signed for the next request; empty when it needs none.
func (d *Data) proof() wire.Secret {
	if d.Proof == nil {
		return ""
	}
	return d.Proof.Text
}

// toSign holds where something that the next request needs was drawn and is to be
// signed.
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

// proven holds where the next request has a proof that was signed, or needs none and has
// none: a refusal of one would lead to another.
func proven(d *Data) string {
	if !d.Proves() {
		return unless(d.Proof == nil, "there is a proof for a request that needs none")
	}
	return unless(d.proof() != "", "the proof was not signed")
}
