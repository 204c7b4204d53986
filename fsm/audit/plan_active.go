package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// The labels of active probes.
const (
	probeOpaque    = "mcp.token.opaque"
	probeJWT       = "mcp.token.jwt"
	probeNone      = "mcp.token.none"
	probeConfused  = "mcp.token.hs."
	probeMalformed = "mcp.malformed."
	probeQuery     = "mcp.query-token"
	probeSession   = "mcp.session"
	probeOrigin    = "mcp.origin"
	probeHost      = "mcp.host"
	probeInject    = "mcp.inject."
	probeReflect   = "reflect."
	probeSoft      = "prm.soft404"
	probeTruth     = "asm.truth."
	probeUnknown   = "az.unknown."
	probeToken     = "tok."
	probeInspect   = "int."
	probeRevoke    = "rev.nobody."
	probePreflight = "cors.token."
)

// canary is a host that nobody has (RFC 2606 §2); nothing is ever sent there.
const canary = "stile-audit-canary.invalid"

// madeUp is a token that nobody issued.
const madeUp = "stile-audit-token-that-nobody-issued"

// bearer adds a token to a request.
func bearer(r wire.Request, token string) wire.Request {
	r.Header = append(slices.Clone(r.Header), wire.Field{Name: "Authorization", Value: "Bearer " + token})
	return r
}

func list(e *Evidence) wire.Request {
	return post(e.Target, "2026-07-28", "tools/list", listTools)
}

func planTokens(e *Evidence) []Probe {
	jwt := segment(`{"alg":"RS256","typ":"at+jwt","kid":"stile-audit"}`) + "." + claims(e) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256))
	return append(planFirst(e),
		Probe{Label: probeOpaque, Leg: LegMCP, Request: bearer(list(e), madeUp)},
		Probe{Label: probeJWT, Leg: LegMCP, Request: bearer(list(e), jwt)})
}

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// claims are the claims of a token that the server would accept if it were signed.
func claims(e *Evidence) string { return segment(claimsText(e)) }

func claimsText(e *Evidence) string {
	issuer := ""
	if all := e.issuers(); len(all) > 0 {
		issuer = all[0]
	}
	resource := e.Target
	for _, m := range e.reading().prm {
		if r, _, ok := m.obj.String("resource"); ok {
			resource = r
		}
	}
	return `{"iss":` + strconv.Quote(issuer) + `,"aud":` + strconv.Quote(resource) + `,"sub":"stile-audit","client_id":"stile-audit","exp":4102444800,"iat":1790000000,"scope":""}`
}

// planForged needs to know the issuer and the resource.
func planForged(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	return append(out, Probe{Label: probeNone, Leg: LegMCP, Request: bearer(list(e), segment(`{"alg":"none","typ":"at+jwt"}`)+"."+claims(e)+".")})
}

// planConfused signs with HMAC and uses the first published RSA key as the secret, in
// each of its forms: as PEM, with and without the line end, and as DER.
func planConfused(e *Evidence) []Probe {
	out := planJWKS(e)
	if !answered(e, out) {
		return out
	}
	for _, m := range e.reading().jwks {
		keys, _ := objects(m.obj, "keys")
		for _, k := range keys {
			der := publicKey(k)
			if der == nil {
				continue
			}
			text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			kid, _, _ := k.String("kid")
			signed := segment(`{"alg":"HS256","typ":"at+jwt","kid":`+strconv.Quote(kid)+`}`) + "." + claims(e)
			for i, secret := range [][]byte{text, []byte(strings.TrimSpace(string(text))), der} {
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(signed))
				out = append(out, Probe{Label: probeConfused + strconv.Itoa(i), Leg: LegMCP,
					Request: bearer(list(e), signed+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))})
			}
			return out
		}
	}
	return out
}

// publicKey is an RSA key as SubjectPublicKeyInfo (RFC 8017 §A.1, RFC 5280
// §4.1.2.7); nil for any other key.
func publicKey(k wire.Object) []byte {
	if kty, _, _ := k.String("kty"); kty != "RSA" {
		return nil
	}
	number := func(name string) *big.Int {
		s, _, _ := k.String(name)
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(b) == 0 || len(b) > 2048 {
			return nil
		}
		return new(big.Int).SetBytes(b)
	}
	n, exp := number("n"), number("e")
	if n == nil || exp == nil {
		return nil
	}
	inner, err := asn1.Marshal(struct{ N, E *big.Int }{n, exp})
	if err != nil {
		return nil
	}
	type algorithm struct {
		OID    asn1.ObjectIdentifier
		Params asn1.RawValue
	}
	der, err := asn1.Marshal(struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue}, asn1.BitString{Bytes: inner, BitLength: len(inner) * 8}})
	if err != nil {
		return nil
	}
	return der
}

