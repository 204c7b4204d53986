package wire

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// Where a single byte decides, the tests of this file try every byte.

// TestEveryByteOfAURL: a path holds the characters of a URL, and escapes of two
// hexadecimal digits.
func TestEveryByteOfAURL(t *testing.T) {
	const taken = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?@!$&'()*+,;=[]{}|^"
	const digits = "0123456789ABCDEFabcdef"
	for c := range 256 {
		b := string([]byte{byte(c)})
		if bad := CheckURL("https://h/a"+b+"b", URLPolicy{}); (bad == nil) != strings.Contains(taken, b) {
			t.Errorf("byte %#x in a path: %v", c, bad)
		}
		for _, escape := range []string{"%" + b + "1", "%4" + b} {
			if bad := CheckURL("https://h/a"+escape, URLPolicy{}); (bad == nil) != strings.Contains(digits, b) {
				t.Errorf("the escape %q: %v", escape, bad)
			}
		}
	}
	for _, short := range []string{"%", "%4", "%4?x"} {
		if CheckURL("https://h/a"+short, URLPolicy{}) == nil {
			t.Errorf("the escape %q is taken", short)
		}
	}
}

// TestEveryEscapeOfAPath: an escape is the same as its character if the character has
// no special meaning (RFC 3986 §6.2.2.2); otherwise it makes a different path.
func TestEveryEscapeOfAPath(t *testing.T) {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for c := range 128 {
		b := string([]byte{byte(c)})
		if CheckURL("https://h/a"+b, URLPolicy{}) != nil || strings.ContainsAny(b, "?[]{}|^/") {
			continue // it is always written escaped, or ends the path
		}
		reach := at("https://h/x/a" + b + "b").Reach()
		for _, escape := range []string{fmt.Sprintf("%%%02X", c), fmt.Sprintf("%%%02x", c)} {
			if got, want := reach.Allows(parsed(t, "https://h/x/a"+escape+"b")), strings.Contains(unreserved, b); got != want {
				t.Errorf("a%sb for a%sb: %v", escape, b, got)
			}
		}
	}
}

// TestFlagsAndListsOfMetadata: null reads as absent and is no breach; a flag of another
// type is a breach; scopes may come as one string.
func TestFlagsAndListsOfMetadata(t *testing.T) {
	policy := ASMPolicy{Issuer: "https://as.example", RequirePKCE: true}
	const flag = "authorization_response_iss_parameter_supported"
	for value, found := range map[string]bool{"null": false, "true": false, "false": false, `"true"`: true, "1": true} {
		m, notes, bad := ParseASM(answer(200, asmDoc(flag, value)), policy)
		if bad != nil || (len(notes) > 0) != found || m.Iss != (value == "true") {
			t.Errorf("%s: %v %v %v", value, m.Iss, notes, bad)
		}
	}
	m, _, bad := ParseASM(answer(200, asmDoc("scopes_supported", `"a b a"`)), policy)
	if bad != nil || strings.Join(m.ScopesSupported, ",") != "a,b" {
		t.Errorf("%q %v", m.ScopesSupported, bad)
	}
}

// TestEveryStatusOfAToken: which statuses give a token, and what the others mean.
func TestEveryStatusOfAToken(t *testing.T) {
	const body = `{"access_token":"at","token_type":"Bearer"}`
	for status := 200; status < 600; status++ {
		tok, _, bad := ParseToken(answer(status, body), TokenPolicy{})
		if (bad == nil) != (status < 300) || (tok.AccessToken != "") != (status < 300) {
			t.Fatalf("%d: %v", status, bad)
		}
		if bad == nil {
			continue
		}
		if redirects := bad.Rule == rules.TokenReqNoRedirect; redirects != (status < 400) {
			t.Errorf("%d: %v", status, bad)
		}
	}
	for after, want := range map[string]time.Duration{"315360000": maxLifetime, "315359999": maxLifetime - time.Second, "315360001": maxLifetime} {
		tok, notes, _ := ParseToken(answer(200, strings.Replace(body, "}", `,"expires_in":`+after+"}", 1)), TokenPolicy{})
		if tok.ExpiresIn != want || (len(notes) > 0) != (after == "315360001") {
			t.Errorf("%s: %v %v", after, tok.ExpiresIn, notes)
		}
	}
	// A comma at the beginning is a separator as well.
	tok, _, _ := ParseToken(answer(200, strings.Replace(body, "}", `,"scope":",a"}`, 1)), TokenPolicy{CommaScope: true})
	if strings.Join(tok.Scopes, "|") != "a" {
		t.Errorf("%q", tok.Scopes)
	}
}

// TestFieldsAreMasked: a secret field is written masked, and is marked as secret.
func TestFieldsAreMasked(t *testing.T) {
	for _, c := range []struct {
		f    Field
		want string
	}{
		{Field{Name: "a", Value: "b"}, `{"n":"a","v":"b"}`},
		{Field{Name: "a", Value: "secret-value", Secret: true}, `{"n":"a","v":"` + mask + `","s":true}`},
	} {
		if b, err := c.f.MarshalJSON(); err != nil || string(b) != c.want {
			t.Errorf("%s %v", b, err)
		}
	}
}
