package wire

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// TestDeviceEdges: an answer that was cut off is none, a complete address that holds more
// than an address may is left out, and a number that is none counts as absent.
// Rules: ext-device-response, ext-device-verification-uri.
func TestDeviceEdges(t *testing.T) {
	const codes = `"device_code":"dev","user_code":"WDJB-MJHT"`
	const whole = codes + `,"verification_uri":"https://as.example/device"`
	for _, c := range []struct {
		name, body string
		rule       rules.ID
		every, in  time.Duration
		note       []rules.ID
	}{
		{"numbers", whole + `,"expires_in":"60","interval":9.0`, "", 9 * time.Second, time.Minute, nil},
		{"an interval that is none", whole + `,"expires_in":60,"interval":"soon"`, "", 5 * time.Second, time.Minute, nil},
		{"a negative interval", whole + `,"expires_in":60,"interval":-7`, "", 5 * time.Second, time.Minute, nil},
		{"a day to decide", whole + `,"expires_in":86400`, "", 5 * time.Second, time.Hour, nil},
		{"longer than can be counted", whole + `,"expires_in":1e99`, "", 5 * time.Second, time.Hour, nil},
		{"no end", whole + `,"expires_in":true`, rules.ExtDeviceResponse, 0, 0, nil},
		{"at its end", whole + `,"expires_in":0`, rules.ExtDeviceResponse, 0, 0, nil},
		{"complete with a fragment", whole + `,"expires_in":60,"verification_uri_complete":"https://as.example/device#c"`, "", 5 * time.Second, time.Minute, []rules.ID{rules.ExtDeviceVerificationURI}},
		{"no address under any name", codes + `,"expires_in":60`, rules.ExtDeviceVerificationURI, 0, 0, nil},
		{"Google's name", codes + `,"expires_in":60,"verification_url":"https://as.example/device"`, "", 5 * time.Second, time.Minute, []rules.ID{rules.ExtDeviceResponse}},
	} {
		d, found, bad := ParseDevice(answer(200, "{"+c.body+"}"), URLPolicy{})
		wantRule(t, c.name, bad, c.rule)
		if d.Interval != c.every || d.ExpiresIn != c.in || d.Complete != "" {
			t.Errorf("%s: %+v", c.name, d)
		}
		notes(t, found, c.note...)
	}
	cut := answer(200, "{"+whole+`,"expires_in":60}`)
	cut.Oversized = true
	_, _, bad := ParseDevice(cut, URLPolicy{})
	wantRule(t, "an answer that was cut off", bad, rules.ExtDeviceResponse)
}

// TestRegistrationAnswers: what an answer to a registration says is kept where it can be
// used, and the rest is as it was asked for.
// Rules: dcr-management-secret, dcr-response-authoritative, dcr-response-redirect-kept.
func TestRegistrationAnswers(t *testing.T) {
	const none = `"client_id":"a","token_endpoint_auth_method":"none"`
	const token, where = `,"registration_access_token":"rat"`, `,"registration_client_uri":"https://as.example/c/a"`
	asked := RegistrationParams{Endpoint: "https://as.example/register", RedirectURIs: []string{"http://127.0.0.1/cb", "https://app.example/cb"}}
	own := asked
	own.GrantTypes = []string{"authorization_code", "refresh_token"}
	machine := RegistrationParams{Endpoint: asked.Endpoint, GrantTypes: []string{"client_credentials"}}
	for _, c := range []struct {
		name, body string
		p          RegistrationParams
		uri        string
		token      Secret
		redirects  []string
		note       []rules.ID
	}{
		{"a token and its address", none + token + where, asked, "https://as.example/c/a", "rat", asked.RedirectURIs, nil},
		{"an address without a token", none + where, asked, "", "", asked.RedirectURIs, nil},
		{"a token without an address", none + token, asked, "", "", asked.RedirectURIs, nil},
		{"a token that no header can carry", none + `,"registration_access_token":"r\u0007t"` + where, asked, "", "", asked.RedirectURIs, nil},
		{"one redirect URI", none + `,"redirect_uris":["http://127.0.0.1/cb"]`, asked, "", "", asked.RedirectURIs[:1], nil},
		{"redirect URIs that are no list of texts", none + `,"redirect_uris":["http://127.0.0.1/cb",3]`, asked, "", "", asked.RedirectURIs, nil},
		{"no redirect URIs for a machine", none + `,"redirect_uris":[]`, machine, "", "", nil, nil},
		{"without the grant that was asked for by name", none + `,"grant_types":["refresh_token"]`, own, "", "", asked.RedirectURIs, []rules.ID{rules.DCRResponseAuthoritative}},
		{"a method that is no text", `"client_id":"a","token_endpoint_auth_method":3`, asked, "", "", asked.RedirectURIs, []rules.ID{rules.DCRResponseComplete}},
	} {
		got, found, bad := ParseRegistration(answer(201, "{"+c.body+"}"), c.p, nil, time.Time{})
		wantRule(t, c.name, bad, "")
		if got.RegistrationURI != c.uri || got.RegistrationToken != c.token || !slices.Equal(got.RedirectURIs, c.redirects) || got.Method != MethodNone {
			t.Errorf("%s: %+v", c.name, got)
		}
		notes(t, found, c.note...)
	}
	_, _, bad := ParseRegistration(answer(300, "{"+none+"}"), asked, nil, time.Time{})
	wantRule(t, "300", bad, rules.NetRedirectPost)
	// A secret without a method, where only none is listed: the method was not registered.
	_, found, bad := ParseRegistration(answer(201, `{"client_id":"a","client_secret":"s","client_secret_expires_at":0}`), asked, []string{MethodNone}, time.Time{})
	wantRule(t, "a secret without a method", bad, "")
	notes(t, found, rules.ClientauthMethodSupported, rules.DCRResponseComplete)
}

