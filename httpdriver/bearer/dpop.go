package bearer

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// DPoP says how tokens that are bound to a key of the client are accepted (RFC 9449):
// each request carries a proof that the client has that key. It is MCP's draft extension
// io.modelcontextprotocol/auth/dpop.
type DPoP struct {
	// Required refuses tokens that are not bound.
	Required bool
	// Algorithms are those that proofs may be signed with; default ES256, EdDSA,
	// RS256 and PS256. Symmetric ones are refused.
	Algorithms []string
	// Window is how far the clock of a client may be off, default and at most 5
	// minutes.
	Window time.Duration
	// Addresses are the URLs to which a client may have sent a request; htu is compared
	// with them. The default is the origin of Policy.Resource with the path of the
	// request, whatever names this server has behind a proxy. Set it where a proxy
	// changes paths, or where clients know several names.
	Addresses func(*http.Request) []string
	// Nonces makes proofs hold a nonce of this server (RFC 9449 §9). If it is nil, none
	// is required.
	Nonces *Nonces
	// MaxProofs bounds how many proofs are remembered, so that none is used twice;
	// default 200,000. Beyond it requests are answered with 503.
	MaxProofs int
}

// possession is a DPoP whose values have been checked and completed.
type possession struct {
	DPoP
	algorithms []jose.SignatureAlgorithm
	listed     string // for challenges
	origin     string
	seen       *seen
}

func (c *Config) possession() (*possession, error) {
	if c.DPoP == nil {
		return nil, nil
	}
	p := &possession{DPoP: *c.DPoP}
	if len(p.Algorithms) == 0 {
		p.Algorithms = []string{"ES256", "EdDSA", "RS256", "PS256"}
	}
	for _, a := range p.Algorithms {
		if !slices.Contains(wire.ProofAlgs, a) {
			return nil, fmt.Errorf("bearer: %q is no algorithm for proofs", a)
		}
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(a))
	}
	p.listed = strings.Join(p.Algorithms, " ")
	if p.Window < 0 || p.Window > wire.ProofWindow {
		return nil, fmt.Errorf("bearer: the window of a proof is at most %s", wire.ProofWindow)
	}
	if p.Window == 0 {
		p.Window = wire.ProofWindow
	}
	if p.MaxProofs < 0 {
		return nil, errors.New("bearer: MaxProofs is negative")
	}
	if p.MaxProofs == 0 {
		p.MaxProofs = 200_000
	}
	p.seen = newSeen(p.MaxProofs, 2*p.Window)
	if p.Addresses == nil {
		u, err := url.Parse(c.Policy.Resource)
		if err != nil {
			return nil, err
		}
		p.origin = u.Scheme + "://" + u.Host
	}
	return p, nil
}

// prove judges the proof of a request with a token whose key is known. The verdict is 200
// if the proof is good; the proof must then still be remembered.
func (p *possession) prove(r *http.Request, at time.Time, token, thumbprint string) (wire.ReadProof, Verdict) {
	refused := func(rule rules.ID, says string) (wire.ReadProof, Verdict) {
		return wire.ReadProof{}, Verdict{Status: 401, Error: "invalid_dpop_proof", Rule: rule, Says: says}
	}
	if thumbprint == "" {
		return wire.ReadProof{}, Verdict{
			Status: 401, Error: "invalid_token", Rule: rules.ExtDPoPRSValidate, Says: "the token is not bound to a key",
		}
	}
	proof, bad := wire.ParseProof(r.Header["Dpop"])
	if bad != nil {
		return refused(bad.Rule, bad.Detail)
	}
	if !p.signed(r.Header["Dpop"][0], proof) {
		return refused(rules.ExtDPoPProofForm, "the signature of the proof is not good")
	}
	addresses := []string{p.origin + r.URL.EscapedPath()}
	if p.Addresses != nil {
		addresses = p.Addresses(r)
	}
	if bad := proof.Judge(wire.ProofFor{
		Method: r.Method, URLs: addresses, At: at, Window: p.Window, Token: wire.Secret(token), Thumbprint: thumbprint,
	}); bad != nil {
		return refused(bad.Rule, bad.Detail)
	}
	if p.Nonces != nil && !p.Nonces.good(at, proof.Nonce) {
		return wire.ReadProof{}, Verdict{
			Status: 401, Error: "use_dpop_nonce", Rule: rules.ExtDPoPRSNonce, Says: "the proof needs the nonce of this server",
		}
	}
	return proof, Verdict{Status: 200}
}

// signed checks the signature of a proof with the key that it brings.
func (p *possession) signed(text string, proof wire.ReadProof) bool {
	var key jose.JSONWebKey
	if key.UnmarshalJSON(proof.Key) != nil || !key.Valid() || !key.IsPublic() || !fits(jose.JSONWebKey{Key: key.Key}, proof.Alg) {
		return false
	}
	if ec, ok := key.Key.(*ecdsa.PublicKey); ok && proof.Alg != map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[ec.Params().BitSize] {
		return false
	}
	sig, err := jose.ParseSignedCompact(text, p.algorithms)
	if err != nil {
		return false
	}
	_, err = sig.Verify(key.Key)
	return err == nil
}

// once remembers a proof, and refuses one that was there before.
func (p *possession) once(at time.Time, proof wire.ReadProof) Verdict {
	switch p.seen.first(at, proof.Thumbprint+" "+proof.ID) {
	case seenBefore:
		return Verdict{Status: 401, Error: "invalid_dpop_proof", Rule: rules.ExtDPoPRSValidate, Says: "the proof was used before"}
	case seenFirst:
	case seenFull:
		return Verdict{Status: 503, Error: "temporarily_unavailable", Rule: rules.ExtDPoPRSValidate, Says: "too many proofs are remembered"}
	}
	return Verdict{Status: 200}
}
