package rules_test

import (
	"fmt"

	"github.com/stile-oauth/stile/states/rules"
)

// A refusal names a rule, and the rule says what was asked and where.
func Example() {
	if r, ok := rules.Lookup(rules.ASMIssuerMatch); ok {
		fmt.Println(r.Level, r.Who, r.Cited())
	}
	// Output:
	// MUST C RFC 8414 §3.3, §6.2; OpenID Connect Discovery §4.3; MCP 2026-07-28 authorization server discovery; conformance check sep-2468-client-validate-metadata-issuer
}
