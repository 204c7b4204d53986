package peer

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// forged lets in a JWT that no issuer signed, as its faults say. Its claims have to fit:
// a server that has one of these faults makes every other check.
func (s *RS) forged(at time.Time, token string) (Introspection, bool) {
	var h struct {
		Alg string         `json:"alg"`
		JWK jsontext.Value `json:"jwk"`
	}
	var claims bearerClaims
	header, payload, ok := parts(token)
	if !ok || json.Unmarshal(header, &h) != nil || json.Unmarshal(payload, &claims) != nil {
		return Introspection{}, false
	}
	aud, _ := listOf(claims.Aud)
	if !s.trusts(claims.Iss) || !s.meant(aud) || !at.Before(time.Unix(int64(claims.Exp), 0)) {
		return Introspection{}, false
	}
	switch {
	case h.Alg == "none":
		ok = s.faulty("jwt-alg-none")
	case strings.HasPrefix(h.Alg, "HS"):
		ok = s.faulty("jwt-hs256")
	case len(h.JWK) > 0:
		ok = s.faulty("jwt-own-key")
	default:
		ok = s.faulty("jwt-unverified")
	}
	return Introspection{Active: true, Issuer: claims.Iss, Subject: claims.Sub, ClientID: claims.ClientID, Audience: aud}, ok
}
