package proving

import (
	"strings"
	"testing"
)

// A finding says which clients refuse and which go on, if that is known.
func TestAffected(t *testing.T) {
	for fault, want := range map[string]string{
		"asm-no-pkce":         "go-sdk",
		"asm-404":             "TypeScript SDK",
		"token-server-error":  "TypeScript SDK",
		"asm-issuer-mismatch": "refuse",
		"asm-issuer-slash":    "go-sdk",
	} {
		_, r, err := Run(Checks(), fault)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range r.Findings() {
			all = append(all, f.Affected)
		}
		if text := strings.Join(all, "\n"); !strings.Contains(text, want) {
			t.Errorf("%s: %q does not name %s", fault, text, want)
		}
	}
}
