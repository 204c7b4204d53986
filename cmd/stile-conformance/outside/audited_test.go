package main

import "testing"

// The audit of the go-sdk's server behind package bearer gives no unexplained finding,
// whichever kind of token the issuer makes.
func TestAuditOfGoSDKServer(t *testing.T) {
	w := here(t)
	if r := w.audited(t.Context(), w.account(), goSDKExplained); len(r.Faults) > 0 {
		t.Errorf("%s\n%q\n%q", r.Said, r.Faults, r.Output)
	} else {
		t.Logf("%s\n%q", r.Said, r.Output)
	}
}
