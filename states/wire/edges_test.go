package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// TestMetadataMembers: members that most documents leave out are read, and what they hold
// in place of their type is noted once.
func TestMetadataMembers(t *testing.T) {
	const iss = "https://as.example"
	good := asmDoc("device_authorization_endpoint", `"https://as.example/device"`, "dpop_signing_alg_values_supported", `["ES256"]`,
		"token_endpoint_auth_signing_alg_values_supported", `["EdDSA"]`)
	m, _, bad := ParseASM(answer(200, good), ASMPolicy{Issuer: iss, RequirePKCE: true})
	if bad != nil || m.DeviceEndpoint != iss+"/device" || !slices.Equal(m.ProofAlgs, []string{"ES256"}) || !slices.Equal(m.SigningAlgs, []string{"EdDSA"}) {
		t.Errorf("%+v %v", m, bad)
	}
	for _, c := range []struct {
		member, value, resource string
		note                    []rules.ID
	}{
		{"protected_resources", `["https://rs.example"]`, "", nil},
		{"protected_resources", `["https://rs.example"]`, "https://rs.example", nil},
		{"protected_resources", `["https://rs.example"]`, "https://other.example", []rules.ID{rules.PRMCrossCheck}},
		{"protected_resources", `3`, "https://other.example", nil},
		{"op_policy_uri", `null`, "", nil},
		{"op_policy_uri", `""`, "", nil},
		{"op_policy_uri", `3`, "", []rules.ID{rules.ASMEndpointsHTTPS}},
		{"registration_endpoint", `"http://as.example/r"`, "", []rules.ID{rules.ASMEndpointsHTTPS}},
	} {
		_, found, bad := ParseASM(answer(200, asmDoc(c.member, c.value)), ASMPolicy{Issuer: iss, RequirePKCE: true, Resource: c.resource})
		breaks(t, bad, "", false)
		notes(t, found, c.note...)
	}
}

// TestMetadataForMachines: a client without a user needs no authorization endpoint, but one
// that must never be followed refuses the document for it too.
func TestMetadataForMachines(t *testing.T) {
	const iss = "https://as.example"
	for _, c := range []struct {
		member, value string
		machine       bool
		rule          rules.ID
	}{
		{"authorization_endpoint", `"http://as.example/a"`, true, ""},
		{"authorization_endpoint", `"http://as.example/a"`, false, rules.ASMEndpointsHTTPS},
		{"authorization_endpoint", `"javascript:alert(1)"`, true, rules.ASMEndpointScheme},
		{"authorization_endpoint", `"https://as.example/a#b"`, true, rules.ASMEndpointNoFragment},
		{"authorization_endpoint", `"https://u@as.example/a"`, true, rules.ASMEndpointNoUserinfo},
		{"token_endpoint", `"http://as.example/t"`, true, rules.ASMEndpointsHTTPS},
	} {
		_, _, bad := ParseASM(answer(200, asmDoc(c.member, c.value)), ASMPolicy{Issuer: iss, Machine: c.machine})
		breaks(t, bad, c.rule, c.rule != "")
	}
	_, found, bad := ParseASM(answer(200, asmDoc("grant_types_supported", `["client_credentials"]`)), ASMPolicy{Issuer: iss, Machine: true})
	breaks(t, bad, "", false)
	notes(t, found)
	// The first address that refuses it is the one that is named.
	_, _, bad = ParseASM(answer(200, asmDoc("authorization_endpoint", `"https://u@as.example/a"`, "token_endpoint", `"javascript:x"`)), ASMPolicy{Issuer: iss})
	breaks(t, bad, rules.ASMEndpointNoUserinfo, true)
	_, _, bad = ParseASM(answer(200, asmDoc("issuer", `""`)), ASMPolicy{Issuer: iss})
	breaks(t, bad, rules.ASMIssuerPresent, false)
}

