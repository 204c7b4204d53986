package bearer

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/states/wire"
)

// FuzzParseKeys: of a key set only public keys are taken, and each fits one
// kind of algorithm; none verifies an HMAC.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"d","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"RSA","n":"AQAB","e":"AQAB"},7,null]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys(body)
		if err != nil {
			return
		}
		if keys == nil || len(keys) > 100 {
			t.Fatalf("%d keys", len(keys))
		}
		for _, k := range keys {
			if !k.Valid() || !k.IsPublic() {
				t.Fatalf("%+v", k)
			}
			kinds := 0
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				if k.Algorithm = ""; fits(k, alg) {
					kinds++
				}
			}
			if kinds > 1 || fits(k, "HS256") || fits(k, "none") {
				t.Fatalf("a key of %d kinds", kinds)
			}
		}
	})
}

// FuzzJWT: no token but those that the issuer signed is taken, whatever it
// says of itself; and what a payload holds is read or refused.
func FuzzJWT(f *testing.F) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", ed25519.SeedSize)))
	v, err := NewJWT(JWTConfig{Keys: StaticKeys([]jose.JSONWebKey{{Key: private.Public(), KeyID: "d"}})})
	if err != nil {
		f.Fatal(err)
	}
	part := base64.RawURLEncoding
	token := func(header, payload string) string {
		signed := part.EncodeToString([]byte(header)) + "." + part.EncodeToString([]byte(payload))
		return signed + "." + part.EncodeToString(ed25519.Sign(private, []byte(signed)))
	}
	const header = `{"alg":"EdDSA","typ":"at+jwt","kid":"d"}`
	payload := `{"iss":"https://as.example","sub":"ann","aud":["https://mcp.example/mcp"],"exp":1785243600,"scope":"user"}`
	good := token(header, payload)
	f.Add(header, payload, "")
	f.Add(header, `{"exp":1e400}`, good)
	f.Add(`{"alg":"none","typ":"at+jwt"}`, `{"aud":"x","scope":["a",1]}`, good+"x")
	f.Add(`{"alg":"EdDSA","typ":"at+jwt","b64":false,"crit":["b64"]}`, `{"cnf":{},"nbf":-1}`, "a.b.c")
	f.Fuzz(func(t *testing.T, header, payload, other string) {
		if c, err := v.Verify(context.Background(), other); err == nil && !strings.HasPrefix(other, good[:strings.LastIndexByte(good, '.')]) {
			t.Fatalf("%q is taken: %+v", other, c)
		}
		c, err := v.Verify(context.Background(), token(header, payload))
		if err != nil {
			if !errors.Is(err, ErrInvalidToken) {
				t.Fatal(err)
			}
			return
		}
		// encoding/json sees the same subject, and dates are the ones written.
		var std struct {
			Sub string
			Exp *float64
		}
		if !exact(payload) {
			return
		}
		if err := json.Unmarshal([]byte(payload), &std); err != nil {
			t.Fatalf("%s is taken: %v", payload, err)
		}
		if std.Sub != c.Subject || std.Exp != nil && c.Expires.Unix() != int64(math.Floor(*std.Exp)) {
			t.Fatalf("%s expires %s", payload, c.Expires)
		}
	})
}

// exact reports whether encoding/json, which folds the case of names, also
// beyond ASCII, reads the members that are meant.
func exact(payload string) bool {
	lower := strings.ToLower(payload)
	for _, name := range []string{"exp", "sub"} {
		if strings.Count(lower, name) != strings.Count(payload, `"`+name+`"`) {
			return false
		}
	}
	return !strings.ContainsAny(payload, "\\\u017f")
}

// FuzzMaxAge: no answer makes a key set last for ever, or not at all.
func FuzzMaxAge(f *testing.F) {
	f.Add("public, max-age=300")
	f.Add("Max-Age=-1, max-age=99999999999999999999")
	f.Add(`no-store,max-age="5"`)
	f.Fuzz(func(t *testing.T, field string) {
		if d := maxAge(field, 10*time.Minute); d < 0 || d > 24*time.Hour {
			t.Fatalf("%q: %s", field, d)
		}
	})
}

// FuzzChallenge: what we write, our own client reads as it was meant, and
// nothing that a peer put into it becomes another parameter
// (rs-challenge-no-injection).
func FuzzChallenge(f *testing.F) {
	f.Add("resource", "invalid_token", "the token is not well formed", "user admin")
	f.Add("", "", "", "")
	f.Add(`a"b\c`, "x, error=y", "\r\nSet-Cookie: a=b", "é \x00")
	f.Fuzz(func(t *testing.T, realm, code, says, scope string) {
		const metadata = "https://mcp.example/.well-known/oauth-protected-resource"
		field := Challenge(Verdict{Status: 401, Error: code, Says: says, Scopes: strings.Split(scope, " ")}, realm, metadata)
		read, found := wire.ParseChallenges(wire.Fields{{Name: "WWW-Authenticate", Value: field}})
		if len(found) > 0 || len(read) != 1 || read[0].Scheme != "bearer" {
			t.Fatalf("%q reads as %+v, %v", field, read, found)
		}
		want := map[string]string{"realm": realm, "error": code, "error_description": says, "scope": scope, "resource_metadata": metadata}
		for _, p := range read[0].Params {
			meant, ok := want[p.Name]
			delete(want, p.Name)
			if !ok || p.Value != printable(meant) {
				t.Fatalf("%s is %q, meant was %q", p.Name, p.Value, meant)
			}
		}
		if _, missing := want["resource_metadata"]; missing {
			t.Fatalf("%q names no metadata", field)
		}
	})
}

func printable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] >= 0x20 && s[i] < 0x7f {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// FuzzMetadataURL: server and client mean the same address.
func FuzzMetadataURL(f *testing.F) {
	for _, s := range []string{"https://mcp.example/mcp", "https://mcp.example", "https://mcp.example/", "https://h/a/b?c=d", "https://h?c", "https://h:8443/a/", "http://[::1]:80/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, resource string) {
		u, err := wire.CanonicalServer(resource)
		if err != nil || u.Judge(wire.URLPolicy{AllowLoopbackHTTP: true}) != nil {
			return
		}
		resource = u.String()
		if ours, theirs := MetadataURL(resource), wire.PRMPathURL(u); ours != theirs {
			t.Fatalf("the server says %q, the client asks %q", ours, theirs)
		}
	})
}
