package auditor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

const (
	testIdP  = "https://idp.example"
	testJobs = "https://ci.example"
	bearers  = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// bringing audits a server that trusts a test identity provider and a test issuer of
// workloads; verify replaces how it checks signatures.
func bringing(t *testing.T, verify func(jws string, jwks []byte) (header, claims []byte, ok bool)) audit.Report {
	t.Helper()
	var o auditor.Options
	var idp, jobs []byte
	o.IdPKey, idp = newKey(t)
	o.WorkloadKey, jobs = newKey(t)
	resource := changed(t, func(as *devas.ASConfig, _ *devas.RSConfig) {
		as.ClientCredentials, as.Verify = true, verify
		as.Clients = append(as.Clients, peer.PreClient{ID: "robot", Secret: "a secret of the robot", Method: "client_secret_basic", GrantTypes: []string{"client_credentials", bearers}})
		as.Trusted = []peer.Trusted{{Issuer: testIdP, JWKS: idp}, {Issuer: testJobs, JWKS: jobs, Workloads: true}}
	}, nil)
	_, r, _ := logInWith(t, resource, o, func(a *audit.Account) {
		a.CCClient, a.CCSecret = "robot", "a secret of the robot"
		a.IdP, a.IdPSubject, a.Workload, a.WorkloadSubject = testIdP, "alice", testJobs, "job 1"
	}, "ext", "dev")
	return r
}

// brought are the checks that bring assertions.
func brought() []string {
	var out []string
	for _, c := range audit.Table() {
		if strings.HasPrefix(c.ID, "ext.ema-") || strings.HasPrefix(c.ID, "ext.wif-") {
			out = append(out, c.ID)
		}
	}
	return slices.DeleteFunc(out, func(id string) bool { return id == "ext.ema-meta" })
}

// The development server takes good assertions and refuses every wrong one. Its device
// grant is right too.
func TestAssertions(t *testing.T) {
	r := bringing(t, nil)
	want := map[string]audit.Outcome{"dev.start": audit.Pass, "dev.poll": audit.Pass, "dev.slow-down": audit.Pass, "dev.client": audit.Pass}
	for _, id := range brought() {
		want[id] = audit.Pass
	}
	outcomes(t, r, want)
	if len(r.Findings()) > 0 || len(r.Leftovers) > 0 {
		t.Errorf("%+v, left %+v", r.Findings(), r.Leftovers)
	}
}

// A server that verifies no signature is found, and an operator who gives no issuer is told what
// could not be tried.
func TestAssertionsUnchecked(t *testing.T) {
	r := bringing(t, unverified)
	outcomes(t, r, map[string]audit.Outcome{"ext.ema-signature": audit.Fail, "ext.wif-signature": audit.Fail, "ext.ema-aud": audit.Pass, "ext.wif-aud": audit.Pass})
	_, r, _ = logIn(t, development(t), nil, "ext")
	want := map[string]audit.Outcome{}
	for _, id := range brought() {
		want[id] = audit.CouldNotRun
	}
	outcomes(t, r, want)
}