// TestPlainForm: only the http form of the same host is taken for the work of a proxy.
func TestPlainForm(t *testing.T) {
	for issuer, plain := range map[string]bool{
		"http://as.example": true, "http://other.example": false, "https://other.example": false, "not a url": false,
	} {
		_, _, bad := ParseASM(answer(200, asmDoc("issuer", `"`+issuer+`"`)), ASMPolicy{Issuer: "https://as.example"})
		if bad == nil || bad.Rule != rules.ASMIssuerMatch || bad.Plain != plain {
			t.Errorf("%s: %+v", issuer, bad)
		}
		if _, bad := MatchResource(at("https://as.example"), issuer, false); bad == nil || bad.Plain != plain {
			t.Errorf("resource %s: %+v", issuer, bad)
		}
	}
	if tier, bad := MatchResource(URL{}, "", false); bad == nil {
		t.Errorf("no address matches none: %s", tier)
	}
}

// TestIssuersThatAreNone: nothing is asked under an address that is no issuer.
func TestIssuersThatAreNone(t *testing.T) {
	for _, issuer := range []string{"as.example", "https://u@as.example", "https://as.example#f", "https://as.example?q", ""} {
		if SoundIssuer(issuer) || ASMAppendedURL(issuer+"/tenant") != "" {
			t.Errorf("%s is an issuer", issuer)
		}
	}
}

// TestAuthorizationParameters: an extra parameter without a value is sent, and an endpoint
// whose query cannot be read is refused.
func TestAuthorizationParameters(t *testing.T) {
	p := AuthorizationParams{Endpoint: "https://as.example/authorize", ClientID: "c", Extra: Fields{{Name: "prompt_for", Value: ""}, {Name: "client_id", Value: "c"}}}
	u, bad := AuthorizationURL(p)
	if bad != nil || !strings.HasSuffix(u, "&prompt_for=") || strings.Count(u, "client_id=") != 1 {
		t.Errorf("%s %v", u, bad)
	}
	if fs, ok := DecodeForm("a=%zz&b=c&%zz=d"); ok || len(fs) != 1 || fs[0].Value != "c" {
		t.Errorf("%v %v", fs, ok)
	}
}

// TestCallbackEdges: how long a callback may be, and which redirect URI it may come to.
func TestCallbackEdges(t *testing.T) {
	head := "/callback?code="
	if _, bad := ParseCallback(head + strings.Repeat("x", maxCallback-len(head))); bad != nil {
		t.Error(bad)
	}
	if _, bad := ParseCallback(head + strings.Repeat("x", maxCallback-len(head)+1)); bad == nil {
		t.Error("longer than 64 KiB")
	}
	for expected, got := range map[string]string{"no address": "/", "https://u@app.example/cb": "/cb", "https://app.example/cb#f": "/cb"} {
		if SameRedirect(expected, got) {
			t.Errorf("%s is reached by %s", expected, got)
		}
	}
	if !SameRedirect("https://app.example/cb?x=1", "/cb?x=1#f") {
		t.Error("the fragment of a browser is no part of the redirect URI")
	}
}

// TestWaits: what a server says about time.
func TestWaits(t *testing.T) {
	now := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{"10": 10 * time.Second, "3600": time.Hour, "99999999999999999999": time.Hour, "4294967297": time.Hour} {
		if got, ok := RetryAfter(Response{Header: Fields{{Name: "Retry-After", Value: v}}}, now); !ok || got != want {
			t.Errorf("%s: %v %v", v, got, ok)
		}
	}
	if _, ok := ResponseDate(Response{}); ok {
		t.Error("an answer without a date has one")
	}
	if got, ok := ResponseDate(Response{Header: Fields{{Name: "Date", Value: "Tue, 28 Jul 2026 12:00:00 GMT"}}}); !ok || !got.Equal(now) {
		t.Errorf("%v %v", got, ok)
	}
}