// TestMethodsThatCannotBe: the refusal of a method says what is missing, and a client
// document does not make an unknown method a known one.
func TestMethodsThatCannotBe(t *testing.T) {
	_, _, bad := ChooseMethod(Client{Method: MethodJWT}, nil, false)
	wantRule(t, "private_key_jwt without a key", bad, rules.ClientauthMTLSUnsupported)
	says(t, bad.Detail, "needs a key")
	_, _, bad = ChooseMethod(Client{Source: SourceCIMD, Method: "tls_client_auth"}, nil, false)
	wantRule(t, "a certificate", bad, rules.ClientauthMTLSUnsupported)
}

// TestFormsInPlaceOfJSON: a form is read up to the length of a document, and up to 64 fields.
// Rules: token-resp-json.
func TestFormsInPlaceOfJSON(t *testing.T) {
	const token = "access_token=at&token_type=bearer"
	long := func(n int) string { return token + "&x=" + strings.Repeat("y", n-len(token)-3) }
	many := func(n int) string {
		b := token
		for i := range n - 2 {
			b += "&x" + string(rune('A'+i)) + "=y"
		}
		return b
	}
	for name, c := range map[string]struct {
		body string
		rule rules.ID
	}{
		"as long as may be":  {long(MaxBody), ""},
		"longer":             {long(MaxBody + 1), rules.TokenRespJSON},
		"as many as may be":  {many(64), ""},
		"more":               {many(65), rules.TokenRespJSON},
		"a list before that": {"[1]", rules.TokenRespJSON},
	} {
		_, _, bad := ParseToken(Response{Status: 200, Body: []byte(c.body)}, TokenPolicy{})
		wantRule(t, name, bad, c.rule)
	}
}

// TestErrorsThatAreNone: an answer that was cut off, or that is not final, is not an OAuth
// error. An error without a description is reported by its code alone.
func TestErrorsThatAreNone(t *testing.T) {
	for name, r := range map[string]Response{
		"cut off":         {Status: 400, Oversized: true, Body: []byte(`{"error":"invalid_grant"}`)},
		"not final":       answer(103, `{"error":"invalid_grant"}`),
		"below any":       answer(199, `{"error":"invalid_grant"}`),
		"error is a list": answer(400, `{"error":["invalid_grant"],"error_uri":3}`),
	} {
		if e := ParseOAuthError(r); e != nil {
			t.Errorf("%s: %v", name, e)
		}
	}
	e := ParseOAuthError(answer(400, `{"error":"invalid_grant","error_description":7,"error_uri":["x"]}`))
	if e == nil || *e != (OAuthError{Code: CodeInvalidGrant}) {
		t.Errorf("%+v", e)
	}
	if got := (&Problem{Rule: rules.TokenResp200, OAuth: &OAuthError{Code: "a", Raw: "a"}}).Words(); got != "(a)" {
		t.Errorf("%q", got)
	}
}

