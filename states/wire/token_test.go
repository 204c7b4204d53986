package wire

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

func form(fs Fields) string {
	var out []string
	for _, f := range fs {
		s := f.Name + "=" + f.Value
		if f.Secret {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// Rules: token-req-post, token-req-form, token-req-grant-type,
// token-req-resource, token-req-client-id, token-req-no-query,
// token-req-param-once, token-req-accept-json, token-req-no-scope-on-code,
// refresh-resource.
func TestTokenRequests(t *testing.T) {
	p := TokenParams{
		Endpoint: "https://as.example/token", Client: Client{ID: "c", Method: MethodNone}, Code: "co", Verifier: "ve",
		RedirectURI: "http://127.0.0.1:1/cb", RefreshToken: "rt", Resource: "https://h/mcp",
	}
	r := TokenRequest(p)
	if got := form(r.Form); got != "grant_type=authorization_code code=co! redirect_uri=http://127.0.0.1:1/cb code_verifier=ve! resource=https://h/mcp client_id=c" {
		t.Error(got)
	}
	if r.Method != "POST" || r.URL != p.Endpoint || r.Body != nil {
		t.Error(r)
	}
	if got := form(r.Header); got != "Accept=application/json Content-Type=application/x-www-form-urlencoded" {
		t.Error(got)
	}
	if got := form(RefreshRequest(p).Form); got != "grant_type=refresh_token refresh_token=rt! resource=https://h/mcp client_id=c" {
		t.Error(got)
	}
	p.Resource, p.Client = "", Client{ID: "c", Secret: "s", Method: MethodPost}
	if got := form(RefreshRequest(p).Form); got != "grant_type=refresh_token refresh_token=rt! client_id=c client_secret=s!" {
		t.Error(got)
	}
	if s := fmt.Sprintf("%v %+v %#v", r, r, r); strings.Contains(s, "co\"") || strings.Contains(s, "ve\"") {
		t.Errorf("printing shows a secret: %s", s)
	}
}

type openToken struct {
	Access, Type, Refresh string
	Scopes                []string
	HasScope              bool
	In                    time.Duration
	HasExpiry             bool
}

// Rules: token-resp-expires-zero, token-resp-expires-absent,
// token-resp-unknown-ignored, token-resp-no-record-fields, token-resp-opaque,
// token-resp-id-token, token-resp-ok-false.
func TestParseToken(t *testing.T) {
	ok := func(members string) Response {
		return answer(200, `{"access_token":"at","token_type":"Bearer"`+members+`}`)
	}
	raw := func(body string) Response { return answer(200, body) }
	typed := func(media, body string) Response {
		return Response{Status: 200, Header: Fields{{Name: "Content-Type", Value: media}, {Name: "Cache-Control", Value: "no-store"}}, Body: []byte(body)}
	}
	min := openToken{Access: "at", Type: "Bearer"}
	with := func(f func(*openToken)) openToken { o := min; f(&o); return o }
	life := func(d time.Duration) openToken {
		return with(func(o *openToken) { o.In, o.HasExpiry = d, true })
	}
	scoped := func(s ...string) openToken {
		return with(func(o *openToken) { o.Scopes, o.HasScope = s, true })
	}
	one := func(id rules.ID) []rules.ID { return []rules.ID{id} }
	none := openToken{}
	for _, tc := range []struct {
		name    string
		r       Response
		p       TokenPolicy
		rule    rules.ID
		refuses bool
		want    openToken
		note    []rules.ID
	}{
		{"least", ok(``), TokenPolicy{}, "", false, min, nil},
		{"full", ok(`,"expires_in":3600,"refresh_token":"rt","scope":"a b"`), TokenPolicy{}, "", false, openToken{"at", "Bearer", "rt", []string{"a", "b"}, true, time.Hour, true}, nil},
		{"token_type in another case", raw(`{"access_token":"at","token_type":"bEARER"}`), TokenPolicy{}, "", false, min, nil},
		{"201", answer(201, `{"access_token":"at","token_type":"Bearer"}`), TokenPolicy{}, "", false, min, one(rules.TokenResp200)},
		{"cacheable", Response{Status: 200, Header: Fields{{Name: "content-type", Value: "application/json"}, {Name: "Cache-Control", Value: "private, max-age=5"}}, Body: []byte(`{"access_token":"at","token_type":"Bearer"}`)}, TokenPolicy{}, "", false, min, one(rules.TokenRespNoStore)},
		{"no-store among others", Response{Status: 200, Header: Fields{{Name: "content-type", Value: "application/json"}, {Name: "cache-control", Value: "private"}, {Name: "cache-control", Value: "no-cache, No-Store"}}, Body: []byte(`{"access_token":"at","token_type":"Bearer"}`)}, TokenPolicy{}, "", false, min, nil},

		{"zero (token-resp-expires-zero)", ok(`,"expires_in":0`), TokenPolicy{}, "", false, life(0), nil},
		{"absent (token-resp-expires-absent)", ok(``), TokenPolicy{}, "", false, min, nil},
		{"null", ok(`,"expires_in":null,"scope":null,"refresh_token":null,"error":null`), TokenPolicy{}, "", false, min, nil},
		{"decimal string (Entra v1)", ok(`,"expires_in":"3599"`), TokenPolicy{}, "", false, life(3599 * time.Second), one(rules.TokenRespExpiresIn)},
		{"whole number as a float", ok(`,"expires_in":3600.0`), TokenPolicy{}, "", false, life(time.Hour), nil},
		{"zero as a float", ok(`,"expires_in":0.0`), TokenPolicy{}, "", false, life(0), nil},
		{"exponent", ok(`,"expires_in":3.6e3`), TokenPolicy{}, "", false, life(time.Hour), nil},
		{"negative", ok(`,"expires_in":-1`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"negative float", ok(`,"expires_in":-1e400`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"fraction", ok(`,"expires_in":3600.5`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"junk string", ok(`,"expires_in":"soon"`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"empty string", ok(`,"expires_in":""`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"signed string", ok(`,"expires_in":"-5"`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"boolean", ok(`,"expires_in":true`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"array", ok(`,"expires_in":[1]`), TokenPolicy{}, "", false, min, one(rules.TokenRespExpiresIn)},
		{"huge", ok(`,"expires_in":99999999999`), TokenPolicy{}, "", false, life(maxLifetime), one(rules.TokenRespExpiresIn)},
		{"huger than the type", ok(`,"expires_in":99999999999999999999999`), TokenPolicy{}, "", false, life(maxLifetime), one(rules.TokenRespExpiresIn)},
		{"infinite", ok(`,"expires_in":1e999`), TokenPolicy{}, "", false, life(maxLifetime), one(rules.TokenRespExpiresIn)},
		{"ten years", ok(`,"expires_in":315360000`), TokenPolicy{}, "", false, life(maxLifetime), nil},

		{"scope as an array (Twitch)", ok(`,"scope":["a","b"]`), TokenPolicy{}, "", false, scoped("a", "b"), one(rules.TokenRespScopeString)},
		{"scope of another type", ok(`,"scope":1`), TokenPolicy{}, "", false, min, one(rules.TokenRespScopeString)},
		{"empty scope", ok(`,"scope":""`), TokenPolicy{}, "", false, with(func(o *openToken) { o.HasScope = true }), nil},
		{"commas", ok(`,"scope":"repo,gist"`), TokenPolicy{}, "", false, scoped("repo,gist"), one(rules.TokenRespScopeString)},
		{"commas, quirk comma-scope (GitHub)", ok(`,"scope":"repo,gist"`), TokenPolicy{CommaScope: true}, "", false, scoped("repo", "gist"), one(rules.TokenRespScopeString)},

		{"empty refresh token", ok(`,"refresh_token":""`), TokenPolicy{}, "", false, min, nil},
		{"refresh token of another type", ok(`,"refresh_token":7`), TokenPolicy{}, "", false, min, one(rules.TokenRespRefreshOptional)},
		{"refresh token expiry", ok(`,"refresh_token_expires_in":7`), TokenPolicy{}, "", false, min, one(rules.TokenRespRefreshExpiry)},
		{"nothing of the record (token-resp-no-record-fields)", ok(`,"issuer":"https://evil.example","resource":"x","token_endpoint":"y","id_token":"z"`), TokenPolicy{}, "", false, min, nil},

		{"no access token", raw(`{"token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespAccessToken, true, none, nil},
		{"empty access token", raw(`{"access_token":"","token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespAccessToken, true, none, nil},
		{"access token of another type", raw(`{"access_token":{"a":1},"token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespAccessToken, true, none, nil},
		{"access token folded", raw(`{"Access_Token":"at","token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespAccessToken, true, none, nil},
		{"access token with a line break", raw(`{"access_token":"a\r\nX: y","token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespTokenCharset, true, none, nil},
		{"access token with a space", raw(`{"access_token":"a b","token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespTokenCharset, true, none, nil},
		{"access token with a delete character", raw(`{"access_token":"a\u007f","token_type":"Bearer"}`), TokenPolicy{}, rules.TokenRespTokenCharset, true, none, nil},
		{"access token with other octets", raw(`{"access_token":"a|{b}","token_type":"Bearer"}`), TokenPolicy{}, "", false, openToken{Access: "a|{b}", Type: "Bearer"}, one(rules.TokenRespTokenCharset)},
		{"no token_type", raw(`{"access_token":"at"}`), TokenPolicy{}, "", false, min, one(rules.TokenRespTokenType)},
		{"token_type mac", raw(`{"access_token":"at","token_type":"mac"}`), TokenPolicy{}, rules.TokenRespTokenTypeKnown, true, none, nil},
		{"token_type of another type", raw(`{"access_token":"at","token_type":1}`), TokenPolicy{}, rules.TokenRespTokenTypeKnown, true, none, nil},
		{"DPoP not wanted", raw(`{"access_token":"at","token_type":"DPoP"}`), TokenPolicy{}, rules.TokenRespTokenTypeKnown, true, none, nil},
		{"token_type mac, DPoP wanted", raw(`{"access_token":"at","token_type":"mac"}`), TokenPolicy{DPoP: true}, rules.TokenRespTokenTypeKnown, true, none, one(rules.ExtDPoPType)},
		{"DPoP", raw(`{"access_token":"at","token_type":"dpop"}`), TokenPolicy{DPoP: true}, "", false, openToken{Access: "at", Type: "DPoP"}, nil},

		{"Slack user type", raw(`{"ok":true,"access_token":"at","token_type":"user"}`), TokenPolicy{}, rules.TokenRespTokenTypeKnown, true, none, nil},
		{"Slack user type, quirk slack-token-type", raw(`{"ok":true,"access_token":"at","token_type":"user"}`), TokenPolicy{SlackTokenType: true}, "", false, min, one(rules.TokenRespTokenType)},
		{"Slack nested token", raw(`{"ok":true,"authed_user":{"access_token":"at","token_type":"Bearer","scope":"a"}}`), TokenPolicy{}, rules.TokenRespAccessToken, true, none, nil},
		{"Slack nested token, quirk slack-authed-user", raw(`{"ok":true,"authed_user":{"access_token":"at","token_type":"Bearer","scope":"a"}}`), TokenPolicy{SlackAuthedUser: true}, "", false, scoped("a"), one(rules.TokenRespAccessToken)},
		{"Slack without nested token, quirk slack-authed-user", ok(`,"authed_user":{"id":"U1"}`), TokenPolicy{SlackAuthedUser: true}, "", false, min, nil},
		{"ok true proves nothing (token-resp-ok-false)", raw(`{"ok":true}`), TokenPolicy{}, rules.TokenRespAccessToken, true, none, nil},
		{"ok false", raw(`{"ok":false,"error":"invalid_code"}`), TokenPolicy{}, rules.TokenRespErrorStatus, false, none, one(rules.TokenRespErrorStatus)},
		{"error with 200 (GitHub)", raw(`{"error":"bad_verification_code","error_description":"x"}`), TokenPolicy{}, rules.TokenRespErrorStatus, false, none, one(rules.TokenRespErrorStatus)},
		{"error beside a token", ok(`,"error":"invalid_grant"`), TokenPolicy{}, rules.TokenRespErrorStatus, false, none, one(rules.TokenRespErrorStatus)},

		{"form (GitHub)", typed("application/x-www-form-urlencoded; charset=utf-8", "access_token=at&scope=repo%2Cgist&token_type=bearer"), TokenPolicy{CommaScope: true}, "", false, scoped("repo", "gist"), []rules.ID{rules.TokenRespJSON, rules.TokenRespScopeString}},
		{"form without label", typed("text/plain", "access_token=at&token_type=bearer\n"), TokenPolicy{}, "", false, min, one(rules.TokenRespJSON)},
		{"form with an error", typed("text/plain", "error=incorrect_client_credentials"), TokenPolicy{}, rules.TokenRespErrorStatus, false, none, []rules.ID{rules.TokenRespJSON, rules.TokenRespErrorStatus}},
		{"form with a name twice", typed("application/x-www-form-urlencoded", "access_token=at&access_token=b&token_type=bearer"), TokenPolicy{}, rules.TokenRespJSON, false, none, nil},
		{"JSON labelled as text", typed("text/plain", `{"access_token":"at","token_type":"Bearer"}`), TokenPolicy{}, "", false, min, one(rules.TokenRespJSON)},
		{"JSON labelled as form", typed("application/x-www-form-urlencoded", `{"access_token":"at","token_type":"Bearer"}`), TokenPolicy{}, "", false, min, one(rules.TokenRespJSON)},
		{"HTML", typed("text/html", "<html>access_token=at"), TokenPolicy{}, rules.TokenRespJSON, false, none, nil},
		{"nothing", raw(""), TokenPolicy{}, rules.TokenRespJSON, false, none, nil},
		{"array", raw("[]"), TokenPolicy{}, rules.TokenRespJSON, false, none, nil},
		{"duplicate", ok(`,"access_token":"b"`), TokenPolicy{}, rules.TokenRespJSONStrict, true, none, nil},
		{"trailing NUL", raw("{\"access_token\":\"at\",\"token_type\":\"Bearer\"}\x00"), TokenPolicy{}, rules.TokenRespJSONStrict, true, none, nil},
		{"too long", Response{Status: 200, Oversized: true, Body: []byte(`{"access_token":"at"}`)}, TokenPolicy{}, rules.TokenRespSize, true, none, nil},

		{"invalid_grant", answer(400, `{"error":"invalid_grant"}`), TokenPolicy{}, rules.TokenRespErrorVsTransient, false, none, nil},
		{"400 HTML", answer(400, `<html>`), TokenPolicy{}, rules.TokenRespErrorJSON, false, none, nil},
		{"403 of a firewall", answer(403, `{"message":"blocked"}`), TokenPolicy{}, rules.TokenRespErrorJSON, false, none, nil},
		{"429 with an error body", answer(429, `{"error":"invalid_grant"}`), TokenPolicy{}, rules.TokenRespErrorJSON, false, none, nil},
		{"503 with an error body", answer(503, `{"error":"invalid_grant"}`), TokenPolicy{}, rules.TokenResp200, false, none, nil},
		{"500 with a token", answer(500, `{"access_token":"at","token_type":"Bearer"}`), TokenPolicy{}, rules.TokenResp200, false, none, nil},
		{"307", answer(307, ``), TokenPolicy{}, rules.TokenReqNoRedirect, true, none, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tok, found, bad := ParseToken(tc.r, tc.p)
			breaks(t, bad, tc.rule, tc.refuses)
			got := openToken{tok.AccessToken.Reveal(), tok.Type, tok.RefreshToken.Reveal(), tok.Scopes, tok.HasScope, tok.ExpiresIn, tok.HasExpiry}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			notes(t, found, tc.note...)
			wantsOAuth := tc.rule == rules.TokenRespErrorStatus || tc.rule == rules.TokenRespErrorVsTransient
			if bad != nil && (bad.OAuth != nil) != wantsOAuth {
				t.Errorf("error response %v", bad.OAuth)
			}
		})
	}
}

func TestParseOAuthError(t *testing.T) {
	basic := Fields{{Name: "WWW-Authenticate", Value: `Basic realm="as"`}}
	for _, tc := range []struct {
		name string
		r    Response
		want *OAuthError
	}{
		{"plain", answer(400, `{"error":"invalid_grant","error_description":"gone\u001b[2J","error_uri":"https://as.example/e"}`), &OAuthError{Code: "invalid_grant", Description: "gone�[2J", URI: "https://as.example/e"}},
		{"form", answer(400, `error=invalid_grant&error_description=gone+now`), &OAuthError{Code: "invalid_grant", Description: "gone now"}},
		{"GitHub", answer(200, `{"error":"bad_refresh_token"}`), &OAuthError{Code: "invalid_grant", Raw: "bad_refresh_token"}},
		{"GitHub client", answer(200, `{"error":"incorrect_client_credentials"}`), &OAuthError{Code: "invalid_client", Raw: "incorrect_client_credentials"}},
		{"GitHub redirect", answer(200, `{"error":"redirect_uri_mismatch"}`), &OAuthError{Code: "invalid_request", Raw: "redirect_uri_mismatch"}},
		{"GitHub email", answer(200, `{"error":"unverified_user_email"}`), &OAuthError{Code: "access_denied", Raw: "unverified_user_email"}},
		{"Slack transient", answer(200, `{"ok":false,"error":"ratelimited"}`), &OAuthError{Code: "temporarily_unavailable", Raw: "ratelimited"}},
		{"Slack without a code", answer(200, `{"ok":false}`), &OAuthError{Code: "unknown_error", Raw: "ok: false"}},
		{"unknown code, verbatim and clean", answer(400, `{"error":"AADSTS\u202e9010010"}`), &OAuthError{Code: "AADSTS�9010010"}},
		{"401 with Basic", Response{Status: 401, Header: basic}, &OAuthError{Code: "invalid_client"}},
		{"401 with Basic and HTML", Response{Status: 401, Header: basic, Body: []byte("<html>")}, &OAuthError{Code: "invalid_client"}},
		{"401 with Bearer", Response{Status: 401, Header: wwwAuthenticate(`Bearer error="invalid_token"`)}, nil},
		{"400 with Basic", Response{Status: 400, Header: basic}, nil},
		{"error is an object", answer(400, `{"error":{"code":400,"message":"no"}}`), nil},
		{"empty error", answer(400, `{"error":""}`), nil},
		{"Error", answer(400, `{"Error":"invalid_grant"}`), nil},
		{"duplicate", answer(400, `{"error":"invalid_grant","error":"x"}`), nil},
		{"other JSON", answer(404, `{"message":"not found"}`), nil},
		{"a token", answer(200, benchTOK), nil},
		{"429", answer(429, `{"error":"invalid_grant"}`), nil},
		{"500", answer(500, `{"error":"invalid_grant"}`), nil},
		{"302", answer(302, `{"error":"invalid_grant"}`), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ParseOAuthError(tc.r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
