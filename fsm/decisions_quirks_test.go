package fsm_test

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/rules"
)

// A quirk that acted is noted, so that a login says by what tolerance it worked
// (docs/decision-tables.md#t10).
func TestT10QuirksAreNoted(t *testing.T) {
	const metadata = `{"issuer":"https://as.example/tenant","authorization_endpoint":"https://as.example/tenant/authorize","token_endpoint":"https://as.example/tenant/token",` +
		`"response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"registration_endpoint":"https://as.example/tenant/register"}`
	for _, r := range []struct {
		id    string
		lines []string
		note  rules.ID
	}{
		{"assume-s256", lines("config waive=(assume-s256)", "peer faults=(asm-no-pkce)", "reach Authorizing"), rules.ASMPKCEAdvertised},
		{"omit-resource", lines("config waive=(omit-resource)", "reach Authorizing"), rules.AuthzReqResourceAlways},
		{"issuer-alias", lines("config waive=(issuer-alias|https://as.example|https://elsewhere.example)", "peer faults=(asm-issuer-mismatch)", "reach Authorizing"), rules.ASMIssuerAlias},
		{"google-offline", lines("config waive=(google-offline)", "reach Authorizing"), rules.AuthzReqPromptConsent},
		{"offline-alone", lines("config waive=(offline-alone)", "peer offline listed=()", "reach Authorizing"), rules.AuthzReqOfflineAccess},
		{"basic-raw", lines("config waive=(basic-raw) client=my-client client-issuer=https://as.example client-secret=my-client-secret", "begin login", "run"), rules.ClientauthBasicEncoding},
		{"appended-oauth", lines("config waive=(appended-oauth)", "peer issuer=https://as.example/tenant", "reach Discovering-ASM",
			"respond status=404", "respond status=404", "respond status=404", "respond\n"+metadata, "run"), rules.ASMProbeOrder},
		{"none, keys only", lines("config", "peer faults=(asm-tls-auth-only)", "reach Authorizing"), rules.ClientauthMTLSUnsupported},
	} {
		t.Run(r.id, func(t *testing.T) { tell(t, r.lines...).is(want{note: r.note}) })
	}
	// What did not act is not noted.
	for _, r := range [][]string{
		lines("config waive=(offline-alone)", "peer offline", "reach Authorizing"),
		lines("config waive=(appended-oauth)", "peer issuer=https://as.example/tenant", "reach Authorizing"),
		lines("config waive=(basic-raw)", "reach Authorizing"),
		lines("config waive=(redirect-localhost)", "reach Authorizing"),
	} {
		for _, n := range tell(t, r...).notes {
			switch n {
			case rules.AuthzReqOfflineAccess, rules.ASMProbeOrder, rules.ClientauthBasicEncoding, rules.AuthzReqLoopbackLiteral:
				t.Errorf("%v noted %s", r, n)
			}
		}
	}
}

// The tolerances that go by a provider's name hold for that name and not for one
// that ends or begins like it, and not with strict (docs/decision-tables.md#t10).
func TestT10ProvidersByName(t *testing.T) {
	token := func(members string) string {
		return `respond` + "\n" + `{"access_token":"a-new-token",` + members + `}`
	}
	comma := token(`"token_type":"Bearer","scope":"repo,gist"`)
	slack := token(`"token_type":"user","ok":true`)
	nested := `respond` + "\n" + `{"ok":true,"authed_user":{"access_token":"a-new-token","token_type":"Bearer","scope":"user"}}`
	for _, r := range []struct {
		issuer, answer string
		strict         bool
		granted        string // of the token that was taken; "" when none was
	}{
		{"https://github.com", comma, false, "repo gist"},
		{"https://github.com", comma, true, "repo,gist"},
		{"https://evilgithub.com", comma, false, "repo,gist"},
		{"https://github.com.evil.example", comma, false, "repo,gist"},
		{"https://api.github.com", comma, false, "repo,gist"},
		{"https://slack.com", slack, false, "user"},
		{"https://slack.com", slack, true, ""},
		{"https://team.slack.com", slack, false, "user"},
		{"https://evilslack.com", slack, false, ""},
		{"https://slack.com.evil.example", slack, false, ""},
		{"https://slack.com", nested, false, "user"},
		{"https://slack.com", nested, true, ""},
		{"https://evilslack.com", nested, false, ""},
		// By a quirk, wherever it is configured, and with strict as well.
		{"https://as.example waive=comma-scope", comma, true, "repo gist"},
		{"https://as.example waive=slack-token-type", slack, true, "user"},
		{"https://as.example waive=slack-authed-user", nested, true, "user"},
		{"https://as.example", slack, false, ""},
		{"https://as.example", nested, false, ""},
	} {
		issuer, quirk, _ := strings.Cut(r.issuer, " waive=")
		config := "config"
		if quirk != "" {
			config += " waive=(" + quirk + ")"
		}
		if r.strict {
			config += " strict"
		}
		y := tell(t, config, "peer issuer="+issuer, "reach Exchanging", r.answer)
		got := ""
		if o := y.data().Obtained; o != nil {
			got = strings.Join(o.Granted, " ")
		}
		if got != r.granted {
			t.Errorf("%s, strict %v, %.60s: granted %q, not %q (%v)", r.issuer, r.strict, r.answer, got, r.granted, y.data().Fault)
		}
	}
	for issuer, goes := range map[string]bool{
		"https://login.microsoftonline.com": true, "https://cognito-idp.eu-west-1.amazonaws.com": true,
		"https://login.microsoftonline.com.evil.example": false, "https://evillogin.microsoftonline.com": false,
		"https://cognito-idp.evil.example": false, "https://evil.amazonaws.com": false, "https://cognito-idp.eu-west-1.evilamazonaws.com": false,
		"https://as.example": false,
	} {
		for _, strict := range []string{"", " strict"} {
			y := tell(t, "config"+strict, "peer issuer="+issuer+" faults=(asm-no-pkce)", "begin login", "run")
			if got := len(y.visits) > 0; got != (goes && strict == "") {
				t.Errorf("%s%s: the user is sent there: %v (%v)", issuer, strict, got, y.data().Fault)
			}
		}
	}
}
