package wire

import (
	"testing"

	"github.com/stile-oauth/stile/states/rules"
)

// Rules: revoke-client-auth, revoke-jsonp-never.
func TestRevokeRequest(t *testing.T) {
	r := RevokeRequest("https://as.example/revoke", Client{ID: "c", Method: MethodNone}, "rt", HintRefreshToken)
	if got := form(r.Form); r.Method != "POST" || got != "token=rt! token_type_hint=refresh_token client_id=c" {
		t.Error(got)
	}
	r = RevokeRequest("https://as.example/revoke", Client{ID: "c", Secret: "s", Method: MethodBasic}, "at", "")
	if got := form(r.Form); got != "token=at!" {
		t.Error(got)
	}
}

// Rules: revoke-body-ignored.
func TestJudgeRevocation(t *testing.T) {
	for _, tc := range []struct {
		name    string
		r       Response
		rule    rules.ID
		refuses bool
	}{
		{"200", answer(200, ""), "", false},
		{"200, body ignored (revoke-body-ignored)", answer(200, `{"error":"server_error"}`), "", false},
		{"204", answer(204, ""), "", false},
		{"unknown token", answer(400, `{"error":"invalid_token"}`), "", false},
		{"unsupported type (revoke-unsupported-type)", answer(400, `{"error":"unsupported_token_type"}`), "", false},
		{"503", answer(503, ""), rules.Revoke503Retry, false},
		{"500", answer(500, ""), rules.RevokeBestEffort, false},
		{"404", answer(404, "<html>"), rules.RevokeBestEffort, false},
		{"client refused", answer(401, `{"error":"invalid_client"}`), rules.RevokeBestEffort, false},
		{"redirect", answer(307, ""), rules.NetRedirectPost, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			breaks(t, JudgeRevocation(tc.r), tc.rule, tc.refuses)
		})
	}
}