// TestMethodEdges: the rows of docs/decision-tables.md#t7 at their edges.
func TestMethodEdges(t *testing.T) {
	for _, c := range []struct {
		name     string
		client   Client
		listed   []string
		explicit bool
		want     string
		inferred bool
		note     []rules.ID
		rule     rules.ID
	}{
		{"a key that is listed", Client{Key: "k"}, []string{MethodJWT}, false, MethodJWT, false, nil, ""},
		{"a key that is not listed", Client{Key: "k", Inferred: true}, []string{MethodBasic}, false, MethodJWT, false, []rules.ID{rules.ClientauthMethodSupported}, ""},
		{"a key and no list", Client{Key: "k"}, nil, false, MethodJWT, false, nil, ""},
		{"a key and a secret, assertions listed", Client{Key: "k", Secret: "s"}, []string{MethodBasic, MethodJWT}, false, MethodJWT, false, nil, ""},
		{"a key and a secret, assertions not listed", Client{Key: "k", Secret: "s"}, []string{MethodBasic}, false, MethodBasic, true, nil, ""},
		{"none, configured", Client{Method: MethodNone}, nil, true, MethodNone, false, nil, ""},
		{"basic alone, for a secret that has to be encoded", Client{ID: "a", Secret: "s:/ "}, []string{MethodBasic}, false, MethodBasic, true, nil, ""},
		{"both, for a secret that has to be encoded", Client{ID: "a", Secret: "s:/ "}, []string{MethodBasic, MethodPost}, false, MethodPost, true, nil, ""},
		{"both, for a plain secret", Client{ID: "a", Secret: "s"}, []string{MethodBasic, MethodPost}, false, MethodBasic, true, nil, ""},
	} {
		got, found, bad := ChooseMethod(c.client, c.listed, c.explicit)
		wantRule(t, c.name, bad, c.rule)
		if got.Method != c.want || got.Inferred != c.inferred {
			t.Errorf("%s: %+v", c.name, got)
		}
		notes(t, found, c.note...)
	}
}

