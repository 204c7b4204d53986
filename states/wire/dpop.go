package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// Proof of possession (DPoP, RFC 9449): a JWT that a client makes for one request,
// signed with the key that its token is bound to. The key is not here: this package
// builds the text that is to be signed, and a caller who judges a proof must have checked
// its signature before.

// ProofWindow is how far the time in a proof may be from the clock of the server that
// judges it (rule ext-dpop-rs-validate).
const ProofWindow = 5 * time.Minute

// ProofAlgs are the algorithms that a proof may be signed with; all are asymmetric
// (RFC 9449 §4.2).
var ProofAlgs = []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// ProofParams is what a proof is made from.
type ProofParams struct {
	Method string // htm
	URL    string // htu is this address without query and fragment
	ID     string // jti, never used before
	At     time.Time
	Nonce  string // the last nonce that the server gave; "" if it gave none
	Token  Secret // the access token that goes with it; "" at a token endpoint
	Alg    string
	Key    string // the public key, a JWK as JSON
}

// Proof gives the header and the claims of a proof, as JSON.
//
// Rules: ext-dpop-proof-form, ext-dpop-htu, ext-dpop-no-content-digest.
func Proof(p ProofParams) (header, claims string) {
	h := appendMember([]byte{'{'}, "typ", "dpop+jwt")
	h = appendMember(h, "alg", p.Alg)
	h = append(appendName(h, "jwk"), p.Key...)
	c := appendMember([]byte{'{'}, "jti", p.ID)
	c = appendMember(c, "htm", p.Method)
	c = appendMember(c, "htu", proofTarget(p.URL))
	c = strconv.AppendInt(appendName(c, "iat"), p.At.Unix(), 10)
	c = appendMember(c, "nonce", p.Nonce)
	c = appendMember(c, "ath", TokenHash(p.Token))
	return string(append(h, '}')), string(append(c, '}'))
}

// proofTarget is a URL in the form of htu: without query and fragment (RFC 9449 §4.2).
func proofTarget(url string) string {
	if n := strings.IndexAny(url, "?#"); n >= 0 {
		return url[:n]
	}
	return url
}

// TokenHash is the ath of an access token (RFC 9449 §4.2); "" for none.
func TokenHash(token Secret) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Thumbprint is the SHA-256 thumbprint of a public JWK (RFC 7638); "" for a key that
// cannot sign proofs, and for a key that is not public.
func Thumbprint(jwk []byte) string {
	key, _ := ParseObject(jwk) // what is no object has no members
	return thumbprint(key)
}

// Members of a JWK that must not be shown (RFC 7518 §6).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func thumbprint(key Object) string {
	for _, name := range privateMembers {
		if _, there := key.Raw(name); there {
			return ""
		}
	}
	kty, _, _ := key.String("kty")
	members := map[string][]string{"EC": {"crv", "kty", "x", "y"}, "RSA": {"e", "kty", "n"}, "OKP": {"crv", "kty", "x"}}[kty]
	if members == nil {
		return ""
	}
	b := []byte{'{'}
	for _, name := range members {
		v, _, _ := key.String(name)
		if v == "" {
			return ""
		}
		b = appendMember(b, name, v)
	}
	sum := sha256.Sum256(append(b, '}'))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ReadProof is a parsed proof. Nothing in it may be trusted before its signature has
// been checked with Key and Alg.
type ReadProof struct {
	Alg        string
	Key        []byte // the JWK in the header, unchanged
	Thumbprint string // of Key
	ID         string
	Nonce      string
	At         time.Time

	method, target, tokenHash string
}

// maxProof limits the length of a proof. The id in it is remembered, so it has a limit too.
const (
	maxProof   = 8 << 10
	maxProofID = 512
)

