package wire

import (
	"strconv"
	"time"
)

// Client authentication by a signed assertion: private_key_jwt (RFC 7521 §4.2,
// RFC 7523 §2.2, §3). The key is not here: this package builds the text that is to be
// signed, and what comes back is a JWS in compact form (RFC 7515 §7.1).

// AssertionType is the client_assertion_type of a JWT (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// AssertionLife is how long an assertion may be used (rule clientauth-jwt-fresh).
const AssertionLife = 60 * time.Second

// AssertionParams is what an assertion is made from.
type AssertionParams struct {
	Client   string // client_id: iss and sub
	Audience string // the issuer, or its token endpoint for issuers that require that
	ID       string // jti, never used before
	At       time.Time
	Alg      string // a JWA name (RFC 7518 §3.1)
	KeyID    string // kid; "" leaves it out
}

// ClientAssertion gives the header and the claims of an assertion, as JSON.
// Rules: clientauth-jwt-claims, clientauth-jwt-fresh.
//
// Rules: clientauth-jwt-claims, clientauth-jwt-fresh.
func ClientAssertion(p AssertionParams) (header, claims string) {
	h := appendMember([]byte{'{'}, "alg", p.Alg)
	h = appendMember(h, "typ", "JWT")
	h = appendMember(h, "kid", p.KeyID)
	c := appendMember([]byte{'{'}, "iss", p.Client)
	c = appendMember(c, "sub", p.Client)
	c = appendMember(c, "aud", p.Audience)
	c = appendMember(c, "jti", p.ID)
	c = strconv.AppendInt(appendName(c, "iat"), p.At.Unix(), 10)
	c = strconv.AppendInt(appendName(c, "exp"), p.At.Add(AssertionLife).Unix(), 10)
	return string(append(h, '}')), string(append(c, '}'))
}