// TestResourceOfTheReference: a document is judged by the address that it was asked for, and
// a resource elsewhere is refused as such, wherever its address came from.
func TestResourceOfTheReference(t *testing.T) {
	prm := func(resource string) Response {
		return answer(200, `{"resource":"`+resource+`","authorization_servers":["https://as.example"]}`)
	}
	p := PRMPolicy{Server: at("https://mcp.example/mcp"), Reference: at("https://mcp.example/mcp/"), FromHeader: true}
	_, found, bad := ParsePRM(prm("https://mcp.example/mcp"), p)
	breaks(t, bad, "", false)
	notes(t, found, rules.PRMResourceSlash)
	_, _, bad = ParsePRM(prm("https://other.example/mcp"), p)
	breaks(t, bad, rules.PRMResourceCrossOrigin, false)
}

// TestProofLimits: a proof may be 8 KiB long. Its hash of a token counts only where there is
// a token, and a target that is no address is the address of nothing.
// Rules: ext-dpop-proof-form, ext-dpop-rs-validate, ext-dpop-htu.
func TestProofLimits(t *testing.T) {
	const header = `{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}`
	proof := func(target, more string) string {
		return unsigned(header, `{"jti":"1","htm":"POST","htu":"`+target+`","iat":1000,"ath":"of another"`+more+`}`).Reveal()
	}
	const target = "https://as.example/token"
	p, bad := ParseProof([]string{proof(target, "")})
	wantRule(t, "a proof", bad, "")
	for _, c := range []struct {
		token Secret
		rule  rules.ID
	}{{"", ""}, {"at", rules.ExtDPoPRSValidate}} {
		wantRule(t, "for the token "+string(c.token), p.Judge(ProofFor{Method: "POST", URLs: []string{target}, At: time.Unix(1000, 0), Token: c.token}), c.rule)
	}
	nowhere, bad := ParseProof([]string{proof("nowhere", "")})
	wantRule(t, "a proof for nowhere", bad, "")
	wantRule(t, "nowhere", nowhere.Judge(ProofFor{Method: "POST", URLs: []string{"elsewhere"}, At: time.Unix(1000, 0)}), rules.ExtDPoPHTU)

	whole := proof(target, "")
	whole += strings.Repeat("A", 8<<10-len(whole))
	_, bad = ParseProof([]string{whole})
	wantRule(t, "8 KiB", bad, "")
	_, bad = ParseProof([]string{whole + "A"})
	wantRule(t, "a byte more", bad, rules.ExtDPoPProofForm)
}

// TestExpiryOfJWTs: the exp of an ID token is a number that may have a fraction or an
// exponent. Any other value counts as absent.
// Rules: ext-ema-renew.
func TestExpiryOfJWTs(t *testing.T) {
	for exp, end := range map[string]int64{`1753700000`: 1753700000, `1753700000.75`: 1753700000, `1.7537e9`: 1753700000, `1.75370000075e9`: 1753700000, `"1753700000"`: 1753700000,
		`".5"`: 0, `"12.5"`: 0, `0.5`: 0, `-1.5`: 0, `null`: 0, `{"a":1}`: 0} {
		until, bad := JudgeIdentity(unsigned(`{}`, `{"iss":"https://idp.example","aud":"c","exp":`+exp+`}`), IdentityPolicy{Provider: "https://idp.example", Client: "c", At: time.Unix(1753600000, 0)})
		if end == 0 {
			wantRule(t, exp, bad, rules.ExtEMARenew)
			says(t, bad.Detail, "has no exp")
		} else if bad != nil || until.Unix() != end {
			t.Errorf("%s: %v %v", exp, until, bad)
		}
	}
	broken := "e30." + base64.RawURLEncoding.EncodeToString([]byte("{ }")) + "!.s"
	_, bad := JudgeIdentity(Secret(broken), IdentityPolicy{})
	wantRule(t, "claims that are not base64", bad, rules.ExtEMASubjectTypes)
	jag := unsigned(`{"typ":"oauth-id-jag+jwt"}`, `{"aud":"https://as.example","client_id":"c","exp":2000}`)
	found, bad := JudgeGrant(jag, GrantPolicy{Issuer: "https://as.example", Client: "c", At: time.Unix(1000, 0)})
	wantRule(t, "an ID-JAG for no resource", bad, "")
	notes(t, found)
}