// ParseProof parses the fields of the DPoP header of a request.
//
// Rules: ext-dpop-one-header, ext-dpop-proof-form.
func ParseProof(fields []string) (ReadProof, *Problem) {
	if len(fields) != 1 {
		return ReadProof{}, refuse(rules.ExtDPoPOneHeader, "there is not exactly one DPoP field")
	}
	bad := func(why string) (ReadProof, *Problem) {
		return ReadProof{}, refuse(rules.ExtDPoPProofForm, why)
	}
	parts := strings.Split(fields[0], ".")
	if len(parts) != 3 || len(fields[0]) > maxProof {
		return bad("the proof is not a JWT")
	}
	var objects [2]Object
	for i := range objects {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil {
			return bad("the proof is not a JWT")
		}
		if objects[i], err = ParseObject(raw); err != nil {
			return bad("the proof is not a JWT")
		}
	}
	header, claims := objects[0], objects[1]
	var p ReadProof
	typ, _, _ := header.String("typ")
	p.Alg, _, _ = header.String("alg")
	p.Key, _ = header.Raw("jwk")
	p.Thumbprint = Thumbprint(p.Key)
	p.ID, _, _ = claims.String("jti")
	p.Nonce, _, _ = claims.String("nonce")
	p.method, _, _ = claims.String("htm")
	p.target, _, _ = claims.String("htu")
	p.tokenHash, _, _ = claims.String("ath")
	at, _ := claims.Raw("iat")
	seconds, err := strconv.ParseFloat(string(at), 64)
	switch {
	case !strings.EqualFold(typ, "dpop+jwt"):
		return bad("typ is not dpop+jwt")
	case !slices.Contains(ProofAlgs, p.Alg):
		return bad("the algorithm is not one for proofs")
	case p.Thumbprint == "":
		return bad("jwk is not a public key")
	case p.ID == "" || len(p.ID) > maxProofID:
		return bad("jti is missing or too long")
	case p.method == "" || p.target == "":
		return bad("htm or htu is missing")
	case err != nil || math.Abs(seconds) > 1e12:
		return bad("iat is missing or no date")
	}
	p.At = time.Unix(int64(seconds), 0)
	return p, nil
}

// ProofFor is the request that a proof has to be for.
type ProofFor struct {
	Method string
	// URLs are the addresses that the request may have been sent to. There are several if
	// a server is known by several names.
	URLs []string
	At   time.Time
	// Window is how far the clocks may differ; 0 is ProofWindow.
	Window time.Duration
	// Token is the access token of the request; "" at a token endpoint.
	Token Secret
	// Thumbprint is that of the key that the token is bound to; "" if any key will do.
	Thumbprint string
}

// Judge says why a proof with a valid signature is not a proof for a request. The caller
// has to judge the nonce and the single use.
//
// Rules: ext-dpop-rs-validate, ext-dpop-htu.
func (p ReadProof) Judge(w ProofFor) *Problem {
	if w.Window == 0 {
		w.Window = ProofWindow
	}
	off := w.At.Sub(p.At)
	switch {
	case p.method != w.Method:
		return refuse(rules.ExtDPoPRSValidate, "htm is not the method of the request")
	case !slices.ContainsFunc(w.URLs, p.aims):
		return refuse(rules.ExtDPoPHTU, "htu is not the address of the request")
	case off > w.Window || off < -w.Window:
		return refuse(rules.ExtDPoPRSValidate, "iat is too far from now")
	case w.Token != "" && p.tokenHash != TokenHash(w.Token):
		return refuse(rules.ExtDPoPRSValidate, "ath is not that of the token")
	case w.Thumbprint != "" && p.Thumbprint != w.Thumbprint:
		return refuse(rules.ExtDPoPRSValidate, "the token is bound to another key")
	}
	return nil
}

// aims reports whether htu names an address. The case of the host, the default port and
// an empty path make no difference (RFC 9449 §4.3).
func (p ReadProof) aims(url string) bool {
	a, bad1 := ParseURL(p.target)
	b, bad2 := ParseURL(proofTarget(url))
	if bad1 != nil || bad2 != nil || a.query != "" || a.fragment || a.user {
		return false
	}
	return a.Canonical() == b.Canonical()
}

// maxNonce limits the length of a nonce, which is kept and sent with every request.
const maxNonce = 1024

// ProofNonce is the nonce in an answer (RFC 9449 §8.1); "" if there is none, or if the
// value cannot be a nonce.
//
// Rules: ext-dpop-nonce-scope.
func ProofNonce(r Response) string {
	list := r.Header.Header("DPoP-Nonce")
	if len(list) != 1 || len(list[0]) > maxNonce {
		return ""
	}
	for i := 0; i < len(list[0]); i++ {
		if c := list[0][i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return ""
		}
	}
	return list[0]
}
