package fsm_test

import (
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