// TestProofParts: what a proof and a thumbprint are made of, and by how much the clocks may
// differ if nothing else is said.
func TestProofParts(t *testing.T) {
	now := time.Unix(1000, 0)
	h, c := Proof(ProofParams{Method: "POST", URL: "https://as.example/token?x#y", ID: "1", At: now, Alg: "ES256", Key: `{}`})
	if h != `{"typ":"dpop+jwt","alg":"ES256","jwk":{}}` || c != `{"jti":"1","htm":"POST","htu":"https://as.example/token","iat":1000}` {
		t.Errorf("%s %s", h, c)
	}
	h, c = ClientAssertion(AssertionParams{Client: "c", Audience: "https://as.example", ID: "1", At: now, Alg: "ES256", KeyID: "k"})
	if h != `{"alg":"ES256","typ":"JWT","kid":"k"}` || c != `{"iss":"c","sub":"c","aud":"https://as.example","jti":"1","iat":1000,"exp":1060}` {
		t.Errorf("%s %s", h, c)
	}
	if TokenHash("") != "" || Thumbprint([]byte(`{"kty":"unknown","x":"AA"}`)) != "" {
		t.Error("a hash of nothing")
	}
	_, bad := ParseProof([]string{unsigned("[]", "{}").Reveal()})
	wantRule(t, "a header that is no object", bad, rules.ExtDPoPProofForm)
	says(t, bad.Detail, "not a JWT")
	p, bad := ParseProof([]string{unsigned(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}`,
		`{"jti":"1","htm":"POST","htu":"https://as.example/token","iat":1000}`).Reveal()})
	wantRule(t, "a proof", bad, "")
	for off, ok := range map[time.Duration]bool{5 * time.Minute: true, 5*time.Minute + time.Second: false, -5 * time.Minute: true} {
		if got := p.Judge(ProofFor{Method: "POST", URLs: []string{"https://as.example/token"}, At: now.Add(off)}); (got == nil) != ok {
			t.Errorf("%v: %v", off, got)
		}
	}
	_, bad = JudgeGrant("no.jwt", GrantPolicy{})
	wantRule(t, "no JWT", bad, rules.ExtEMAJAGClaims)
}

// TestSecretsAreMarked: everything secret in a request is marked, so that no print shows it.
func TestSecretsAreMarked(t *testing.T) {
	const s = "s3cret-value"
	for _, r := range []Request{
		ExchangeRequest(TokenParams{Endpoint: "https://idp.example/token", Client: Client{ID: "c", Method: MethodBasic, Secret: s}, Assertion: s}, "aud"),
		RedeemRequest(TokenParams{Client: Client{ID: "c", Method: MethodPost, Secret: s}, Assertion: s}),
		TokenRequest(TokenParams{Client: Client{ID: "c", Method: MethodJWT, Assertion: s}, Code: s, Verifier: s}),
		RefreshRequest(TokenParams{Client: Client{ID: "c", Method: MethodNone}, RefreshToken: s}),
	} {
		text := fmt.Sprintf("%+v", r)
		if strings.Contains(text, s) || !strings.Contains(text, "grant_type=") || !strings.Contains(text, "secret(…)") {
			t.Error(text)
		}
	}
	if Secret(s).String() != "secret(…)" || Secret("").String() != "" {
		t.Error("a secret is not printed as one")
	}
}

// TestObjects: how documents are split, and what counts as an object.
func TestObjects(t *testing.T) {
	obj, err := ParseObject([]byte(`{"a":"x\",\"b\":\"y","c\"d":{"e":1},"f":[]}`))
	if err != nil || fmt.Sprint(obj) != `a c"d f` {
		t.Fatalf("%v %v", obj, err)
	}
	if s, _, _ := obj.String("a"); s != `x","b":"y` {
		t.Errorf("%q", s)
	}
	for name, want := range map[string][2]bool{"c\"d": {true, true}, "f": {true, false}, "g": {false, false}} {
		if _, there, ok := obj.Object(name); there != want[0] || ok != want[1] {
			t.Errorf("%s: %v %v", name, there, ok)
		}
	}
	escaped, err := ParseObject([]byte(`{"\u0061":"x"}`))
	if s, _, _ := escaped.String("a"); err != nil || s != "x" {
		t.Errorf("%q %v", s, err)
	}
	if list, there, ok := escaped.Strings("b"); list != nil || there || ok {
		t.Errorf("a list that is not there: %v %v %v", list, there, ok)
	}
	for body, want := range map[string]bool{`{}`: true, "{\"a\":\"\xff\"}": true, ` {"a":1,"a":2}`: true, `[1]`: false, `"x"`: false, ``: false, `{`: false} {
		if HoldsObject(Response{Body: []byte(body)}) != want {
			t.Errorf("%s: %v", body, !want)
		}
	}
	if HoldsObject(Response{Body: []byte(`{}`), Oversized: true}) {
		t.Error("a part of an object is one")
	}
	var fault *JSONError
	if _, err := ParseObject(make([]byte, 1<<20+1)); !errors.As(err, &fault) || fault.Offset != 1<<20 {
		t.Errorf("%v", err)
	}
	for in, want := range map[string]string{"&lt": "&lt", "&#9;": "\t", "&#x41;": "A", "&none;": "&none;"} {
		if got := string(UnescapeHTML(nil, []byte(in))); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

// TestErrorsInWords: an error is shown with the code that was sent, where that is another.
func TestErrorsInWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"invalid_grant"}`:                                "invalid_grant",
		`{"error":"bad_refresh_token","error_description":"gone"}`: "invalid_grant (sent as bad_refresh_token): gone",
	} {
		if got := ParseOAuthError(answer(400, body)).String(); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
	for status, rule := range map[int]rules.ID{199: rules.RevokeBestEffort, 200: "", 299: "", 300: rules.NetRedirectPost, 399: rules.NetRedirectPost, 400: rules.RevokeBestEffort, 503: rules.Revoke503Retry} {
		wantRule(t, fmt.Sprint(status), JudgeRevocation(Response{Status: status}), rule)
	}
}