// malformed are Authorization fields that no client sends.
var malformed = [][]string{
	{"Bearer"}, {"Bearer a b"}, {"Basic c3RpbGU6YXVkaXQ="}, {"Bearer " + madeUp, "Bearer " + madeUp + "2"}, {"Bearer " + strings.Repeat("a", 16<<10)},
}

func planMalformed(e *Evidence) []Probe {
	out := planFirst(e)
	for i, values := range malformed {
		r := list(e)
		for _, v := range values {
			r.Header = append(r.Header, wire.Field{Name: "Authorization", Value: v})
		}
		out = append(out, Probe{Label: probeMalformed + strconv.Itoa(i), Leg: LegMCP, Request: r})
	}
	return out
}

// withQuery adds a parameter to an address.
func withQuery(raw, name, value string) string {
	sep := "?"
	if strings.Contains(raw, "?") {
		sep = "&"
	}
	return raw + sep + name + "=" + url.QueryEscape(value)
}

func planQueryToken(e *Evidence) []Probe {
	r := list(e)
	r.URL = withQuery(r.URL, "access_token", madeUp)
	return append(planFirst(e), Probe{Label: probeQuery, Leg: LegMCP, Request: r})
}

// with adds a header field to a request.
func with(r wire.Request, name, value string) wire.Request {
	r.Header = append(slices.Clone(r.Header), wire.Field{Name: name, Value: value})
	return r
}

func planSession(e *Evidence) []Probe {
	return append(planFirst(e), Probe{Label: probeSession, Leg: LegMCP,
		Request: with(post(e.Target, "2025-11-25", "", ping), "Mcp-Session-Id", "stile-audit-no-such-session")})
}

func planOrigin(e *Evidence) []Probe {
	return append(planFirst(e), Probe{Label: probeOrigin, Leg: LegMCP, Request: with(list(e), "Origin", "https://"+canary)})
}

func planHost(e *Evidence) []Probe {
	if !wire.IsLoopbackHTTP(e.Target) {
		return nil
	}
	return append(planFirst(e), Probe{Label: probeHost, Leg: LegMCP, Request: with(list(e), "Host", canary)})
}

func planInjection(e *Evidence) []Probe {
	path := list(e)
	path.URL += `/%22,%20injected=%22x%0d%0aX-Injected:%20x`
	return append(planFirst(e),
		Probe{Label: probeInject + "path", Leg: LegMCP, Request: path},
		Probe{Label: probeInject + "token", Leg: LegMCP, Request: bearer(list(e), ours+`",injected="x`)})
}

func planReflect(e *Evidence) []Probe {
	out := planPRM(e)
	if !answered(e, out) {
		return out
	}
	out = append(out, Probe{Label: probeReflect + "mcp", Leg: LegMCP, Request: with(list(e), "X-Forwarded-Host", canary)})
	for _, m := range e.reading().prm {
		if m.x.Probe == probePRMPath || m.x.Probe == probePRMRoot {
			out = append(out, Probe{Label: probeReflect + m.x.Probe, Leg: LegPRM, Request: with(wire.GetMetadata(m.x.Request.URL, "2026-07-28"), "X-Forwarded-Host", canary)})
		}
	}
	return out
}

func planReflectASM(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for _, m := range e.reading().asm {
		if strings.HasPrefix(m.x.Probe, probeASM) {
			out = append(out, Probe{Label: probeReflect + m.x.Probe, Leg: LegASM, Issuer: m.x.Issuer,
				Request: with(wire.GetMetadata(m.x.Request.URL, "2026-07-28"), "X-Forwarded-Host", canary)})
		}
	}
	return out
}

func planSoft404(e *Evidence) []Probe {
	at := wire.PRMRootURL(e.server())
	if at == "" {
		return nil
	}
	return []Probe{{Label: probeSoft, Leg: LegPRM, Request: wire.GetMetadata(at+"/stile-audit/no-such-path", "2026-07-28")}}
}
